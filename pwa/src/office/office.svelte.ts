import { refusalOf, type SignedIn, SignInError } from '../sign-in/store';

const KEY = 'leadlog.office';
/** An iPad lies about, and the next one who takes it is somebody else. */
const IDLE_MS = 15 * 60_000;

/** An organizer at this browser, whoever captures on it. */
export interface OfficeSession {
  readonly name: string;
  /** `null` for whoever may take nothing out. */
  readonly token: string | null;
  readonly scopes: readonly string[];
  /** Milliseconds since 1970. */
  readonly endsAt: number;
  /** When she last did something at the office, in milliseconds since 1970. */
  readonly usedAt: number;
}

/**
 * The organizer who is signed in. The token is in the storage of this tab alone: it goes with the tab, when it has expired or
 * was not used for a quarter of an hour, when the server does not take it any more, when the iPad is handed over, and with
 * "Wyloguj".
 */
class Office {
  session = $state.raw<OfficeSession | null>(null);
  /** It has ended by itself, and nobody has signed in since. */
  hasEnded = $state(false);
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    const kept = recall();
    if (kept) this.#keep(kept);
    // While an iPad sleeps no timer rings.
    document.addEventListener('visibilitychange', () => this.#look());
  }

  begin({ person, expiresIn, accessToken, scope }: SignedIn): void {
    this.#keep({
      name: person.name,
      token: accessToken ?? null,
      scopes: scope?.split(' ').filter(Boolean) ?? [],
      endsAt: Date.now() + expiresIn * 1000,
      usedAt: Date.now(),
    });
  }

  /** She is here. */
  use(): void {
    this.#look();
    if (this.session) this.#keep({ ...this.session, usedAt: Date.now() });
  }

  /** Forgets the token. `byItself`: nobody has asked for it. */
  end(byItself = false): void {
    clearTimeout(this.#timer);
    this.session = null;
    this.hasEnded = byItself;
    attempt((storage) => storage.removeItem(KEY));
  }

  /** All leads or contacts, as a file under the server's name for it. Rejects with `SignInError`: `refused` without the right. */
  async export(what: 'leads' | 'contacts', format: string): Promise<File> {
    this.use();
    const token = this.session?.token;
    if (!token) throw new SignInError('stale');
    try {
      const response = await fetch(`/api/exports/${what}.${format}`, {
        headers: { authorization: `Bearer ${token}` },
        cache: 'no-store',
        // No question of the browser's own for a password.
        credentials: 'omit',
      });
      if (response.status === 401) {
        this.end(true);
        throw new SignInError('stale');
      }
      if (response.status === 403) throw new SignInError('refused');
      if (!response.ok) throw await refusalOf(response);
      const name = /filename="([^"]+)"/.exec(response.headers.get('content-disposition') ?? '')?.[1];
      const blob = await response.blob();
      this.use();
      return new File([blob], name ?? `${what}.${format}`, { type: blob.type });
    } catch (reason) {
      throw reason instanceof SignInError ? reason : new SignInError('unreachable', String(reason));
    }
  }

  #keep(session: OfficeSession): void {
    this.session = session;
    this.hasEnded = false;
    attempt((storage) => storage.setItem(KEY, JSON.stringify(session)));
    this.#look();
  }

  #look(): void {
    clearTimeout(this.#timer);
    if (!this.session) return;
    const left = Math.min(this.session.endsAt, this.session.usedAt + IDLE_MS) - Date.now();
    if (left <= 0) this.end(true);
    else this.#timer = setTimeout(() => this.#look(), left);
  }
}

function recall(): OfficeSession | null {
  return attempt((storage) => JSON.parse(storage.getItem(KEY) ?? 'null')) ?? null;
}

/** Without the storage the token lives as long as the page. */
function attempt<T>(act: (storage: Storage) => T): T | undefined {
  try {
    return act(sessionStorage);
  } catch {
    return undefined;
  }
}

export const office = new Office();
