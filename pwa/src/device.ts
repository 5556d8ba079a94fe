/**
 * The device library (Rust, compiled to WASM) as the screens see it: the same calls, with values
 * instead of the JSON text that crosses the boundary. It knows the rules, the outbox and the network;
 * nothing on this side decides whether a lead is valid or when it is sent.
 */
import init, { Leadlog } from 'leadlog-client';

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

/** What one person said. `consents` holds the ids that were ticked. */
export type Form = Record<FieldId, string> & { consents: string[]; language: string };

/** One broken rule. `field` is a field id, `contact` (e-mail or phone), or `consents.<id>`. */
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
  readonly places: { readonly device: number; readonly hub: number; readonly cloud: number };
  /** Whether a server took part in the last try to sync; `null` before the first. */
  readonly reachable: boolean | null;
  /** The best that can be reached, without flapping; `null` before that is known. */
  readonly reach: 'cloud' | 'hub' | 'solo' | null;
  /** How the session of the person who holds the device stands. Nothing waits for it. */
  readonly session: 'none' | 'valid' | 'grace' | 'reconnect';
  readonly savedToday: number;
}

/** Why a save did not happen. Nothing was stored. */
export type SaveRefusal = { code: 'invalid'; errors: FieldError[] } | { code: 'storage'; message: string };

export type SaveResult = { saved: true } | { saved: false; refusal: SaveRefusal };

export interface Device {
  readonly campaign: Campaign;
  /** Every broken rule of the whole form, by the same Rust rules that the server runs. */
  check(form: Form): FieldError[];
  /** Resolves when the lead is durable on this device, or was refused. Never rejects. */
  save(form: Form): Promise<SaveResult>;
  /** Called at once and after every change. */
  subscribe(changed: (status: Status) => void): void;
}

/**
 * Loads the library, opens this device's outbox and starts its engine. Rejects when WASM cannot run
 * or the browser gives no storage.
 */
export async function openDevice(serverUrl: string): Promise<Device> {
  await init();
  const library = await Leadlog.open(serverUrl);
  return {
    campaign: JSON.parse(library.campaign()),
    check(form) {
      try {
        return JSON.parse(library.check(JSON.stringify(form)));
      } catch (reason) {
        // A trap in WASM must not block the way to `save`, which judges too and tells the person.
        console.error('The form could not be checked:', reason);
        return [];
      }
    },
    async save(form) {
      try {
        await library.save(JSON.stringify(form));
        return { saved: true };
      } catch (reason) {
        return { saved: false, refusal: readRefusal(reason) };
      }
    },
    subscribe: (changed) => library.subscribe((status: string) => changed(JSON.parse(status))),
  };
}

/** Anything that is not a verdict about the form (a trap in WASM too) means: it is not stored. */
function readRefusal(reason: unknown): SaveRefusal {
  if (typeof reason === 'string') {
    try {
      const refusal = JSON.parse(reason) as SaveRefusal;
      if (refusal.code === 'invalid' || refusal.code === 'storage') return refusal;
    } catch {
      // Not JSON: the text itself is all there is to tell.
    }
  }
  return { code: 'storage', message: String(reason) };
}
