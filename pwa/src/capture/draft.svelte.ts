import type { Device, FieldError, FieldId, Form, SaveRefusal } from '../device';
import { words } from '../i18n/words.svelte';

/** How long the button says "Zapisano", unless the next person's first letter comes earlier. */
const SAVED_LABEL_MS = 2_000;
/** How long the line names who was saved. */
const SAVED_LINE_MS = 10_000;
/** A save takes a few milliseconds. Past this the disk is in trouble, and silence would look like a broken button. */
const SLOW_SAVE_MS = 400;

/** Order of the screen, which is the order in which errors are told. */
const FIELDS: readonly FieldId[] = ['firstName', 'lastName', 'email', 'phone'];

type Phase = 'editing' | 'saving' | 'slow' | 'saved';

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
  consents = $state<string[]>([]);
  /** The broken rules that are shown. Rules that the person had no chance to keep yet are not. */
  errors = $state<FieldError[]>([]);
  refusal = $state<SaveRefusal | null>(null);
  /** First name and initial of the last lead saved. */
  savedName = $state<string | null>(null);
  /** Counts the people at this iPad: what one of them opened is closed again for the next. */
  person = $state(0);
  #phase = $state<Phase>('editing');
  #edited = new Set<FieldId>();
  #labelTimer: ReturnType<typeof setTimeout> | undefined;
  #lineTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly device: Device) {}

  get phase(): Phase {
    return this.#phase;
  }

  get isBusy(): boolean {
    return this.#phase === 'saving' || this.#phase === 'slow';
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
    this.#changed();
  }

  setConsents(ids: string[]): void {
    this.consents = ids;
    this.#changed();
  }

  /** Judges a field that the person has left; one that was only passed through stays unjudged. */
  leave(field: FieldId): void {
    if (!this.#edited.has(field) || this.isBusy) return;
    const others = this.errors.filter((error) => error.field !== field);
    this.errors = [...others, ...this.#check().filter((error) => error.field === field)];
  }

  /** Saves once, however often the button is tapped. Tells whether the lead is on the disk now. */
  async save(): Promise<boolean> {
    // The second half of a double tap meets an empty form, which is no mistake of the person.
    if (this.isBusy || this.#phase === 'saved') return false;
    const form = this.#form();
    this.refusal = null;
    this.errors = this.#check();
    if (this.errors.length > 0) return false;

    this.#phase = 'saving';
    const slow = setTimeout(() => (this.#phase = 'slow'), SLOW_SAVE_MS);
    const result = await this.device.save(form);
    clearTimeout(slow);

    if (!result.saved) {
      this.#phase = 'editing';
      this.refusal = result.refusal;
      if (result.refusal.code === 'invalid') this.errors = result.refusal.errors;
      return false;
    }
    this.#begin(nameOf(form));
    return true;
  }

  #begin(savedName: string): void {
    this.values = emptyValues();
    this.consents = [];
    this.errors = [];
    this.#edited.clear();
    this.person += 1;
    this.#phase = 'saved';
    this.savedName = savedName;
    clearTimeout(this.#labelTimer);
    clearTimeout(this.#lineTimer);
    this.#labelTimer = setTimeout(() => this.#endSavedLabel(), SAVED_LABEL_MS);
    this.#lineTimer = setTimeout(() => (this.savedName = null), SAVED_LINE_MS);
  }

  #endSavedLabel(): void {
    if (this.#phase === 'saved') this.#phase = 'editing';
  }

  /** While someone types, an error can only go away. */
  #changed(): void {
    this.#endSavedLabel();
    if (this.errors.length === 0) return;
    const broken = this.#check();
    this.errors = this.errors.filter((shown) =>
      broken.some(({ field, code }) => field === shown.field && code === shown.code),
    );
  }

  #check(): FieldError[] {
    return this.device.check(this.#form());
  }

  #form(): Form {
    return { ...this.values, consents: [...this.consents], language: words.language };
  }
}

function emptyValues(): Record<FieldId, string> {
  return { firstName: '', lastName: '', email: '', phone: '' };
}

/** "Anna N.": enough to recognise, too little to tell the next person in the queue who it was. */
function nameOf({ firstName, lastName }: Form): string {
  const initial = [...lastName.trim()][0];
  return [firstName.trim(), initial && `${initial.toLocaleUpperCase()}.`].filter(Boolean).join(' ');
}
