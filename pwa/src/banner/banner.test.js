// One line above the form, and only one: what matters most to the leads (UX.md, TIER-2, SYN-8).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

const { module } = await runnerImport(fileURLToPath(new URL('banner.ts', import.meta.url)));
const { bannerFor, MIN_FREE_BYTES } = module;

const GIB = 2 ** 30;
const CALM = {
  mode: 'full',
  reach: 'cloud',
  enrolment: 'connected',
  session: 'none',
  places: { device: 0, hub: 0, cloud: 40 },
  persisted: true,
  usage: 0,
  quota: GIB,
  lost: [],
  canInstall: false,
};
/** By importance: each stays hidden as long as one above it holds. */
const TROUBLES = [
  ['reduced.banner', { mode: 'reduced' }],
  ['banner.lost', { lost: [{ deviceId: 'ipad-1', savedThrough: 41, missing: 41 }] }],
  ['banner.full', { usage: GIB - MIN_FREE_BYTES + 1 }],
  ['banner.connect', { enrolment: 'none' }],
  ['banner.solo', { reach: 'solo' }],
  ['banner.reconnect', { session: 'reconnect' }],
  ['banner.install', { canInstall: true }],
  ['banner.volatile', { persisted: false }],
];
const NO_LEADS = { places: { device: 0, hub: 0, cloud: 0 } };
const told = (...changes) => bannerFor(Object.assign({}, CALM, ...changes))?.words;

test('with the cloud and nothing to say, there is no line', () => {
  assert.equal(told(), undefined);
  assert.equal(told({ reach: null, persisted: null, usage: null, quota: null }), undefined, 'not known yet is no news');
  assert.equal(told({ session: 'valid' }), undefined);
});

test('of several troubles the most important is told', () => {
  for (const [index, [words]] of TROUBLES.entries()) {
    const fromHereOn = TROUBLES.slice(index).map(([, change]) => change);
    assert.equal(told(...fromHereOn), words);
  }
});

test('a hub is told as solo is: before any advice about setting up, after what endangers leads', () => {
  const [full, install, volatile] = ['banner.full', 'banner.install', 'banner.volatile'].map((words) => new Map(TROUBLES).get(words));
  assert.equal(told({ reach: 'hub' }, install, volatile), 'banner.hub');
  assert.equal(told({ reach: 'hub' }, full), 'banner.full');
});

test('an iPad that the server does not let in is told so, not that there is no network; before anybody has said, nothing is', () => {
  for (const enrolment of ['none', 'refused']) assert.equal(told({ enrolment, reach: 'solo' }), 'banner.connect');
  const revoked = { enrolment: 'revoked', reach: 'solo' };
  assert.deepEqual([told(revoked), bannerFor({ ...CALM, ...revoked }).href], ['banner.revoked', '#connect']);
  assert.equal(told({ enrolment: 'unknown' }), undefined);
  assert.equal(told({ enrolment: 'unknown', reach: 'solo' }), 'banner.solo');
});

test('a session that has ended, and bothers nobody yet, comes before any advice about setting up and after all else', () => {
  const grace = { session: 'grace' };
  assert.deepEqual([told(grace), bannerFor({ ...CALM, ...grace }).href], ['banner.grace', '#sign-in']);
  assert.equal(told(grace, { reach: 'hub' }), 'banner.hub');
  assert.equal(told({ session: 'reconnect', reach: 'hub' }), 'banner.reconnect');
  for (const [words, change] of TROUBLES) {
    if (!change.session) assert.equal(told(grace, change), /install|volatile/.test(words) ? 'banner.grace' : words);
  }
});

test('storage that is not promised matters only when there is something in it', () => {
  assert.equal(told({ persisted: false, reach: null }, NO_LEADS), undefined);
});

test('without any lead here the backups are pointed to, as soon as there is a server that may have some', () => {
  assert.equal(told(NO_LEADS), 'banner.empty');
  assert.equal(told(NO_LEADS, { canInstall: true }), 'banner.install');
  assert.equal(told(NO_LEADS, { reach: null }), undefined);
  assert.equal(told(NO_LEADS, { reach: 'solo' }), 'banner.solo');
  assert.equal(bannerFor({ ...CALM, ...NO_LEADS }).href, '#restore');
});

test('what a person can act on leads to the screen for it', () => {
  const hrefs = TROUBLES.map(([, change]) => bannerFor({ ...CALM, ...change }).href);
  assert.deepEqual(hrefs, [undefined, '#restore', undefined, '#connect', undefined, '#sign-in', '#install', '#device']);
});
