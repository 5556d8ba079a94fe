import { words } from '../i18n/words.svelte';

/** "1,2 GB": of files and disks, in decimal units, as systems tell it. */
export function sizeInWords(bytes: number): string {
  const [unit, value] = bytes < 1e9 ? ['megabyte', bytes / 1e6] : ['gigabyte', bytes / 1e9];
  return value.toLocaleString(words.language, { style: 'unit', unit, maximumFractionDigits: value < 10 ? 1 : 0 });
}
