import formEn from './form/en.json';
import formPl from './form/pl.json';
import screensEn from './screens/en.json';
import screensPl from './screens/pl.json';
import { type FormCatalogue, words as formWords, type Words } from './words.svelte';

/** Every word of the app, by language. */
export const catalogues = { pl: { ...formPl, ...screensPl }, en: { ...formEn, ...screensEn } };

/** The same words, for screens that come when all of them are here. */
export const words = formWords as unknown as Words<FormCatalogue & typeof screensPl>;
