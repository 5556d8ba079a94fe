import formPl from './form/pl.json';

/**
 * Languages that the app has every word of. Texts of consents come from the campaign, not from here.
 * The form speaks Polish from the start; the other words come with the second script.
 */
const LANGUAGES = ['pl', 'en'] as const;

export type Language = (typeof LANGUAGES)[number];
/** What the first script may say. */
export type FormCatalogue = typeof formPl;

/** Words that are the same for every number. */
export type WordKey<Catalogue = FormCatalogue> = {
  [K in keyof Catalogue]: Catalogue[K] extends string ? K : never;
}[keyof Catalogue];
/** Words that change with a number, by the plural rules of the language. */
type CountedKey<Catalogue> = Exclude<keyof Catalogue, WordKey<Catalogue>>;
type Values = Record<string, string | number>;
type PluralForms = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };
type AnyCatalogue = Readonly<Record<PropertyKey, string | PluralForms>>;

export class Words<Catalogue> {
  language = $state<Language>('pl');
  #catalogues = $state.raw<Partial<Record<Language, AnyCatalogue>>>({ pl: formPl });
  readonly #catalogue = $derived(this.#catalogues[this.language] ?? {});
  readonly #plurals = $derived(new Intl.PluralRules(this.language));
  readonly #numbers = $derived(new Intl.NumberFormat(this.language));

  /** Takes over all words of all languages. */
  learn(catalogues: Record<Language, AnyCatalogue>): void {
    this.#catalogues = catalogues;
  }

  say(key: WordKey<Catalogue>, values: Values = {}): string {
    return this.#fill(this.#catalogue[key] as string, values);
  }

  /** The form of `key` for this count, with `{count}` in place. */
  count(key: CountedKey<Catalogue>, count: number, values: Values = {}): string {
    const forms = this.#catalogue[key] as PluralForms;
    return this.#fill(forms[this.#plurals.select(count)] ?? forms.other, { ...values, count });
  }

  /** The word for the first of these keys that the catalogue has. */
  firstOf(keys: string[], otherwise: WordKey<Catalogue>): string {
    const word = keys.map((key) => this.#catalogue[key]).find((found) => typeof found === 'string');
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
export const words = new Words<FormCatalogue>();

export function isSpoken(language: string): language is Language {
  return LANGUAGES.some((spoken) => spoken === language);
}

/** What a language calls itself, as a word of its own: "Polski". */
export function ownName(language: Language): string {
  const name = new Intl.DisplayNames([language], { type: 'language' }).of(language) ?? language;
  return name.charAt(0).toLocaleUpperCase(language) + name.slice(1);
}

/** The text for the current language, or for the campaign's first one where it is not translated. */
export function localized(texts: Readonly<Record<string, string>>): string {
  return bindShortWords(texts[words.language] ?? Object.values(texts)[0] ?? '');
}

/** Polish does not leave a word of one letter at the end of a line. */
function bindShortWords(text: string): string {
  return text.replaceAll(/(?<=^|\s)([aiouwz]) (?=\S)/gi, '$1\u00a0');
}
