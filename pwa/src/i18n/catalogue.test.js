// Every language says everything: the same keys, the same placeholders, its own plural forms.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

/** What the form says, and what the second script and the dashboard add to it. */
const PARTS = ['form', 'screens', '../dashboard/words'];
const LANGUAGES = ['pl', 'en'];

const read = (part, language) => JSON.parse(readFileSync(new URL(`${part}/${language}.json`, import.meta.url), 'utf8'));
const catalogues = PARTS.flatMap((part) =>
  LANGUAGES.map((language) => ({ part, language, words: read(part, language), reference: read(part, 'pl') })),
);

test('there is no other catalogue, and no key of the form in another part', () => {
  for (const part of PARTS) {
    const files = readdirSync(new URL(`${part}/`, import.meta.url)).sort();
    assert.deepEqual(files, LANGUAGES.map((language) => `${language}.json`).sort());
  }
  const [form, ...others] = PARTS.map((part) => Object.keys(read(part, 'pl')));
  for (const other of others) assert.deepEqual(form.filter((key) => other.includes(key)), []);
});

const placeholders = (word) =>
  [...new Set(Object.values(typeof word === 'string' ? { word } : word).flatMap((text) => text.match(/\{\w+\}/g) ?? []))].sort();

for (const { part, language, words, reference } of catalogues) {
  test(`${part}/${language}.json has the keys of pl.json, each with its placeholders`, () => {
    assert.deepEqual(Object.keys(words).sort(), Object.keys(reference).sort());
    for (const [key, word] of Object.entries(words)) {
      assert.deepEqual(placeholders(word), placeholders(reference[key]), key);
    }
  });

  test(`${part}/${language}.json has every plural form that the language needs`, () => {
    const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories.sort();
    for (const [key, word] of Object.entries(words)) {
      if (typeof word === 'string') assert.notEqual(word.trim(), '', key);
      else assert.deepEqual(Object.keys(word).sort(), forms, key);
    }
  });
}
