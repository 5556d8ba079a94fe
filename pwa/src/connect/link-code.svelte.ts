import { codeIn } from './code';

const IN_ADDRESS = '#connect=';

/** The one-time code that a link has brought, until the screen uses it. It stays in no address, history or storage. */
class LinkCode {
  content = $state.raw<string | null>(null);

  /** Takes it out of the address, where there is one. */
  receive(): void {
    if (!location.hash.startsWith(IN_ADDRESS)) return;
    this.content = codeIn(location.hash);
    history.replaceState(history.state, '', '#connect');
  }

  /** Hands it out, once. */
  take(): string | null {
    const code = this.content;
    this.content = null;
    return code;
  }
}

export const linkCode = new LinkCode();
