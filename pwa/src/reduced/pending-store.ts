/**
 * The database `leadlog-pending`: forms that were saved while the device library could not start.
 * When it does start, it makes entries of them and deletes them here.
 *
 * It keeps the promise of a Save as the library does: written with strict durability, read back, and
 * only then said to be saved. What fails is tried once more on a fresh connection, because browsers close
 * connections by themselves; a form is kept under its own id, so the second try is harmless.
 */

/** A record never changes its form; another form would have another `v`. */
export interface PendingForm {
  readonly v: 1;
  /** UUID v7: the id of the lead that it becomes. */
  readonly clientId: string;
  /** Milliseconds since 1970. */
  readonly savedAt: number;
  /** East of Greenwich. */
  readonly offsetMinutes: number;
  /** The form as JSON text, as the library takes it. */
  readonly form: string;
  /** Who captured it, where that was said. */
  readonly operator?: string;
}

const DATABASE = 'leadlog-pending';
/** Stays 1 for ever: any version of the library must find the forms. */
const VERSION = 1;
const STORE = 'forms';
/** A disk that takes longer does not work, and the person must be told. */
const TIMEOUT_MS = 8_000;

export class PendingStore {
  #connection: Promise<IDBDatabase> | undefined;

  /** Every record, those too that a later version of the app wrote. Rejects when the browser gives no storage. */
  all(): Promise<PendingForm[]> {
    return this.#run('readonly', (store) => store.getAll() as IDBRequest<PendingForm[]>);
  }

  /** Resolves when the form is on the disk and a read finds it. */
  async add(form: PendingForm): Promise<void> {
    await this.#run('readwrite', (store) => store.put(form));
    await this.#readBack(form);
  }

  /** Puts a form in the place of one that is still here; `false` when it is not: it has become an entry. */
  async replace(form: PendingForm): Promise<boolean> {
    const before = await this.#run('readwrite', (store) => {
      const found = store.get(form.clientId);
      found.addEventListener('success', () => {
        if (found.result) store.put(form);
      });
      return found;
    });
    if (before) await this.#readBack(form);
    return before !== undefined;
  }

  /** `false` when it was not here. */
  async remove(clientId: string): Promise<boolean> {
    const before = await this.#run('readwrite', (store) => {
      const found = store.get(clientId);
      store.delete(clientId);
      return found;
    });
    return before !== undefined;
  }

  async #readBack(form: PendingForm): Promise<void> {
    const found = await this.#run('readonly', (store) => store.get(form.clientId));
    if (JSON.stringify(found) !== JSON.stringify(form)) throw new Error(`${form.clientId} was written but cannot be read back`);
  }

  /** Resolves with what the request found, when its transaction is complete. */
  async #run<T>(mode: IDBTransactionMode, ask: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
    const giveUp = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`the disk did not answer within ${TIMEOUT_MS} ms`)), TIMEOUT_MS);
    });
    const done = this.#try(mode, ask, giveUp.signal).catch(() => {
      this.#forget();
      return this.#try(mode, ask, giveUp.signal);
    });
    try {
      return await Promise.race([done, late]);
    } catch (reason) {
      // The person is told that it failed, and may change the form: it must not be written behind their back.
      giveUp.abort();
      this.#forget();
      throw reason;
    } finally {
      clearTimeout(timer);
    }
  }

  async #try<T>(
    mode: IDBTransactionMode,
    ask: (store: IDBObjectStore) => IDBRequest<T>,
    giveUp: AbortSignal,
  ): Promise<T> {
    const database = await (this.#connection ??= connect());
    giveUp.throwIfAborted();
    return new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode, { durability: 'strict' });
      giveUp.addEventListener('abort', () => abort(transaction));
      const request = ask(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error ?? new Error('the browser gave the transaction up'));
    });
  }

  /** The next transaction opens a connection of its own. */
  #forget(): void {
    this.#connection?.then((database) => database.close()).catch(() => undefined);
    this.#connection = undefined;
  }
}

/** What is being committed already goes its way; then the same form again is the same lead. */
function abort(transaction: IDBTransaction): void {
  try {
    transaction.abort();
  } catch {
    // It is over.
  }
}

function connect(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(DATABASE, VERSION);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: 'clientId' });
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const database = opening.result;
      // Someone deletes the database, for example to clear the site's data: stand aside.
      database.onversionchange = () => database.close();
      resolve(database);
    };
  });
}
