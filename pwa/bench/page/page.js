// Runs in the browser: the library as it is built, and two other ways to keep the same bytes.
import init, { Leadlog } from './pkg/leadlog_client.js';
import { Dexie } from './dexie.mjs';

/** Saves under way at once while a queue is made; what is measured is one at a time. */
const SAVES_AT_ONCE = 50;
const STRICT = { durability: 'strict' };

let leadlog;
let bare;
let dexie;
/** A record as the library keeps it, for the others to keep. */
let record;
let number = 0;
let status;

const FORM = (at) =>
  JSON.stringify({
    firstName: 'Anna',
    lastName: 'Żółć-Nowakowska',
    email: `anna.nowakowska.${at}@example.com`,
    phone: '501 502 503',
    consents: ['terms', 'marketing-email', 'marketing-phone'],
    language: 'pl',
  });

export async function openLibrary() {
  await init();
  leadlog = await Leadlog.open(location.origin, await (await fetch('./campaign.json')).text());
  leadlog.subscribe((json) => (status = JSON.parse(json)));
}

/** Without it no server takes anything. */
export async function connect(code) {
  await leadlog.enrol(code);
}

/** Through the library, one transaction each, as people do it. */
export async function saveMany(count) {
  for (let left = count; left > 0; left -= SAVES_AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(left, SAVES_AT_ONCE) }, () => leadlog.save(FORM(number++))));
  }
}

/** The same number of the same records beside it. */
export async function openRivals(count) {
  await saveMany(1);
  record = await recordOfLibrary();
  bare = await openBare();
  await inOneTransaction(count, (store, key) => store.put({ ...record, key }));
  dexie = new Dexie('bench-dexie', { chromeTransactionDurability: 'strict' });
  dexie.version(1).stores({ leads: '++key, &deviceSeq, clientId', numbers: 'name' });
  await dexie.open();
  const others = Array.from({ length: count }, (_, at) => ({ ...record, key: at + 1, deviceSeq: at + 1 }));
  await dexie.leads.bulkAdd(others);
  await dexie.numbers.put({ name: 'next', value: count + 1 });
  return JSON.stringify(record).length;
}

/** Each way in turn; returns the milliseconds of each. */
export async function measure(rounds) {
  const ways = [
    ['leadlog', () => leadlog.save(FORM(number++))],
    ['bare', putBare],
    ['dexie', addWithDexie],
  ];
  const taken = { leadlog: [], bare: [], dexie: [] };
  for (let round = 0; round < rounds; round += 1) {
    for (let turn = 0; turn < ways.length; turn += 1) {
      const [name, save] = ways[(round + turn) % ways.length];
      // What the one before left to do is not this one's.
      await new Promise((done) => requestIdleCallback(done, { timeout: 100 }));
      const begun = performance.now();
      await save();
      taken[name].push(performance.now() - begun);
    }
  }
  return taken;
}

/** Until the cloud has everything; returns the milliseconds. */
export async function drain(count) {
  const begun = performance.now();
  // The first run may end before the last lead, when the server asks for patience.
  while (status.places.cloud < count) {
    const { synced } = JSON.parse(await leadlog.sync());
    if (synced === 0) await new Promise((done) => setTimeout(done, 20));
  }
  return performance.now() - begun;
}

let next = 1_000_000_000;

/** The floor: one record, one strict transaction, no number, no look back. */
async function putBare() {
  const transaction = bare.transaction('leads', 'readwrite', STRICT);
  transaction.objectStore('leads').put({ ...record, key: next++ });
  await completed(transaction);
}

/** What the library does, as one would write it with Dexie: a number, the record under it, and a look back. */
async function addWithDexie() {
  const key = await dexie.transaction('rw', dexie.leads, dexie.numbers, async () => {
    const { value } = await dexie.numbers.get('next');
    await dexie.numbers.put({ name: 'next', value: value + 1 });
    const { key: _, ...fields } = record;
    return dexie.leads.add({ ...fields, deviceSeq: value });
  });
  if (!(await dexie.leads.get(key))) throw new Error('Dexie did not keep it');
}

/** Whatever the library names its stores, a record with an `entry` is a lead. */
async function recordOfLibrary() {
  for (const { name, version } of await indexedDB.databases()) {
    if (name.startsWith('bench-')) continue;
    const database = await answered(indexedDB.open(name, version));
    try {
      for (const store of database.objectStoreNames) {
        const [found] = await answered(database.transaction(store).objectStore(store).getAll(null, 1));
        if (found?.entry) return found;
      }
    } finally {
      database.close();
    }
  }
  throw new Error('the library has saved, and no database holds a record with an entry');
}

async function openBare() {
  const request = indexedDB.open('bench-bare', 1);
  request.onupgradeneeded = () => request.result.createObjectStore('leads', { keyPath: 'key' });
  return answered(request);
}

async function inOneTransaction(count, put) {
  const transaction = bare.transaction('leads', 'readwrite');
  for (let key = 1; key <= count; key += 1) put(transaction.objectStore('leads'), key);
  await completed(transaction);
}

function answered(request) {
  return new Promise((done, failed) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });
}

function completed(transaction) {
  return new Promise((done, failed) => {
    transaction.oncomplete = done;
    transaction.onabort = () => failed(transaction.error);
  });
}

/** From the bytes to the library that answers. */
export async function startWasm() {
  const bytes = await (await fetch('./pkg/leadlog_client_bg.wasm')).arrayBuffer();
  const begun = performance.now();
  await init({ module_or_path: bytes });
  return performance.now() - begun;
}
