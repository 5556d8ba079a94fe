import { words } from '../i18n/words.svelte';

const MINUTE_S = 60;
const HOUR_S = 60 * MINUTE_S;

/** "15 min": in the largest unit that fits. */
export function durationInWords(seconds: number): string {
  const [unit, value] =
    seconds < MINUTE_S ? ['second', seconds] : seconds < HOUR_S ? ['minute', seconds / MINUTE_S] : ['hour', seconds / HOUR_S];
  return value.toLocaleString(words.language, { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: unit === 'hour' ? 1 : 0 });
}
