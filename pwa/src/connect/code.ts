/** What stands before the code in a link: `https://HOST/#connect=CODE` for an iPad, `#invite=CODE` for an organizer. */
export type LinkKind = 'connect' | 'invite';

/** A code as people write it, with whichever dashes their keyboard makes. Whether it is one, the server says. */
const WRITTEN = /^[\da-z\s\p{Pd}]+$/iu;

/** The one-time code in what was typed, pasted or scanned: it alone, or the whole link. `null` where there is none. */
export function codeIn(text: string, kind: LinkKind = 'connect'): string | null {
  const code = new RegExp(`#${kind}=([^&\\s]*)`).exec(text)?.[1] ?? text;
  return WRITTEN.test(code) ? code.replaceAll(/[\s\p{Pd}]+/gu, '-').replaceAll(/^-|-$/g, '') || null : null;
}
