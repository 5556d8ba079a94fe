/**
 * Half-typed text outlives its page: a reload, and a page that the iPad has killed.
 *
 * Each page keeps its text under a name of its own and holds a lock of that name for as long as it
 * lives. A page that starts takes over the text whose lock nobody holds, so what is being typed in
 * another tab is never shown twice. Where the browser knows no locks, the text stays with its tab.
 * Without any storage a reload costs the text, and nothing else.
 */
import type { Form } from '../device';

export type Typed = Omit<Form, 'language'>;

export type HalfTyped = Typed & {
  /** Milliseconds since 1970, of the last change. */
  readonly at: number;
  /** The saved lead that is being fixed. */
  readonly clientId?: string | undefined;
  /** What stood in the form before the fix. */
  readonly aside?: Typed | undefined;
};

const PREFIX = 'leadlog.half-typed.';
/** Older text belongs to a person who has left. */
const MAX_AGE_MS = 30 * 60_000;
/** How long a page that was reloaded may take to let go of its lock. */
const LOCK_WAIT_MS = 3_000;

export class HalfTypedStore {
  #name = `${PREFIX}${Date.now()}.${Math.random()}`;

  constructor() {
    void hold(this.#name, () => true);
  }

  /** Offers each text that was left behind, newest first, until one is taken. Later texts go under its name. */
  async find(take: (text: HalfTyped) => boolean): Promise<void> {
    const names = attempt((storage) => Object.keys(storage).filter((key) => key.startsWith(PREFIX))) ?? [];
    const left = names.flatMap((name) => {
      const text = read(name);
      return text ? [{ name, text }] : [];
    });
    left.sort((a, b) => b.text.at - a.text.at);
    const adopt = (name: string) => {
      // Its page may have gone on while this one waited.
      const text = read(name);
      const own = this.#name;
      this.#name = name;
      if (text && take(text)) return true;
      this.#name = own;
      return false;
    };
    await Promise.all(left.map(({ name }) => hold(name, () => adopt(name), LOCK_WAIT_MS)));
  }

  keep(text: HalfTyped | null): void {
    attempt((storage) => {
      if (text) storage.setItem(this.#name, JSON.stringify(text));
      else storage.removeItem(this.#name);
    });
  }
}

/** Runs `begin` under a lock, and keeps the lock until the page goes if it says so. */
async function hold(name: string, begin: () => boolean, waitMs?: number): Promise<void> {
  if (!navigator.locks) {
    begin();
    return;
  }
  const given = navigator.locks.request(name, waitMs ? { signal: AbortSignal.timeout(waitMs) } : {}, () =>
    begin() ? new Promise(() => undefined) : undefined,
  );
  // Another page lives under this name, or locks are forbidden here.
  await given.catch(() => undefined);
}

/** `null` when there is none. Removes what is too old to be shown, or cannot be read. */
function read(name: string): HalfTyped | null {
  return (
    attempt((storage) => {
      try {
        const text = JSON.parse(storage.getItem(name) ?? 'null') as HalfTyped | null;
        // A clock that was set tells nothing about the age.
        if (text && Math.abs(Date.now() - text.at) < MAX_AGE_MS) return text;
      } catch {
        // Not JSON: nothing of ours.
      }
      storage.removeItem(name);
      return null;
    }) ?? null
  );
}

function attempt<T>(act: (storage: Storage) => T): T | undefined {
  try {
    return act(navigator.locks ? localStorage : sessionStorage);
  } catch {
    return undefined;
  }
}
