import { DeviceError, type RestoreSummary } from '../device';
import { words } from '../i18n/all-words';

/** What came of taking records in: one sentence for each kind, or what went wrong. */
export async function outcomeOf(work: Promise<RestoreSummary>): Promise<string> {
  try {
    const { restored, known, unreadable } = await work;
    return [
      words.count('restore.restored', restored),
      known > 0 && words.count('restore.known', known),
      unreadable > 0 && words.count('restore.unreadable', unreadable),
    ]
      .filter(Boolean)
      .join(' ');
  } catch (reason) {
    return failureWords(reason);
  }
}

export function failureWords(reason: unknown): string {
  return words.say(`device.error.${reason instanceof DeviceError ? reason.code : 'storage'}`);
}
