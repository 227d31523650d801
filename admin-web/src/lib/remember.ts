/** What this browser is asked to remember; nothing secret. Storage may be forbidden, then nothing is kept. */
export function remember(name: string, value: string): void {
  try {
    localStorage.setItem(`g2a.${name}`, value);
  } catch {
    // Private windows may refuse; the choice then holds until the page is closed.
  }
}

export function recall(name: string): string | null {
  try {
    return localStorage.getItem(`g2a.${name}`);
  } catch {
    return null;
  }
}
