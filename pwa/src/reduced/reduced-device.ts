/**
 * The device when its library cannot start: WASM did not arrive, or the browser forbids it.
 *
 * A Save still is one: the form is on the disk, under the id of its lead, before it resolves. What cannot be
 * done without the library is not done: no rule but the required consents is judged, nothing is
 * sent. As soon as the library starts, it takes the forms over; where it never does, the file that
 * `exportFile` makes carries them to another iPad.
 */
import shippedCampaign from '../../../domain/campaigns/shootout-2026.json?raw';
import { version } from '../../package.json';
import {
  type Campaign,
  type Device,
  DeviceError,
  type Enrolment,
  type FieldError,
  type Form,
  type LeadRow,
  type SaveResult,
  type Status,
  snapshotFile,
} from '../device';
import { type PendingForm, PendingStore } from './pending-store';
import { rememberedCampaign } from './remembered-campaign';

/** Of the pages of one profile: a form was saved or changed. */
const CHANNEL = 'leadlog-pending';
/** Where the library notes, beside its database, which installations were here, the present one last (`presence.rs`). */
const INSTALLATIONS = 'leadlog-outbox.installations';

/** Opens the device without its library. Rejects with `DeviceError` when the browser gives no storage. */
export async function openReducedDevice(): Promise<Device> {
  const device = new ReducedDevice();
  await device.open().catch(unreadable);
  return device;
}

class ReducedDevice implements Device {
  readonly mode = 'reduced';
  readonly campaign = rememberedCampaign(JSON.parse(shippedCampaign) as Campaign);
  readonly #store = new PendingStore();
  readonly #tabs = 'BroadcastChannel' in globalThis ? new BroadcastChannel(CHANNEL) : undefined;
  readonly #deviceId = installation() ?? crypto.randomUUID();
  /** As on the disk, newest first. */
  #forms: PendingForm[] = [];
  /** Taken back since the page was opened. They are on the disk no more; a correction brings them back. */
  readonly #takenBack = new Map<string, PendingForm>();
  /** A Save that failed: whether it reached the disk is not known. The same form again is the same lead. */
  #unsettled: PendingForm | undefined;
  #operator: string | null = null;
  readonly #subscribers: ((status: Status) => void)[] = [];

  async open(): Promise<void> {
    await this.#read();
    this.#operator = this.#forms[0]?.operator ?? null;
    const reread = () => void this.#read().catch(() => undefined);
    this.#tabs?.addEventListener('message', reread);
    // Midnight may have passed, and a page whose library works may have taken the forms over.
    document.addEventListener('visibilitychange', reread);
  }

  check(form: Form): FieldError[] {
    return this.campaign.consents
      .filter(({ id, required }) => required && !form.consents.includes(id))
      .map(({ id }) => ({ field: `consents.${id}`, code: 'required' }));
  }

  save(form: Form): Promise<SaveResult> {
    return this.#settle(form, async (text) => {
      const isSame = this.#unsettled && said(this.#unsettled.form) === said(text);
      const pending = isSame && this.#unsettled ? this.#unsettled : this.#newForm(text);
      this.#unsettled = pending;
      await this.#store.add(pending);
      this.#unsettled = undefined;
      navigator.storage?.persist?.().catch(() => undefined);
      return pending.clientId;
    });
  }

  correct(clientId: string, form: Form): Promise<SaveResult> {
    return this.#settle(form, async (text) => {
      const takenBack = this.#takenBack.get(clientId);
      const before = takenBack ?? this.#form(clientId);
      if (!before) return undefined;
      // Of a moment of its own, which tells it from the one that the library may have taken over meanwhile.
      const corrected = { ...before, ...moment(), form: text };
      if (takenBack) await this.#store.add(corrected);
      else if (!(await this.#store.replace(corrected))) return undefined;
      this.#takenBack.delete(clientId);
      return clientId;
    });
  }

  takeBack(clientId: string): Promise<SaveResult> {
    return this.#settle(undefined, async () => {
      const before = this.#form(clientId);
      if (!before || !(await this.#store.remove(clientId))) return undefined;
      this.#takenBack.set(clientId, before);
      return clientId;
    });
  }

  lead(clientId: string) {
    const takenBack = this.#takenBack.get(clientId);
    const found = takenBack ?? this.#form(clientId);
    return found ? { clientId, form: read(found), isTakenBack: takenBack !== undefined } : null;
  }

  leads(limit: number): LeadRow[] {
    const row = (isTakenBack: boolean) => (pending: PendingForm): LeadRow => ({
      clientId: pending.clientId,
      name: shortName(read(pending)),
      savedAt: pending.savedAt,
      state: 'pending',
      place: 'device',
      errors: [],
      isTakenBack,
      canChange: true,
    });
    const rows = [...this.#forms.filter(isReadable).map(row(false)), ...[...this.#takenBack.values()].map(row(true))];
    return rows.sort((a, b) => b.savedAt - a.savedAt).slice(0, limit);
  }

  subscribe(changed: (status: Status) => void): void {
    this.#subscribers.push(changed);
    changed(this.#status());
  }

  async sync() {
    return { sent: 0, synced: 0, failed: 0, waiting: this.#forms.length };
  }

  onEnrolment(changed: (enrolment: Enrolment) => void): void {
    changed({ state: 'unknown', deviceName: null, campaignId: null });
  }

  async isEmailKnown() {
    return false;
  }

  async state() {
    const [persisted, { usage, quota }] = await Promise.all([
      navigator.storage?.persisted?.() ?? null,
      navigator.storage?.estimate?.() ?? ({} as StorageEstimate),
    ]);
    return {
      deviceId: this.#deviceId,
      version,
      operator: this.#operator,
      persisted,
      usage: usage ?? null,
      quota: quota ?? null,
      lost: [],
      lastContactAt: null,
      lastBackupAt: null,
    };
  }

  /** Without the library no session is kept; the name is. */
  signIn = (name: string): Promise<void> => this.handOver(name);

  async handOver(operator: string): Promise<void> {
    this.#operator = operator.trim() || null;
  }

  async exportFile(): Promise<File> {
    const snapshot = {
      // As the library writes it (`snapshot.rs`).
      format: 'leadlog-snapshot',
      v: 1,
      deviceId: this.#deviceId,
      savedThrough: null,
      takenAt: Date.now(),
      // The outbox belongs to the library, and these forms are no entries before it has made them so.
      records: { entries: [] },
      pendingForms: await this.#store.all().catch(unreadable),
    };
    return snapshotFile(JSON.stringify(snapshot));
  }

  connect = unavailable;
  backups = unavailable;
  restore = unavailable;
  importFile = unavailable;

  /** Nothing comes from a server, and nothing is known of another installation. */
  onCampaign(): void {}
  putLossAside(): void {}

  /** Does something with the disk, and tells what came of it. `undefined`: the lead is not here to be changed. */
  async #settle(form: Form | undefined, act: (text: string) => Promise<string | undefined>): Promise<SaveResult> {
    const errors = form ? this.check(form) : [];
    if (errors.length > 0) return { saved: false, refusal: { code: 'invalid', errors } };
    try {
      const clientId = await act(JSON.stringify(form));
      // What was written stands on the disk, whether or not the list can be read afresh.
      await this.#read().catch(() => undefined);
      this.#tabs?.postMessage(null);
      if (clientId) return { saved: true, clientId };
      return { saved: false, refusal: { code: 'invalid', errors: [{ field: 'version', code: 'malformed' }] } };
    } catch (reason) {
      return { saved: false, refusal: { code: 'storage', message: String(reason) } };
    }
  }

  async #read(): Promise<void> {
    this.#forms = (await this.#store.all()).sort((a, b) => b.savedAt - a.savedAt);
    for (const tell of this.#subscribers) tell(this.#status());
  }

  #form(clientId: string): PendingForm | undefined {
    return this.#forms.filter(isReadable).find((form) => form.clientId === clientId);
  }

  #newForm(form: string): PendingForm {
    const now = moment();
    return {
      v: 1,
      clientId: newClientId(now.savedAt),
      ...now,
      form,
      ...(this.#operator && { operator: this.#operator }),
    };
  }

  /** Never green: what is in the outbox is not known. */
  #status(): Status {
    const midnight = new Date().setHours(0, 0, 0, 0);
    const waiting = this.#forms.length;
    return {
      state: 'amber',
      waiting,
      oldestSavedAt: this.#forms.at(-1)?.savedAt ?? null,
      failed: 0,
      missing: 0,
      places: { device: waiting, hub: 0, cloud: 0 },
      reachable: null,
      reach: null,
      session: 'none',
      savedToday: this.#forms.filter(({ savedAt }) => savedAt >= midnight).length,
    };
  }
}

/** What a later version of the app has written is counted, and left alone. */
function isReadable({ v }: PendingForm): boolean {
  return v === 1;
}

function read({ form }: PendingForm): Form {
  return JSON.parse(form) as Form;
}

/** What a person said, without when and in which language it was ticked: to tick again after a failed Save is the same wish. */
function said(form: string): string {
  const { firstName, lastName, email, phone, consents, campaignVersion } = JSON.parse(form) as Form;
  return JSON.stringify([firstName, lastName, email, phone, consents, campaignVersion]);
}

/** "Anna N." */
function shortName({ firstName, lastName }: Form): string {
  const [initial] = lastName.trim();
  return [firstName.trim(), initial && `${initial}.`].filter(Boolean).join(' ');
}

function moment() {
  const now = new Date();
  return { savedAt: now.getTime(), offsetMinutes: 0 - now.getTimezoneOffset() };
}

/** A UUID v7: time, then randomness. */
function newClientId(now: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(10));
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const time = Math.max(0, now).toString(16).padStart(12, '0').slice(-12);
  const variant = '89ab'.charAt((bytes[9] ?? 0) % 4);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex.slice(0, 3)}-${variant}${hex.slice(3, 6)}-${hex.slice(6, 18)}`;
}

/** The name of the installation whose outbox is on this iPad, if it has saved anything. */
function installation(): string | undefined {
  try {
    return JSON.parse(localStorage.getItem(INSTALLATIONS) ?? '[]').at(-1)?.deviceId;
  } catch {
    return undefined;
  }
}

function unreadable(reason: unknown): never {
  throw new DeviceError('storage', String(reason));
}

async function unavailable(): Promise<never> {
  throw new DeviceError('unreachable', 'not without the device library');
}
