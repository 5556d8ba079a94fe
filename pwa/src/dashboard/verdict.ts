import type { Device, Report, Trouble } from './report';
import { DOTS, isOut, isSilent, owedBy, standingOf } from './standing';

type Dot = 'green' | 'amber' | 'red';

/** One thing that is so, to be said in one sentence. */
export type Finding =
  /** The server is not heard. */
  | { readonly code: 'lost' }
  /** Leads are on the hub and not in the cloud. */
  | { readonly code: 'waiting'; readonly count: number; readonly since: string | undefined }
  /** Something is not here; nobody holds it, or these devices do. */
  | { readonly code: 'missing' | 'holding'; readonly devices: readonly Device[]; readonly count: number }
  /** Nobody knows what these hold: not heard for a while, or never. */
  | { readonly code: 'silent' | 'unheard'; readonly devices: readonly Device[] }
  | { readonly code: 'trouble'; readonly trouble: Trouble }
  /** Alarms, and nothing else to begin with. */
  | { readonly code: 'alarms' }
  /** Everything is in its place; everything of which one knows; there was nothing yet. */
  | { readonly code: 'done' | 'known' | 'empty' };

export interface Verdict {
  readonly dot: Dot;
  /** The first one is what to know first. */
  readonly findings: readonly [Finding, ...Finding[]];
}

/** A device whose app is open says something every minute, however slow the network. */
const SPEAKS_WITHIN_MS = 90_000;

/** What does not pass by itself. */
const NEEDS_SOMEBODY: readonly string[] = ['not-let-in', 'no-code', 'own-database', 'not-a-cloud'];

export function dotOfTrouble({ code }: Trouble): Dot {
  return NEEDS_SOMEBODY.includes(code) ? 'red' : 'amber';
}

/** Whether everything is where it should be, or what is not. Silence is never taken for completeness (invariant 9). */
export function verdictOf({ at, alarms, devices, leads, relay }: Report, isLost: boolean): Verdict {
  const missing = devices.filter((device) => standingOf(device) === 'lost');
  const holding = devices.filter((device) => owedBy(device) > 0 && !missing.includes(device));
  // Of the others only what they are known to hold counts.
  const expected = devices.filter((device) => !isOut(device));
  const silent = expected.filter(isSilent);
  const unheard = expected.filter((device) => standingOf(device) === 'nothing');
  const waiting = relay?.waiting ?? 0;
  const trouble = relay?.trouble;

  const wrong: Finding[] = [];
  if (missing.length > 0) wrong.push({ code: 'missing', devices: missing, count: sum(missing) });
  if (waiting > 0) wrong.push({ code: 'waiting', count: waiting, since: relay?.oldestWaitingAt });
  if (holding.length > 0) wrong.push({ code: 'holding', devices: holding, count: sum(holding) });
  const isAllHere = wrong.length === 0;
  if (silent.length > 0) wrong.push({ code: 'silent', devices: silent });
  if (trouble) wrong.push({ code: 'trouble', trouble });
  if (wrong.length === 0 && alarms.length > 0) wrong.push({ code: 'alarms' });

  const right: Finding[] = [];
  // What was so when the server was last heard is no comfort now, nor what a device has said that should have spoken since.
  const isOverdue = ({ heardAt }: Device) => heardAt !== undefined && Date.parse(at) - Date.parse(heardAt) > SPEAKS_WITHIN_MS;
  const isUnsure = expected.some(isOverdue) || silent.length > 0 || unheard.length > 0 || devices.some((device) => isOut(device) && device.left === undefined);
  if (isAllHere && !isLost) right.push({ code: leads.total === 0 ? 'empty' : isUnsure ? 'known' : 'done' });
  if (unheard.length > 0) right.push({ code: 'unheard', devices: unheard });

  const found = [...wrong, ...right];
  const [first = { code: 'lost' } as const, ...rest] = isLost ? [{ code: 'lost' } as const, ...found] : found;
  const isUrgent = alarms.length > 0 || (trouble && dotOfTrouble(trouble) === 'red') || devices.some((device) => DOTS[standingOf(device)] === 'red');
  // A red one might have been seen to since.
  const dot = isLost ? 'amber' : isUrgent ? 'red' : wrong.length > 0 ? 'amber' : 'green';
  return { dot, findings: [first, ...rest] };
}

function sum(devices: readonly Device[]): number {
  return devices.reduce((owed, device) => owed + owedBy(device), 0);
}
