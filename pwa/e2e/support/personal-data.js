// What nobody may read in a log: whom people have typed in, and what lets somebody in (invariant 12).
import { PEOPLE } from './capture.js';

/** Whoever was typed in, whatever is in the store: an address, or what a token begins with. */
const ALWAYS = [
  { what: 'an e-mail address', pattern: /[^\s"'<>]*(?:@|%40)example\.com/i },
  { what: 'a token', pattern: /eyJ[\w-]{8,}/ },
];

/**
 * What to look for in the log of a server. `leads` and `refused` are its exports as NDJSON, so that no test has to say whom
 * it types in; `codes` are those that it gave out.
 */
export function searchFor({ leads, refused, codes }) {
  const rows = (text) => text.split('\n').filter(Boolean).map((line) => JSON.parse(line));
  const people = [...Object.values(PEOPLE), ...rows(leads), ...rows(refused).map(({ raw }) => contact(raw))];
  const names = people.flatMap(({ firstName, lastName, operator }) => [firstName, lastName, operator]);
  const phones = people.map(({ phone }) => digits(phone).slice(-9)).filter((phone) => phone.length === 9);
  return [
    ...ALWAYS,
    ...unique(names).map((name) => ({ what: 'a name', pattern: word(name) })),
    ...unique(people.map(({ email }) => email)).map((email) => ({ what: 'an e-mail address', pattern: word(email, 'iu') })),
    ...unique(phones).map((phone) => ({ what: 'a phone number', pattern: new RegExp([...phone].join('[ -]?')) })),
    ...unique(codes).map((code) => ({ what: 'a one-time code', pattern: new RegExp([...code.replaceAll('-', '')].join('-?'), 'i') })),
  ];
}

/** The lines of a log in which something of that stands, each with what it is. */
export function found(log, searched) {
  const lines = log.split('\n');
  return searched.flatMap(({ what, pattern }) => lines.filter((line) => pattern.test(line)).map((line) => `${what}: ${line}`));
}

/** Of an entry as it was sent, which may be anything. */
function contact(raw) {
  try {
    return JSON.parse(raw).contact ?? {};
  } catch {
    return {};
  }
}

const digits = (phone) => String(phone ?? '').replace(/\D/g, '');
const unique = (texts) => [...new Set(texts.map((text) => String(text ?? '').trim()).filter(Boolean))];

/** Standing alone: the name Lis is none in `listening`. */
function word(text, flags = 'u') {
  const escaped = text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  return new RegExp(`(?<![\\p{L}\\p{N}])${escaped}(?![\\p{L}\\p{N}])`, flags);
}
