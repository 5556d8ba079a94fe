import type { Device } from './report';
import { isOut, nameOf, owedBy, urgencyOf } from './standing';

export const COLUMNS = ['standing', 'name', 'leads', 'owed', 'heard', 'storage', 'version'] as const;

export type Column = (typeof COLUMNS)[number];

export interface Order {
  readonly by: Column;
  readonly isDescending: boolean;
}

/** What is absent is the least: never heard is longest ago, and storage of which nothing is known lies between. */
const VALUES: Readonly<Record<Exclude<Column, 'name' | 'version'>, (device: Device) => number>> = {
  standing: urgencyOf,
  leads: (device) => device.leads,
  owed: owedBy,
  heard: (device) => (device.heardAt === undefined ? 0 : Date.parse(device.heardAt)),
  storage: ({ isStoragePersisted }) => (isStoragePersisted === undefined ? 0.5 : Number(isStoragePersisted)),
};

/** The order that a column has when it is chosen: what one looks for comes first. */
export function orderBy(by: Column): Order {
  return { by, isDescending: by === 'leads' || by === 'owed' };
}

/** Those of which nothing is expected any more are last in every order, and names decide between equals. */
export function inOrder(devices: readonly Device[], { by, isDescending }: Order, language: string): Device[] {
  const { compare } = new Intl.Collator(language, { numeric: true });
  const byName = (one: Device, other: Device) => compare(nameOf(one), nameOf(other));
  const byColumn = (one: Device, other: Device) => {
    if (by === 'name') return byName(one, other);
    if (by === 'version') return compare(one.appVersion ?? '', other.appVersion ?? '');
    return VALUES[by](one) - VALUES[by](other);
  };
  return [...devices].sort(
    (one, other) =>
      Number(isOut(one)) - Number(isOut(other)) ||
      (isDescending ? -1 : 1) * byColumn(one, other) ||
      byName(one, other) ||
      compare(one.deviceId, other.deviceId),
  );
}

/** Names that several devices have: an iPad whose storage was cleared comes back under its name as another one. */
export function sharedNames(devices: readonly Device[]): ReadonlySet<string> {
  const names = devices.map(nameOf);
  return new Set(names.filter((name, index) => names.indexOf(name) !== index));
}
