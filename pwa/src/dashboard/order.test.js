// The order of the devices on the dashboard.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

const { module } = await runnerImport(fileURLToPath(new URL('order.ts', import.meta.url)));
const { COLUMNS, inOrder, orderBy, sharedNames } = module;

const device = (name, change) => ({ deviceId: `id of ${name}`, name, isRevoked: false, leads: 0, standing: 'complete', missing: 0, left: 0, ...change });
const DEVICES = [
  device('iPad 10', { leads: 3, heardAt: '2026-05-23T12:00:00Z', isStoragePersisted: true, appVersion: '0.10.0' }),
  device('iPad 1', { isRevoked: true, standing: 'silent', leads: 99, left: 50 }),
  device('iPad 2', { leads: 7, standing: 'behind', left: 4, heardAt: '2026-05-23T12:01:00Z', appVersion: '0.9.0' }),
  device('iPad 3', { leads: 5, standing: 'silent', heardAt: '2026-05-23T11:00:00Z', isStoragePersisted: false }),
  device('iPad 4', { leads: 5, standing: 'silent', missing: 1, left: undefined, heardAt: '2026-05-23T11:30:00Z' }),
  device('iPad 5', { standing: 'nothing', left: undefined }),
  device('iPad 6', { standing: 'retired', leads: 30 }),
];
const numbers = (order) => inOrder(DEVICES, order, 'pl').map(({ name }) => Number(name.split(' ')[1]));

test('those that need somebody are first, and those that are out last', () => {
  assert.deepEqual(numbers(orderBy('standing')), [4, 3, 2, 5, 10, 1, 6]);
});

test('names are ordered as people count, and decide between equals', () => {
  assert.deepEqual(numbers(orderBy('name')), [2, 3, 4, 5, 10, 1, 6]);
  assert.deepEqual(numbers(orderBy('leads')), [2, 3, 4, 10, 5, 1, 6]);
});

test('each column begins with what one looks for in it', () => {
  assert.deepEqual(numbers(orderBy('owed')).slice(0, 2), [2, 4]);
  assert.deepEqual(numbers(orderBy('heard')).slice(0, 2), [5, 3]);
  assert.equal(numbers(orderBy('storage'))[0], 3);
  assert.deepEqual(numbers({ by: 'version', isDescending: true }).slice(0, 2), [10, 2]);
});

test('also the other way round, those that are out are last', () => {
  for (const by of COLUMNS) assert.deepEqual(numbers({ by, isDescending: !orderBy(by).isDescending }).slice(-2).sort(), [1, 6], by);
});

test('a name that two devices have is known as such', () => {
  assert.deepEqual([...sharedNames([...DEVICES, device('iPad 3', { deviceId: 'another' })])], ['iPad 3']);
});
