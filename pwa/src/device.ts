/**
 * The device library (Rust, compiled to WASM) as the screens see it: the same calls, with values
 * instead of the JSON text that crosses the boundary. It knows the rules, the outbox and the network;
 * nothing on this side decides whether a lead is valid or when it is sent.
 */
import init, { Leadlog } from 'leadlog-client';
import shippedCampaign from '../../domain/campaigns/shootout-2026.json?raw';

/** Text by language code. */
export type Localized = Readonly<Record<string, string>>;

export type FieldId = 'firstName' | 'lastName' | 'email' | 'phone';

export interface Consent {
  readonly id: string;
  readonly required: boolean;
  readonly textVersion: number;
  readonly text: Localized;
  readonly detail: Localized;
}

export interface Campaign {
  readonly id: string;
  readonly version: number;
  readonly name: Localized;
  readonly timeZone: string;
  readonly languages: readonly string[];
  readonly fields: readonly { readonly id: FieldId; readonly required: boolean }[];
  readonly consents: readonly Consent[];
}

/**
 * What one person said. `consents` holds the ids that were ticked; `grantedAt` when (milliseconds since 1970) and
 * `grantedIn` in which language, by id; `language` is that of the screen now. `campaignVersion` is the version of the
 * document that the person saw, by whose rules the form is judged.
 */
export type Form = Record<FieldId, string> & {
  consents: string[];
  grantedAt?: Readonly<Record<string, number>>;
  grantedIn?: Readonly<Record<string, string>>;
  language: string;
  campaignVersion: number;
};

/** One broken rule. `field` is a field id, `contact` (e-mail or phone), `consents.<id>`, or `version`. */
export interface FieldError {
  readonly field: string;
  readonly code: string;
}

export interface Status {
  readonly state: 'green' | 'amber' | 'red';
  /** Leads that the cloud has not yet in their newest version. */
  readonly waiting: number;
  /** Milliseconds since 1970, of the oldest that waits. */
  readonly oldestSavedAt: number | null;
  readonly failed: number;
  /** Entries of an installation whose storage is gone, unless the person has put the matter aside. */
  readonly missing: number;
  readonly places: { readonly device: number; readonly hub: number; readonly cloud: number };
  /** Whether a server took part in the last try to sync; `null` before the first. */
  readonly reachable: boolean | null;
  /** The best that can be reached, without flapping; `null` before that is known. */
  readonly reach: 'cloud' | 'hub' | 'solo' | null;
  /** How the session of the person who holds the device stands. Nothing waits for it. */
  readonly session: 'none' | 'valid' | 'grace' | 'reconnect';
  readonly savedToday: number;
}

/** Why a save did not happen. After `storage` it is not known; saving the same form again is the same lead. */
export type SaveRefusal = { code: 'invalid'; errors: FieldError[] } | { code: 'storage'; message: string };

export type SaveResult = { saved: true; clientId: string } | { saved: false; refusal: SaveRefusal };

/** One lead of this device, as a list shows it: nothing that the next person in the queue may not see. */
export interface LeadRow {
  readonly clientId: string;
  /** First name and initial. Empty when the personal data is gone from this device. */
  readonly name: string;
  /** Milliseconds since 1970, of the newest version. */
  readonly savedAt: number;
  /** `failed` wants a person. */
  readonly state: 'pending' | 'syncing' | 'synced' | 'failed';
  /** Where its newest version is safe. */
  readonly place: 'device' | 'hub' | 'cloud';
  /** The reasons of a refusal. */
  readonly errors: readonly FieldError[];
  /** A hostess has taken it back. */
  readonly isTakenBack: boolean;
  /** Whether it can be fixed or taken back here: its data is still on this device. */
  readonly canChange: boolean;
}

/** What stands in the form of a saved lead. */
export interface SavedLead {
  readonly clientId: string;
  readonly form: Form;
  readonly isTakenBack: boolean;
}

export interface SyncSummary {
  readonly sent: number;
  readonly synced: number;
  readonly failed: number;
  readonly waiting: number;
}

/** An installation whose storage is gone. It had saved so many entries, and so many of them are not back. */
export interface LostInstallation {
  readonly deviceId: string;
  readonly savedThrough: number;
  readonly missing: number;
}

/** What a person may want to know about this iPad. */
export interface DeviceState {
  readonly deviceId: string;
  readonly version: string;
  /** Who captures leads; stands in each of them. */
  readonly operator: string | null;
  /** Whether the browser has promised not to evict the outbox; `null` when it does not say. */
  readonly persisted: boolean | null;
  /** Bytes; `null` when the browser does not say. */
  readonly usage: number | null;
  readonly quota: number | null;
  /** Installations that were on this iPad, and whose storage is gone, unless the person has put the matter aside. */
  readonly lost: readonly LostInstallation[];
  /** Milliseconds since 1970; `null` when there was none since the app was opened. */
  readonly lastContactAt: number | null;
  readonly lastBackupAt: number | null;
}

/** One version of the whole outbox of an installation, as the server keeps it. */
export interface Backup {
  readonly deviceId: string;
  readonly version: number;
  /** RFC 3339. */
  readonly receivedAt: string;
  readonly takenAt: string;
  readonly leads: number;
  readonly entries: number;
  readonly savedThrough: number | null;
  readonly bytes: number;
  readonly operators: readonly string[];
}

/** What came of taking leads in: `restored` are new here or newer, `known` were here; `unreadable` records were passed over. */
export interface RestoreSummary {
  readonly restored: number;
  readonly known: number;
  readonly unreadable: number;
}

/** Whether the server takes leads from this iPad. A Save never asks for it. */
export interface Enrolment {
  /**
   * `unknown`: no server has said yet. `none`: it was never connected. `refused`: the server does not know it any more.
   * `revoked`: the organizer has shut it out; what it holds can be handed in, and is checked before it counts.
   */
  readonly state: 'unknown' | 'none' | 'connected' | 'refused' | 'revoked';
  /** As the organizer calls it; `null` unless it was connected. */
  readonly deviceName: string | null;
  readonly campaignId: string | null;
}

/** Whether nothing that this iPad sends counts until somebody connects it. */
export function isUnconnected(enrolment: Enrolment | null): boolean {
  return enrolment !== null && ['none', 'refused', 'revoked'].includes(enrolment.state);
}

/**
 * Why something that needs a server, a file or a code did not work: words for a person are the screen's affair.
 * `code`: mistyped, used or expired. `busy`: too many tries, some seconds help. `insecure`: the page came over plain HTTP.
 */
export class DeviceError extends Error {
  constructor(
    readonly code: 'unreachable' | 'unreadable' | 'storage' | 'code' | 'busy' | 'insecure',
    message: string,
  ) {
    super(message);
  }
}

export interface Device {
  /** `reduced`: the library could not start; forms are kept, and judged and sent later. */
  readonly mode: 'full' | 'reduced';
  /** The newest campaign document that this device holds. */
  readonly campaign: Campaign;
  /** Called when a newer document has come; a form with text in it stays with the one it was begun under. */
  onCampaign(changed: (campaign: Campaign) => void): void;
  /** Every broken rule of the whole form, by the same Rust rules that the server runs. */
  check(form: Form): FieldError[];
  /** Resolves when the lead is durable on this device, or was refused. Never rejects. */
  save(form: Form): Promise<SaveResult>;
  /** The next version of a saved lead; `refusal` as for `save`. */
  correct(clientId: string, form: Form): Promise<SaveResult>;
  /** Takes a saved lead back; a correction brings it back. */
  takeBack(clientId: string): Promise<SaveResult>;
  /** The newest version of a lead; `null` when its data is not on this device any more. */
  lead(clientId: string): SavedLead | null;
  /** Leads of this device: those that failed first, then newest first; at most `limit`. */
  leads(limit: number): LeadRow[];
  /** Called at once and after every change. */
  subscribe(changed: (status: Status) => void): void;
  /** Sends what waits, because a person asked. */
  sync(): Promise<SyncSummary>;
  /** Called at once and after every change. */
  onEnrolment(changed: (enrolment: Enrolment) => void): void;
  /** Connects this iPad with the organizer's one-time code, in place of what it was before. Rejects with `DeviceError`. */
  connect(code: string): Promise<Enrolment>;
  /** Whether a store already holds this e-mail; `false` when nobody answers in time. Never rejects. */
  isEmailKnown(email: string): Promise<boolean>;
  state(): Promise<DeviceState>;
  /** Somebody has signed in, for so many seconds, and captures from here on. Rejects with `DeviceError`. */
  signIn(name: string, expiresIn: number): Promise<void>;
  /** Another person captures from here on. Empty: nobody is named. Whoever was signed in is so no more. */
  handOver(operator: string): Promise<void>;
  /** Rejects with `DeviceError`. */
  backups(): Promise<Backup[]>;
  /** Takes the leads of a backup into this outbox. Harmless when repeated. Rejects with `DeviceError`. */
  restore(backup: Pick<Backup, 'deviceId' | 'version'>): Promise<RestoreSummary>;
  /** The person knows that storage of earlier installations is gone, and need not be told again. */
  putLossAside(): void;
  /** The whole outbox as a file. Rejects with `DeviceError`. */
  exportFile(): Promise<File>;
  /** Takes the leads of such a file into this outbox. Harmless when repeated. Rejects with `DeviceError`. */
  importFile(file: Blob): Promise<RestoreSummary>;
}

/** Longest time that a link with another campaign may hold up the start. */
const CAMPAIGN_TIMEOUT_MS = 5_000;

/**
 * Loads the library, opens this device's outbox and starts its engine. Rejects when WASM cannot run
 * or the browser gives no storage. `?campaign=ID` in the address chooses a campaign, once and for all.
 */
export async function openDevice(serverUrl: string): Promise<Device> {
  await init();
  const library = await Leadlog.open(serverUrl, shippedCampaign);
  await chooseCampaign(library);
  return new FullDevice(library);
}

async function chooseCampaign(library: Leadlog): Promise<void> {
  const wanted = new URLSearchParams(location.search).get('campaign');
  if (!wanted || JSON.parse(library.campaign()).id === wanted) return;
  const late = new Promise<boolean>((resolve) => setTimeout(resolve, CAMPAIGN_TIMEOUT_MS, false));
  if (await Promise.race([library.useCampaign(wanted), late])) history.replaceState(null, '', location.pathname + location.hash);
}

class FullDevice implements Device {
  readonly mode = 'full';

  constructor(private readonly library: Leadlog) {}

  get campaign(): Campaign {
    return JSON.parse(this.library.campaign());
  }

  onCampaign(changed: (campaign: Campaign) => void): void {
    this.library.onCampaign((document: string) => changed(JSON.parse(document)));
  }

  check(form: Form): FieldError[] {
    try {
      return JSON.parse(this.library.check(JSON.stringify(form)));
    } catch (reason) {
      // A trap in WASM must not block the way to `save`, which judges too and tells the person.
      console.error('The form could not be checked:', reason);
      return [];
    }
  }

  save = (form: Form) => saved(() => this.library.save(JSON.stringify(form)));
  correct = (clientId: string, form: Form) => saved(() => this.library.correct(clientId, JSON.stringify(form)));
  takeBack = (clientId: string) => saved(() => this.library.takeBack(clientId));

  lead(clientId: string): SavedLead | null {
    const text = this.library.lead(clientId);
    if (!text) return null;
    const { contact, consents = [], language, campaignVersion, ...lead } = JSON.parse(text);
    return { ...lead, form: { ...contact, consents, language, campaignVersion } };
  }

  leads = (limit: number): LeadRow[] => JSON.parse(this.library.leads(limit)).leads ?? [];
  subscribe = (changed: (status: Status) => void) =>
    this.library.subscribe((status: string) => changed(JSON.parse(status)));
  sync = async (): Promise<SyncSummary> => JSON.parse(await this.library.sync());
  onEnrolment = (changed: (enrolment: Enrolment) => void) =>
    this.library.onEnrolment((enrolment: string) => changed(JSON.parse(enrolment)));
  connect = async (code: string): Promise<Enrolment> => JSON.parse(await tried(() => this.library.enrol(code)));
  isEmailKnown = (email: string) => this.library.isEmailKnown(email).catch(() => false);

  async state(): Promise<DeviceState> {
    const { storage, ...state } = JSON.parse(await this.library.state());
    return { persisted: null, usage: null, quota: null, ...storage, ...state };
  }

  // What does not fit its 32 bits is as good as for ever.
  signIn = (name: string, expiresIn: number) => tried(() => this.library.handOver(name, Math.min(expiresIn, 2 ** 32 - 1)));
  handOver = (operator: string) => tried(() => this.library.handOver(operator));
  backups = async (): Promise<Backup[]> => JSON.parse(await tried(() => this.library.backups())).backups;
  restore = async ({ deviceId, version }: Pick<Backup, 'deviceId' | 'version'>): Promise<RestoreSummary> =>
    JSON.parse(await tried(() => this.library.restoreBackup(deviceId, version)));
  putLossAside = () => this.library.putLossAside();

  async exportFile(): Promise<File> {
    return snapshotFile(await tried(() => this.library.snapshot()));
  }

  importFile = async (file: Blob): Promise<RestoreSummary> => {
    const document = await file.text();
    return JSON.parse(await tried(() => this.library.restore(document)));
  };
}

/** A snapshot as a file, named by the installation and the day. */
export function snapshotFile(document: string): File {
  const deviceId = /"deviceId":"([^"]{1,8})/.exec(document)?.[1] ?? '';
  const name = `leadlog-${deviceId}-${new Date().toISOString().slice(0, 10)}.json`;
  return new File([document], name, { type: 'application/json' });
}

async function saved(act: () => Promise<string>): Promise<SaveResult> {
  try {
    return { saved: true, clientId: JSON.parse(await act()).clientId };
  } catch (reason) {
    return { saved: false, refusal: readRefusal(reason) };
  }
}

async function tried<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (reason) {
    const { code = 'storage', message = String(reason) } = read(reason) ?? {};
    throw new DeviceError(code, message);
  }
}

/** Anything that is not a verdict about the form (a trap in WASM too) means: it may not be stored. */
function readRefusal(reason: unknown): SaveRefusal {
  const refusal = read(reason);
  if (refusal?.code === 'invalid' || refusal?.code === 'storage') return refusal;
  return { code: 'storage', message: String(reason) };
}

/** What the library rejects with is JSON; whatever else comes is only a text to be told. */
function read(reason: unknown): any {
  try {
    return typeof reason === 'string' ? JSON.parse(reason) : undefined;
  } catch {
    return undefined;
  }
}
