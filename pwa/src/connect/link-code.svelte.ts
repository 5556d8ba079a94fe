import { codeIn, type LinkKind } from './code';

/** The one-time code that a link has brought, until its screen uses it. It stays in no address, history or storage. */
class LinkCode {
  content = $state.raw<string | null>(null);

  constructor(
    readonly kind: LinkKind,
    readonly screen: string,
  ) {}

  /** Takes it out of the address, where there is one. */
  receive(): void {
    if (!location.hash.startsWith(`#${this.kind}=`)) return;
    this.content = codeIn(location.hash, this.kind);
    history.replaceState(history.state, '', this.screen);
  }

  /** Hands it out, once. */
  take(): string | null {
    const code = this.content;
    this.content = null;
    return code;
  }
}

/** Connects an iPad. */
export const linkCode = new LinkCode('connect', '#connect');
/** Signs an organizer in. */
export const invitationCode = new LinkCode('invite', '#office');

export function receiveLinkCodes(): void {
  linkCode.receive();
  invitationCode.receive();
}
