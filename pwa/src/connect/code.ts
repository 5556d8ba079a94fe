/** What stands before the code in a link: `https://HOST/#connect=CODE`. */
const IN_LINK = /#connect=([^&\s]*)/;
/** A code as people write it, with whichever dashes their keyboard makes. Whether it is one, the library says. */
const WRITTEN = /^[\da-z\s\p{Pd}]+$/iu;

/** The one-time code in what was typed, pasted or scanned: it alone, or the whole link. `null` where there is none. */
export function codeIn(text: string): string | null {
  const code = IN_LINK.exec(text)?.[1] ?? text;
  return WRITTEN.test(code) ? code.replaceAll(/[\s\p{Pd}]+/gu, '-').replaceAll(/^-|-$/g, '') || null : null;
}
