/** Where the provider sends people back to. The server and the service worker answer it with the page. */
export const RETURN_PATH = '/signed-in';

/** What the provider has sent back, until it is used. It stays in no address, history or storage. */
class Arrival {
  #answer: URLSearchParams | null = null;

  /** Takes it out of the address, where there is one. */
  receive(): void {
    if (location.pathname !== RETURN_PATH) return;
    this.#answer = new URLSearchParams(location.search);
    history.replaceState(null, '', '/');
  }

  /** Hands it out, once. */
  take(): URLSearchParams | null {
    const answer = this.#answer;
    this.#answer = null;
    return answer;
  }
}

export const arrival = new Arrival();
