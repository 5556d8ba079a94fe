// The check of every server's log at its end (`Server.remove`) can fail, and a log without personal data passes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { found, searchFor } from './support/personal-data.js';

const SEARCHED = searchFor({
  leads: '{"firstName":"Iga","lastName":"Lis-Żak","email":"iga-lis@example.org","phone":"+48501502504","operator":"Ewa"}\n',
  refused: `${JSON.stringify({ raw: JSON.stringify({ contact: { firstName: 'Jan', lastName: 'Żuk' } }) })}\n{"raw":"no JSON"}\n`,
  codes: ['7K3QF0-XW2A9-M4TDZ-H6RBC-1YEP8'],
});

test('each kind of personal data is found in a log, in each of its spellings', () => {
  for (const [kind, text] of [
    ['a name', 'sender=Anna'],
    ['a name', '"Łęcka"'],
    ['a name', 'refused Lis-Żak,'],
    ['a name', 'raw: Żuk'],
    ['a name', 'saved by Ewa'],
    ['an e-mail address', 'email=ola.rak@example.com'],
    ['an e-mail address', '?email=OLA.RAK%40example.com&'],
    ['an e-mail address', 'IGA-LIS@example.org'],
    ['a phone number', '501502503'],
    ['a phone number', '+48 501 502 503'],
    ['a phone number', 'phone=+48501502504'],
    ['a one-time code', '#connect=7k3qf0xw2a9m4tdzh6rbc1yep8'],
    ['a one-time code', 'code 7K3QF0-XW2A9-M4TDZ-H6RBC-1YEP8'],
    ['a token', 'Bearer eyJ0eXAiOiJhdCtqd3QifQ.e30.x'],
  ]) {
    const log = `DEBUG request method=POST\nINFO ${text}\nINFO stopped`;
    assert.ok(found(log, SEARCHED).includes(`${kind}: INFO ${text}`), `${kind} in ${text}`);
  }
});

test('what only looks like it is left alone', () => {
  const log = '2026-05-23T14:03:11.120501Z DEBUG listening on http://127.0.0.1:8080, enrolment=5f0c9be2a1d47736, Janowska, Igan, Żuki, device=iPad 7';
  assert.deepEqual(found(log, SEARCHED), []);
});
