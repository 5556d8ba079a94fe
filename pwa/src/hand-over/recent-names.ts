const KEY = 'leadlog.operators';
/** As many as fit a sheet without scrolling. */
const MAX_NAMES = 6;

/** Who captured on this iPad lately, the last one first. A convenience: without it the name is typed. */
export function recentNames(): string[] {
  try {
    const names: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : [];
  } catch {
    return [];
  }
}

export function rememberName(name: string): void {
  const names = [name, ...recentNames().filter((other) => other !== name)].slice(0, MAX_NAMES);
  try {
    localStorage.setItem(KEY, JSON.stringify(names));
  } catch {
    // A full or forbidden storage costs a few letters of typing, nothing else.
  }
}
