/** What `GET /api/live` tells of a store. What is absent is not known. Moments are RFC 3339, by the server's clock. */
export interface Report {
  readonly at: string;
  readonly store: { readonly id: string; readonly tier: 'cloud' | 'hub' };
  readonly leads: {
    readonly total: number;
    readonly lastHour: number;
    /** Oldest first; the last is the one that is running. */
    readonly hours: readonly Hour[];
  };
  readonly devices: readonly Device[];
  /** Of a hub. */
  readonly relay?: Relay;
  /** How iPads find this server and come to trust it. */
  readonly reach?: Reach;
  readonly alarms: readonly Alarm[];
}

export interface Hour {
  readonly from: string;
  readonly leads: number;
}

export interface Device {
  readonly deviceId: string;
  readonly name?: string;
  readonly isRevoked: boolean;
  readonly leads: number;
  readonly heardAt?: string;
  /**
   * `complete`: everything is here that it had when it was heard, a short while ago. `behind`: it still holds something.
   * `silent`: not heard for a while, so nobody knows. `nothing`: let in, and never heard. `retired`: shut out or replaced by
   * another installation, and not known to hold anything.
   */
  readonly standing: 'complete' | 'behind' | 'silent' | 'nothing' | 'retired';
  /** Numbers of which it is known that they were saved there, and which are not here. */
  readonly missing: number;
  /** Leads that it said it still holds for this store. One of them may have several numbers. */
  readonly left?: number;
  readonly oldestLeftAt?: string;
  readonly isStoragePersisted?: boolean;
  readonly appVersion?: string;
}

export interface Relay {
  /** Its address. */
  readonly cloud: string;
  /** Leads that are not there yet. */
  readonly waiting: number;
  readonly oldestWaitingAt?: string;
  /** Entries that the cloud could not take yet, and that are offered again. */
  readonly held: number;
  /** When it last answered. */
  readonly heardAt?: string;
  readonly trouble?: Trouble;
}

export interface Trouble {
  /** `unreachable`, `not-let-in`, `no-code`, `other-process`, `own-database`, `not-a-cloud`, `answer`, or what is known later. */
  readonly code: string;
  /** For whoever reads the log. */
  readonly detail: string;
  readonly since: string;
}

export interface Reach {
  readonly addresses: readonly string[];
  readonly trust: 'own-ca' | 'certificate' | 'none';
  readonly setUpPage?: string;
  /** The name of the hub's own CA, and its SHA-256. */
  readonly authority?: string;
  readonly fingerprint?: string;
}

export interface Alarm {
  /** `relay-behind`, `disk-space`, `clock`, or what is known later. */
  readonly code: string;
  readonly since?: string;
  readonly limitSeconds?: number;
  readonly freeBytes?: number;
  readonly limitBytes?: number;
  /** Positive: the server's computer is ahead of the cloud. */
  readonly offsetSeconds?: number;
}

/** Throws where it is none: a portal may answer anything. */
export function readReport(text: string): Report {
  const report = JSON.parse(text) as Partial<Report> | null;
  const isOne = Array.isArray(report?.devices) && Array.isArray(report.alarms) && Array.isArray(report.leads?.hours);
  if (!isOne || Number.isNaN(Date.parse(report.at ?? ''))) throw new Error('the answer is no report');
  return report as Report;
}
