import { words } from '../i18n/words.svelte';

/** "14:03" of today, "23 lis, 14:03" of any other day. */
export function momentInWords(ms: number, now: number): string {
  const moment = new Date(ms);
  const isToday = moment.toDateString() === new Date(now).toDateString();
  return moment.toLocaleString(words.language, {
    ...(isToday ? {} : { day: 'numeric', month: 'short' }),
    hour: '2-digit',
    minute: '2-digit',
  });
}
