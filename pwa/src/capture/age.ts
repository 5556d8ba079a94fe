import { words } from '../i18n/words.svelte';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** "5 min temu": how long ago, in the largest unit that fits. A clock that was set back counts as now. */
export function ageInWords(ageMs: number): string {
  if (ageMs < MINUTE_MS) return words.say('sync.justNow');
  const told = new Intl.RelativeTimeFormat(words.language, { style: 'short' });
  if (ageMs < HOUR_MS) return told.format(-Math.floor(ageMs / MINUTE_MS), 'minute');
  if (ageMs < DAY_MS) return told.format(-Math.floor(ageMs / HOUR_MS), 'hour');
  return told.format(-Math.floor(ageMs / DAY_MS), 'day');
}
