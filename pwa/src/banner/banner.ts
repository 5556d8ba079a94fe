import type { Device, DeviceState, Enrolment, Status } from '../device';
import type { WordKey } from '../i18n/words.svelte';

/** What the line above the form depends on. */
export type Situation = Pick<Status, 'reach' | 'session' | 'places'> &
  Pick<DeviceState, 'persisted' | 'usage' | 'quota' | 'lost'> &
  Pick<Device, 'mode'> & {
    readonly enrolment: Enrolment['state'];
    /** Opened in Safari on an iPad, whose home screen could have it. */
    readonly canInstall: boolean;
  };

export interface Banner {
  readonly words: WordKey;
  /** Where something can be done about it. */
  readonly href?: string;
}

/** Less than this, and a day's leads with their backups might not fit. */
export const MIN_FREE_BYTES = 64 * 1024 * 1024;

/**
 * By importance, the first that holds is told: what endangers leads, then what keeps them on this iPad, then what the
 * hostess sees happen, then her session, which nothing waits for, then what is to be set up. Whom no server lets in is solo too, and no network would help. Advice about setting up waits until a cloud answers: at a booth without one,
 * an app on the home screen would begin without the leads that are here.
 */
const BANNERS: readonly (Banner & { readonly holds: (it: Situation) => boolean })[] = [
  { words: 'reduced.banner', holds: ({ mode }) => mode === 'reduced' },
  { words: 'banner.lost', href: '#restore', holds: ({ lost }) => lost.length > 0 },
  { words: 'banner.full', holds: ({ usage, quota }) => usage !== null && quota !== null && quota - usage < MIN_FREE_BYTES },
  { words: 'banner.revoked', href: '#connect', holds: ({ enrolment }) => enrolment === 'revoked' },
  { words: 'banner.connect', href: '#connect', holds: ({ enrolment }) => enrolment === 'none' || enrolment === 'refused' },
  // Without a network nobody can sign in.
  { words: 'banner.solo', holds: ({ reach }) => reach === 'solo' },
  { words: 'banner.reconnect', href: '#sign-in', holds: ({ session }) => session === 'reconnect' },
  { words: 'banner.hub', holds: ({ reach }) => reach === 'hub' },
  { words: 'banner.grace', href: '#sign-in', holds: ({ session }) => session === 'grace' },
  { words: 'banner.install', href: '#install', holds: ({ canInstall }) => canInstall },
  // Where everything was wiped, nobody can tell that there was something.
  { words: 'banner.empty', href: '#restore', holds: ({ places, reach }) => reach === 'cloud' && count(places) === 0 },
  {
    words: 'banner.volatile',
    href: '#device',
    // Browsers are asked at the first save, and judge by use.
    holds: ({ persisted, places }) => persisted === false && count(places) > 0,
  },
];

function count({ device, hub, cloud }: Situation['places']): number {
  return device + hub + cloud;
}

export function bannerFor(situation: Situation): Banner | undefined {
  return BANNERS.find(({ holds }) => holds(situation));
}
