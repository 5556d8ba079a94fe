import type { Campaign, Device, FieldError, FieldId, Form, SavedLead, SaveRefusal } from '../device';
import { words } from '../i18n/words.svelte';
import { type HalfTyped, HalfTypedStore, type Typed } from './half-typed';

/** How long the button says "Zapisano", unless the next person's first letter comes earlier. */
const SAVED_LABEL_MS = 2_000;
/** How long the line names who was saved. */
const SAVED_LINE_MS = 10_000;
/** A save takes a few milliseconds. Past this the disk is in trouble, and silence would look like a broken button. */
const SLOW_SAVE_MS = 400;
/** Among these are every lead that failed, and the one that a page saved in its last moment. */
const MAX_LISTED_LEADS = 1_000;

/** Order of the screen, which is the order in which errors are told. */
const FIELDS: readonly FieldId[] = ['firstName', 'lastName', 'email', 'phone'];

type Phase = 'editing' | 'saving' | 'slow' | 'saved';

/** The lead of the last tap on "Zapisz", as long as it is one tap away. */
interface LastLead {
  readonly clientId: string;
  readonly form: Form;
  readonly isTakenBack?: boolean;
  /** The disk refused the last change to it. */
  readonly hasFailed?: boolean;
}

/**
 * The lead that is being typed, from its first letter until it is on the disk.
 *
 * The form is emptied when the library says that the lead is durable, not when the button is tapped.
 * That is a few milliseconds later, so a person sees one step; but "Zapisano" is then never said
 * about something that a dying battery could still take away, and when the disk refuses there is
 * nothing to restore, because nothing was thrown away. Between the tap and the answer the form
 * takes no input (`isBusy`): a letter typed there would be neither in the saved lead nor in the next.
 */
export class Draft {
  values = $state<Record<FieldId, string>>(emptyValues());
  consents = $state.raw<string[]>([]);
  /** The broken rules that are shown. Rules that the person had no chance to keep yet are not. */
  errors = $state.raw<readonly FieldError[]>([]);
  refusal = $state.raw<SaveRefusal | null>(null);
  /** The document that the person sees. It changes between people only. */
  campaign = $state.raw<Campaign>() as Campaign;
  /** The saved lead that is in the form to be fixed. */
  fixing = $state.raw<SavedLead | null>(null);
  /** The fix began in the list of leads, and whoever ends it wants to be there again. */
  isFromList = false;
  last = $state.raw<LastLead | null>(null);
  /** What the person has cleared, as long as it is one tap away. */
  cleared = $state.raw<Typed | null>(null);
  /** Whether a store already holds the e-mail that is in the form. */
  isEmailKnown = $state(false);
  /** Counts the people at this iPad: what one of them opened is closed again for the next. */
  person = $state(0);
  #phase = $state<Phase>('editing');
  #edited = new Set<FieldId>();
  /** When each consent was ticked, and in which language its words stood there: the proof of it. */
  #grantedAt: Record<string, number> = {};
  #grantedIn: Record<string, string> = {};
  /** What a store said about the lead that is being fixed: the rules here may not know it. */
  #verdict: readonly FieldError[] = [];
  /** What was half-typed when the fix began. */
  #aside: Typed | undefined;
  #newestCampaign: Campaign;
  #isChangingLast = false;
  #labelTimer: ReturnType<typeof setTimeout> | undefined;
  #lineTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #store = new HalfTypedStore();

  constructor(readonly device: Device) {
    this.campaign = this.#newestCampaign = device.campaign;
    device.onCampaign((campaign) => {
      this.#newestCampaign = campaign;
      this.#takeCampaign();
    });
    void this.#store.find((text) => this.#resume(text));
  }

  get phase(): Phase {
    return this.#phase;
  }

  get isBusy(): boolean {
    return this.#phase === 'saving' || this.#phase === 'slow';
  }

  /** Nothing would be lost if it went away. */
  get isEmpty(): boolean {
    return !this.fixing && this.consents.length === 0 && FIELDS.every((field) => !this.values[field].trim());
  }

  /** The fix that is in the form would be lost. */
  get hasUnsavedFix(): boolean {
    const before = this.fixing?.form;
    if (!before) return false;
    const isTicked = String(before.consents) !== String(this.consents) || Object.keys(this.#grantedAt).length > 0;
    return isTicked || FIELDS.some((field) => before[field] !== this.values[field]);
  }

  get firstError(): FieldError | undefined {
    const rank = ({ field }: FieldError) => {
      const index = FIELDS.indexOf((field === 'contact' ? 'email' : field) as FieldId);
      return index < 0 ? FIELDS.length : index;
    };
    return [...this.errors].sort((a, b) => rank(a) - rank(b))[0];
  }

  errorAt(...fields: string[]): FieldError | undefined {
    return this.errors.find(({ field }) => fields.includes(field));
  }

  type(field: FieldId, value: string): void {
    this.values[field] = value;
    this.#edited.add(field);
    if (field === 'email') this.isEmailKnown = false;
    this.#changed(field, field === 'email' || field === 'phone' ? 'contact' : field);
  }

  setConsents(ids: string[]): void {
    const toggled = this.campaign.consents.filter(({ id }) => ids.includes(id) !== this.consents.includes(id));
    this.consents = ids;
    for (const { id } of toggled) {
      if (ids.includes(id)) [this.#grantedAt[id], this.#grantedIn[id]] = [Date.now(), words.language];
      else delete this.#grantedAt[id], delete this.#grantedIn[id];
    }
    this.#changed(...toggled.map(({ id }) => `consents.${id}`));
  }

  /** Judges a field that the person has left; one that was only passed through stays unjudged. */
  leave(field: FieldId): void {
    if (!this.#edited.has(field) || this.isBusy) return;
    const others = this.errors.filter((error) => error.field !== field);
    this.errors = [...others, ...this.#check().filter((error) => error.field === field)];
    if (field === 'email') void this.#askAboutEmail();
  }

  /** Saves once, however often the button is tapped. Tells whether the lead is on the disk now. */
  async save(): Promise<boolean> {
    // The second half of a double tap meets an empty form, which is no mistake of the person.
    if (this.isBusy || this.#phase === 'saved') return false;
    const form = this.#form();
    const clientId = this.fixing?.clientId;
    this.refusal = null;
    this.errors = this.#check();
    if (this.errors.length > 0) return false;

    this.#phase = 'saving';
    const slow = setTimeout(() => (this.#phase = 'slow'), SLOW_SAVE_MS);
    const result = await (clientId ? this.device.correct(clientId, form) : this.device.save(form));
    clearTimeout(slow);

    if (!result.saved) {
      this.#phase = 'editing';
      this.refusal = result.refusal;
      if (result.refusal.code === 'invalid') this.errors = result.refusal.errors;
      return false;
    }
    this.#endFix();
    this.#phase = 'saved';
    clearTimeout(this.#labelTimer);
    this.#labelTimer = setTimeout(() => this.#endSavedLabel(), SAVED_LABEL_MS);
    this.#tell({ clientId: result.clientId, form });
    return true;
  }

  /** Puts a saved lead into the form; what stands there comes back afterwards. Tells whether it could. */
  fix(clientId: string, isFromList = false): boolean {
    const lead = this.device.lead(clientId);
    if (!lead || this.isBusy) return false;
    if (!this.fixing) this.#aside = this.#typed();
    this.isFromList = isFromList;
    this.#show(lead.form);
    this.fixing = lead;
    this.#tell(null);
    const row = this.device.leads(MAX_LISTED_LEADS).find((other) => other.clientId === clientId);
    if (row?.state === 'failed') this.errors = this.#verdict = row.errors;
    this.#keep();
    return true;
  }

  /** Back to what stood in the form before; not between the tap on Save and the disk's answer. */
  endFix(): void {
    if (!this.isBusy) this.#endFix();
  }

  #endFix(): void {
    const aside = this.#aside;
    this.#aside = undefined;
    this.fixing = null;
    this.#show(aside);
    this.#takeCampaign();
    this.#keep();
  }

  /** Another person holds the iPad: nothing of the one before is left to be seen. */
  handOver(): void {
    this.#aside = undefined;
    this.isFromList = false;
    // What is being saved goes by itself, or must not be lost.
    if (this.isBusy) return;
    this.#endFix();
    this.#tell(null);
  }

  /** Throws away what is typed, and keeps it at hand for whoever did not mean to. */
  clear(): void {
    if (this.isBusy || this.fixing) return;
    const typed = this.#typed();
    this.endFix();
    this.#tell(null);
    this.cleared = typed;
  }

  /** Brings back what was cleared. */
  bringBack(): void {
    const { cleared } = this;
    if (!cleared || !this.isEmpty) return;
    this.#show(this.#asSeen(cleared));
    this.#tell(null);
    this.#keep();
  }

  /** Takes the last lead back, or brings it back. */
  async toggleLast(): Promise<void> {
    const { last, device } = this;
    if (!last || this.#isChangingLast) return;
    this.#isChangingLast = true;
    // "Zapisano" must not stand beside "Cofnięto".
    this.#endSavedLabel();
    const { clientId, form, isTakenBack } = last;
    const result = await (isTakenBack ? device.correct(clientId, form) : device.takeBack(clientId));
    this.#isChangingLast = false;
    // The next person may have been saved meanwhile: the line is theirs.
    if (this.last !== last) return;
    this.#tell(result.saved ? { clientId, form, isTakenBack: !isTakenBack } : { ...last, hasFailed: true });
  }

  /** The line stays while someone is about to use it, and begins its time anew afterwards. */
  holdLine(isHeld: boolean): void {
    clearTimeout(this.#lineTimer);
    if (!isHeld) this.#lineTimer = setTimeout(() => (this.last = this.cleared = null), SAVED_LINE_MS);
  }

  #tell(last: LastLead | null): void {
    this.last = last;
    this.cleared = null;
    this.holdLine(false);
  }

  #show(typed?: Typed): void {
    for (const field of FIELDS) this.values[field] = typed?.[field] ?? '';
    this.consents = [...(typed?.consents ?? [])];
    this.#grantedAt = { ...typed?.grantedAt };
    this.#grantedIn = { ...typed?.grantedIn };
    this.errors = this.#verdict = [];
    this.refusal = null;
    this.isEmailKnown = false;
    this.#edited.clear();
    this.#endSavedLabel();
    this.person += 1;
  }

  #endSavedLabel(): void {
    if (this.#phase === 'saved') this.#phase = 'editing';
  }

  /** While someone types, an error can only go away. */
  #changed(...fields: string[]): void {
    this.#endSavedLabel();
    this.cleared = null;
    this.#keep();
    if (this.isEmpty) this.#takeCampaign();
    if (this.errors.length === 0) return;
    const broken = this.#check();
    this.errors = this.errors.filter(
      (shown) =>
        broken.some(({ field, code }) => field === shown.field && code === shown.code) ||
        (this.#verdict.includes(shown) && !fields.includes(shown.field)),
    );
  }

  /** Never in the way: the answer, if one comes, is a note at the field. */
  async #askAboutEmail(): Promise<void> {
    const email = this.values.email.trim();
    if (!email || this.errorAt('email') || email.toLowerCase() === this.fixing?.form.email.toLowerCase()) return;
    const isKnown = await this.device.isEmailKnown(email);
    if (email === this.values.email.trim()) this.isEmailKnown = isKnown;
  }

  #takeCampaign(): void {
    if (this.isEmpty) this.campaign = this.#newestCampaign;
  }

  #keep(): void {
    const clientId = this.fixing?.clientId;
    this.#store.keep(this.isEmpty ? null : { ...this.#typed(), at: Date.now(), clientId, aside: this.#aside });
  }

  /** Takes over what another page left, unless someone types here already. */
  #resume(text: HalfTyped): boolean {
    if (!this.isEmpty) return false;
    try {
      const lead = text.clientId ? this.device.lead(text.clientId) : null;
      const typed = text.clientId && !lead ? text.aside : text;
      if (typed && !this.#isSaved(text)) {
        this.#show(this.#asSeen(typed));
        this.fixing = lead;
        this.#aside = lead && text.aside ? this.#asSeen(text.aside) : undefined;
      }
    } catch {
      // Written by another version of the app.
      return false;
    }
    this.#keep();
    return true;
  }

  /** Consents are given to the words that were on the screen. */
  #asSeen(typed: Typed): Typed {
    return typed.campaignVersion === this.campaign.version ? typed : { ...typed, consents: [] };
  }

  /** The page may have gone after the lead was on the disk, and before its text was removed. */
  #isSaved(text: HalfTyped): boolean {
    const normal = (value: string) => value.trim().toLocaleLowerCase();
    return this.device.leads(MAX_LISTED_LEADS).some(({ clientId, savedAt }) => {
      const form = savedAt >= text.at ? this.device.lead(clientId)?.form : undefined;
      // Not by the phone, which is saved in another form than it was typed in.
      return form && (['firstName', 'lastName', 'email'] as const).every((id) => normal(form[id]) === normal(text[id]));
    });
  }

  #check(): FieldError[] {
    return this.device.check(this.#form());
  }

  #typed(): Typed {
    const { consents, campaign } = this;
    // Copies: what was saved or put aside does not change with the next tick.
    const [grantedAt, grantedIn] = [{ ...this.#grantedAt }, { ...this.#grantedIn }];
    return { ...this.values, consents, grantedAt, grantedIn, campaignVersion: campaign.version };
  }

  #form(): Form {
    const form = { ...this.#typed(), language: words.language };
    const before = this.fixing?.form;
    // A fix that leaves the consents alone is judged as the lead was: nobody has agreed to a newer document.
    const isAsAgreed =
      before && String(before.consents) === String(form.consents) && Object.keys(this.#grantedAt).length === 0;
    return isAsAgreed ? { ...form, campaignVersion: before.campaignVersion } : form;
  }
}

function emptyValues(): Record<FieldId, string> {
  return { firstName: '', lastName: '', email: '', phone: '' };
}

/** "Anna N.": enough to recognise, too little to tell the next person in the queue who it was. */
export function nameOf({ firstName, lastName }: Form): string {
  const initial = [...lastName.trim()][0];
  return [firstName.trim(), initial && `${initial.toLocaleUpperCase()}.`].filter(Boolean).join('\u00a0');
}
