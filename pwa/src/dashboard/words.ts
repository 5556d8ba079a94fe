import formEn from '../i18n/form/en.json';
import formPl from '../i18n/form/pl.json';
import { type FormCatalogue, words as formWords, type Words } from '../i18n/words.svelte';
import en from './words/en.json';
import pl from './words/pl.json';

// With the form's words, because some of its parts speak here, too: ages.
formWords.learn({ pl: { ...formPl, ...pl }, en: { ...formEn, ...en } });

/** Every word of the dashboard. */
export const words = formWords as unknown as Words<FormCatalogue & typeof pl>;
