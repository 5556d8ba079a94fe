import type { FieldError } from '../device';
import { words } from '../i18n/words.svelte';

/** A broken rule in words: the most particular words that the catalogue has for it. */
export function errorWords({ field, code }: FieldError): string {
  const [group] = field.split('.');
  return words.firstOf([`error.${code}.${field}`, `error.${code}.${group}`, `error.${code}`], 'error.unknown');
}
