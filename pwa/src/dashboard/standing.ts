import type { Device } from './report';

/**
 * What is to be said of a device. `lost`: numbers are missing here, and it has said that it holds nothing. `cutOff`: it holds
 * something and is silent. The others as in a report.
 */
export type Standing = 'lost' | 'cutOff' | Device['standing'];

/** Those that need somebody first. */
const URGENCY: readonly Standing[] = ['lost', 'cutOff', 'silent', 'behind', 'nothing', 'complete', 'retired'];

/** No dot where there is nothing to be judged. */
export const DOTS: Readonly<Record<Standing, 'red' | 'amber' | 'green' | null>> = {
  lost: 'red',
  cutOff: 'red',
  silent: 'amber',
  behind: 'amber',
  nothing: null,
  complete: 'green',
  retired: null,
};

export function standingOf(device: Device): Standing {
  if (device.left === 0 && device.missing > 0) return 'lost';
  const isOwing = owedBy(device) > 0;
  if (isSilent(device)) return isOwing ? 'cutOff' : 'silent';
  return isOwing ? 'behind' : device.standing;
}

/** Also what only a newer server says: nobody here knows. */
export function isSilent({ standing }: Device): boolean {
  return !['complete', 'behind', 'nothing', 'retired'].includes(standing);
}

export function urgencyOf(device: Device): number {
  return URGENCY.indexOf(standingOf(device));
}

/** Nothing is expected of it any more. */
export function isOut({ isRevoked, standing }: Device): boolean {
  return isRevoked || standing === 'retired';
}

/** What is not here: leads by its own word, or else numbers that are missing. */
export function owedBy({ left, missing }: Device): number {
  return left || missing;
}

/** One without a name has that of the device page. */
export function nameOf({ name, deviceId }: Device): string {
  return name ?? `iPad ${deviceId.slice(0, 8)}`;
}
