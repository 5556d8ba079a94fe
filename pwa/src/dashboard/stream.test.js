// The reports of the server, over connections that end, break, fall silent, or are answered by somebody else.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

const { module } = await runnerImport(fileURLToPath(new URL('stream.ts', import.meta.url)));

const report = (at) => ({ at, store: { id: 's', tier: 'hub' }, leads: { total: 0, lastHour: 0, hours: [] }, devices: [], alarms: [] });
const event = (at) => `event: report\ndata: ${JSON.stringify(report(at))}\n\n`;
const NOON = '2026-05-23T12:00:00Z';

let told;
let requests;
let answer;
let stream;

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout'] });
  mock.method(console, 'warn', () => undefined);
  told = [];
  requests = [];
  mock.method(globalThis, 'fetch', async (url, { headers, signal }) => {
    requests.push({ url, headers, signal });
    return answer(signal);
  });
  stream = new module.Stream('token', {
    onreport: ({ at }) => told.push(at),
    onlost: () => told.push('lost'),
    onrefused: (why) => told.push(why),
  });
});

afterEach(async () => {
  stream.stop();
  await settled();
  mock.timers.reset();
  mock.restoreAll();
});

/** Everything is done that waits for no clock. */
async function settled() {
  for (let turns = 0; turns < 20; turns += 1) await turn();
}

async function pass(ms) {
  mock.timers.tick(ms);
  await settled();
}

/** A stream, and what the server does with it. */
function open() {
  const encoder = new TextEncoder();
  let controller;
  const body = new ReadableStream({ start: (given) => (controller = given) });
  answer = (signal) => {
    signal.addEventListener('abort', () => controller.error(signal.reason));
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  };
  return {
    async say(text) {
      controller.enqueue(typeof text === 'string' ? encoder.encode(text) : text);
      await settled();
    },
    async end() {
      controller.close();
      await settled();
    },
  };
}

const problem = (status, type) => () =>
  new Response(JSON.stringify({ type: `urn:leadlog:problem:${type}` }), { status, headers: { 'content-type': 'application/problem+json' } });
const unreachable = () => {
  throw new TypeError('Failed to fetch');
};
const lost = () => told.filter((what) => what === 'lost').length;

test('it shows its token, and reads reports that come in pieces', async () => {
  const server = open();
  void stream.follow();
  await settled();
  assert.deepEqual([requests[0].url, requests[0].headers.authorization], ['/api/live', 'Bearer token']);
  for (const byte of new TextEncoder().encode(`: Zażółć\n\n${event(NOON)}`)) await server.say(Uint8Array.of(byte));
  assert.deepEqual(told, [NOON]);
});

test('a stream that ends is followed by another after a second, and nothing was lost', async () => {
  const first = open();
  void stream.follow();
  await settled();
  await first.say(event(NOON));
  const second = open();
  await first.end();
  await pass(999);
  assert.equal(requests.length, 1);
  await pass(1);
  assert.equal(requests.length, 2);
  await second.say(event(NOON));
  await pass(10_000);
  assert.deepEqual(told, [NOON, NOON]);
});

test('where nobody answers it asks less and less often, and says so', async () => {
  answer = unreachable;
  void stream.follow();
  await settled();
  await pass(1_000);
  await pass(2_000);
  assert.deepEqual([requests.length, lost()], [3, 0]);
  await pass(1_000);
  assert.equal(lost(), 1);
  await pass(3_000);
  assert.equal(requests.length, 4);
  await pass(8_000);
  await pass(15_000);
  await pass(15_000);
  assert.equal(requests.length, 7);
  stream.hurry();
  await settled();
  assert.equal(requests.length, 8);
});

test('one that falls silent is left, and a comment is no silence', async () => {
  const server = open();
  void stream.follow();
  await settled();
  await server.say(event(NOON));
  for (let times = 0; times < 3; times += 1) {
    await pass(30_000);
    await server.say(': still here\n\n');
  }
  assert.deepEqual(told, [NOON]);
  await pass(40_000);
  assert.deepEqual(told, [NOON, 'lost']);
  assert.ok(requests[0].signal.aborted);
  open();
  await pass(1_000);
  assert.equal(requests.length, 2);
});

test('a portal that answers in the place of the server, with any status, is nobody', async () => {
  const portals = [200, 401, 403].map((status) => () => new Response('<h1>WiFi</h1>', { status, headers: { 'content-type': 'text/html' } }));
  for (const portal of [...portals, problem(503, 'unavailable'), problem(429, 'too-many-requests')]) {
    answer = portal;
    if (requests.length === 0) void stream.follow();
    else stream.hurry();
    await settled();
  }
  assert.deepEqual([requests.length, told], [5, []]);
  const server = open();
  stream.hurry();
  await settled();
  await server.say(event(NOON));
  assert.deepEqual(told, [NOON]);
});

test('the end of the session and a missing right are the last that is told', async () => {
  for (const [status, type, why] of [[401, 'invalid-token', 'stale'], [401, 'no-token', 'stale'], [403, 'insufficient-scope', 'refused']]) {
    const asked = requests.length;
    answer = problem(status, type);
    told.length = 0;
    const ended = new module.Stream('token', { onreport: () => undefined, onlost: () => told.push('lost'), onrefused: (told_) => told.push(told_) });
    await ended.follow();
    await pass(60_000);
    assert.deepEqual([requests.length - asked, told], [1, [why]], type);
  }
});

test('what is no report is nobody\'s', async () => {
  const server = open();
  void stream.follow();
  await settled();
  await server.say('event: report\ndata: {"at":"soon"}\n\n');
  assert.deepEqual([told, requests[0].signal.aborted], [[], true]);
});
