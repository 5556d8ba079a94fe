// The first sentence of the dashboard. Green is said only of what is known: silence is never completeness (invariant 9).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

const { module } = await runnerImport(fileURLToPath(new URL('verdict.ts', import.meta.url)));

const SINCE = '2026-05-23T12:00:00Z';
const device = (change) => ({ deviceId: 'a', name: 'iPad 1', isRevoked: false, leads: 9, heardAt: SINCE, standing: 'complete', missing: 0, left: 0, ...change });
const relay = (change) => ({ cloud: 'https://leads.example.com', waiting: 0, held: 0, ...change });
const report = (change) => ({ at: SINCE, leads: { total: 9, lastHour: 9, hours: [] }, devices: [device()], alarms: [], relay: relay(), ...change });

/** The dot, and what is said. */
function verdict(change, isLost = false) {
  const { dot, findings } = module.verdictOf(report(change), isLost);
  return [dot, ...findings.map(({ code }) => code)];
}

test('it is green when everything is in the cloud, and where there was nothing yet', () => {
  assert.deepEqual(verdict({}), ['green', 'done']);
  assert.deepEqual(verdict({ relay: undefined }), ['green', 'done']);
  assert.deepEqual(verdict({ leads: { total: 0, lastHour: 0, hours: [] }, devices: [] }), ['green', 'empty']);
});

test('it says no more than is known when a device has not spoken for longer than one does whose app is open', () => {
  assert.deepEqual(verdict({ at: '2026-05-23T12:01:30Z' }), ['green', 'done']);
  assert.deepEqual(verdict({ at: '2026-05-23T12:01:31Z' }), ['green', 'known']);
});

test('a device that was never heard is named beside the rest', () => {
  assert.deepEqual(verdict({ devices: [device(), device({ standing: 'nothing', heardAt: undefined, left: undefined })] }), ['green', 'known', 'unheard']);
});

test('what is on the hub or on a device waits, and is counted', () => {
  const { dot, findings } = module.verdictOf(
    report({ relay: relay({ waiting: 23, oldestWaitingAt: SINCE }), devices: [device({ standing: 'behind', left: 5 }), device({ standing: 'behind', left: undefined, missing: 2 })] }),
    false,
  );
  assert.equal(dot, 'amber');
  assert.deepEqual(findings.map(({ code, count }) => [code, count]), [['waiting', 23], ['holding', 7]]);
  assert.equal(findings[0].since, SINCE);
});

test('of a silent device nobody knows, whatever it said when it was heard', () => {
  assert.deepEqual(verdict({ devices: [device(), device({ standing: 'silent' })] }), ['amber', 'silent', 'known']);
  assert.deepEqual(verdict({ devices: [device({ standing: 'said by a newer server' })] }), ['amber', 'silent', 'known']);
  assert.deepEqual(verdict({ devices: [device({ standing: 'silent', left: 2 })] }), ['red', 'holding', 'silent']);
});

test('numbers that no device holds any more come first', () => {
  assert.deepEqual(verdict({ devices: [device({ standing: 'behind', left: 0, missing: 3 })], relay: relay({ waiting: 1 }) }), ['red', 'missing', 'waiting']);
  // One lead has a number for each of its versions.
  assert.deepEqual(verdict({ devices: [device({ standing: 'behind', left: 1, missing: 3 })] }), ['amber', 'holding']);
});

test('of a device that was shut out or replaced only what it is known to hold counts', () => {
  assert.deepEqual(verdict({ devices: [device({ standing: 'retired' })] }), ['green', 'done']);
  assert.deepEqual(verdict({ devices: [device({ isRevoked: true, standing: 'silent' })] }), ['green', 'done']);
  assert.deepEqual(verdict({ devices: [device({ isRevoked: true, standing: 'nothing', left: undefined })] }), ['green', 'known']);
  assert.deepEqual(verdict({ devices: [device({ isRevoked: true, standing: 'silent', left: 4 })] }), ['red', 'holding']);
});

test('trouble on the way to the cloud and alarms are never green, also when nothing waits', () => {
  const trouble = (code) => ({ relay: relay({ trouble: { code, detail: '', since: SINCE } }) });
  assert.deepEqual(verdict(trouble('unreachable')), ['amber', 'trouble', 'done']);
  assert.deepEqual(verdict(trouble('not-let-in')), ['red', 'trouble', 'done']);
  assert.deepEqual(verdict({ alarms: [{ code: 'disk-space' }] }), ['red', 'alarms', 'done']);
  assert.deepEqual(verdict({ alarms: [{ code: 'relay-behind' }], relay: relay({ waiting: 2 }) }), ['red', 'waiting']);
});

test('when the server is not heard, that comes first, and nothing is called done', () => {
  assert.deepEqual(verdict({}, true), ['amber', 'lost']);
  assert.deepEqual(verdict({ relay: relay({ waiting: 23 }) }, true), ['amber', 'lost', 'waiting']);
  assert.deepEqual(verdict({ devices: [device({ standing: 'silent' })] }, true), ['amber', 'lost', 'silent']);
});
