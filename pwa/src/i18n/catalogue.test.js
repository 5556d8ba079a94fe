// Every language says everything: the same keys, the same placeholders, its own plural forms.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const folder = new URL('.', import.meta.url);
const catalogues = readdirSync(folder)
  .filter((file) => file.endsWith('.json'))
  .map((file) => ({
    language: file.replace('.json', ''),
    words: JSON.parse(readFileSync(new URL(file, folder), 'utf8')),
  }));
const reference = catalogues.find(({ language }) => language === 'pl');

const placeholders = (word) =>
  [...new Set(Object.values(typeof word === 'string' ? { word } : word).flatMap((text) => text.match(/\{\w+\}/g) ?? []))].sort();

for (const { language, words } of catalogues) {
  test(`${language}.json has the keys of pl.json, each with its placeholders`, () => {
    assert.deepEqual(Object.keys(words).sort(), Object.keys(reference.words).sort());
    for (const [key, word] of Object.entries(words)) {
      assert.deepEqual(placeholders(word), placeholders(reference.words[key]), key);
    }
  });

  test(`${language}.json has every plural form that the language needs`, () => {
    const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories.sort();
    for (const [key, word] of Object.entries(words)) {
      if (typeof word === 'string') assert.notEqual(word.trim(), '', key);
      else assert.deepEqual(Object.keys(word).sort(), forms, key);
    }
  });
}
