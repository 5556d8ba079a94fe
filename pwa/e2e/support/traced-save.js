import { fill, seeSaved, tapSave } from './capture.js';
import { flushBefore, SystemCalls } from './system-calls.js';

/** Nothing of the e-mail is in another record, or repeats: storage may compress what it has seen before. */
const UNIQUE_TEXT = 'kv8q2xwz7j';
const PERSON = { firstName: 'Maja', lastName: 'Trace', email: `${UNIQUE_TEXT}@example.com`, phone: '' };
/** What the page asks for when Save has answered. */
const MARKER = '/api/save-has-answered';

/**
 * Saves one person on an open form of Playwright's or WebKit's, while the processes of `pids` are traced. Answers what
 * `flushBefore` finds for the files whose path matches.
 */
export async function traceSave(page, pids) {
  await fill(page, PERSON);
  await page.evaluate(`void (${markTheAnswer})(${JSON.stringify(MARKER)})`);
  const calls = await SystemCalls.of(pids);
  await tapSave(page);
  await seeSaved(page, PERSON);
  await page.evaluate('window.marked');
  const lines = await calls.end();
  return (file) => flushBefore(lines, { text: UNIQUE_TEXT, file, marker: MARKER });
}

/** Runs in the page: the app's transactions lose their options. */
export function relaxDurability() {
  const { transaction } = IDBDatabase.prototype;
  IDBDatabase.prototype.transaction = function (stores, mode) {
    return transaction.call(this, stores, mode);
  };
}

/** Runs in the page: in the very task in which the screen says it, the request goes out. */
function markTheAnswer(marker) {
  const told = new MutationObserver(() => {
    if (!document.body.innerText.includes('Zapisano:')) return;
    told.disconnect();
    window.marked = fetch(marker).then(() => true);
  });
  told.observe(document.body, { subtree: true, childList: true, characterData: true });
}
