import { refusalOf, type SignedIn, SignInError } from '../sign-in/store';

const KEY = 'leadlog.office';
/** An iPad lies about, and the next one who takes it is somebody else. */
const IDLE_MS = 15 * 60_000;
const CLOCK_TOLERANCE_MS = 60_000;

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
  /** Whether this device is one of many hands. */
  readonly isShared: boolean;
}

/**
 * The organizer who is signed in. The token is in the storage of this tab alone: it goes with the tab, when it has expired,
 * when the server does not take it any more, when the iPad is handed over, with "Wyloguj", and on a device that several people
 * share when it was not used for a quarter of an hour.
 */
class Office {
  session = $state.raw<OfficeSession | null>(null);
  /** It has ended by itself, and nobody has signed in since. */
  hasEnded = $state(false);
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Ends the downloads of this session. */
  #downloads = new AbortController();

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
      isShared: true,
    });
  }

  /** She is here; at a computer of her own, or at a device that captures leads. */
  use(isShared = this.session?.isShared ?? true): void {
    this.#look();
    if (this.session) this.#keep({ ...this.session, isShared, usedAt: Date.now() });
  }

  /** Forgets the token, and gives no file to whoever comes next. `byItself`: nobody has asked for it. */
  end(byItself = false): void {
    clearTimeout(this.#timer);
    this.#downloads.abort();
    this.#downloads = new AbortController();
    this.session = null;
    this.hasEnded = byItself;
    attempt((storage) => storage.removeItem(KEY));
  }

  /** All leads or contacts, as a file under the server's name for it. Rejects with `SignInError`: `refused` without the right. */
  async export(what: 'leads' | 'contacts', format: string): Promise<File> {
    this.use();
    const token = this.session?.token;
    if (!token) throw new SignInError('stale');
    const { signal } = this.#downloads;
    try {
      const response = await fetch(`/api/exports/${what}.${format}`, {
        headers: { authorization: `Bearer ${token}` },
        cache: 'no-store',
        // No question of the browser's own for a password.
        credentials: 'omit',
        signal,
      });
      if (!response.ok) throw await refusalOf(response);
      const name = /filename="([^"]+)"/.exec(response.headers.get('content-disposition') ?? '')?.[1];
      // A portal may answer anything with 200.
      if (!name) throw new SignInError('unreachable', 'the answer is not of the server');
      const blob = await response.blob();
      signal.throwIfAborted();
      this.use();
      return new File([blob], name, { type: blob.type });
    } catch (reason) {
      if (reason instanceof SignInError && reason.code === 'stale') this.end(true);
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
    const { endsAt, usedAt, isShared } = this.session;
    const now = Date.now();
    const left = Math.min(endsAt, isShared ? usedAt + IDLE_MS : endsAt) - now;
    // A clock that was set back says nothing about what is left.
    if (left > 0 && now >= usedAt - CLOCK_TOLERANCE_MS) this.#timer = setTimeout(() => this.#look(), left);
    else this.end(true);
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
