import en from './en.json';
import pl from './pl.json';

/** Every word of the app, by language. Texts of consents come from the campaign, not from here. */
const catalogues = { pl, en };

export type Language = keyof typeof catalogues;
type Catalogue = typeof pl;

/** Words that are the same for every number. */
export type WordKey = { [K in keyof Catalogue]: Catalogue[K] extends string ? K : never }[keyof Catalogue];
/** Words that change with a number, by the plural rules of the language. */
export type CountedKey = Exclude<keyof Catalogue, WordKey>;
type Values = Record<string, string | number>;

class Words {
  language = $state<Language>('pl');
  readonly #plurals = $derived(new Intl.PluralRules(this.language));
  readonly #numbers = $derived(new Intl.NumberFormat(this.language));

  say(key: WordKey, values: Values = {}): string {
    return this.#fill(catalogues[this.language][key], values);
  }

  /** The form of `key` for this count, with `{count}` in place. */
  count(key: CountedKey, count: number): string {
    const forms: Partial<Record<Intl.LDMLPluralRule, string>> & { other: string } = catalogues[this.language][key];
    return this.#fill(forms[this.#plurals.select(count)] ?? forms.other, { count });
  }

  /** The word for the first of these keys that the catalogue has. */
  firstOf(keys: string[], otherwise: WordKey): string {
    const words: Record<string, unknown> = catalogues[this.language];
    const word = keys.map((key) => words[key]).find((found) => typeof found === 'string');
    return word ?? this.say(otherwise);
  }

  #fill(text: string, values: Values): string {
    return text.replaceAll(/\{(\w+)\}/g, (placeholder, name: string) => {
      const value = values[name];
      return typeof value === 'number' ? this.#numbers.format(value) : (value ?? placeholder);
    });
  }
}

/** The words of the language that the screen speaks at the moment. */
export const words = new Words();

export function isSpoken(language: string): language is Language {
  return language in catalogues;
}

/** What a language calls itself. */
export function ownName(language: Language): string {
  return catalogues[language]['language.name'];
}

/** The text for the current language, or for the campaign's first one where it is not translated. */
export function localized(texts: Readonly<Record<string, string>>): string {
  return bindShortWords(texts[words.language] ?? Object.values(texts)[0] ?? '');
}

/** Polish does not leave a word of one letter at the end of a line. */
function bindShortWords(text: string): string {
  return text.replaceAll(/(?<=^|\s)([aiouwz]) (?=\S)/gi, '$1\u00a0');
}
