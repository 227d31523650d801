const OPENED = ["http:", "https:", "mailto:"];
const PICTURE = /^data:image\/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+$/;

/** An address that may be opened by a click; `null` for scripts, data and anything else. */
export function safeLink(href: string): string | null {
  try {
    const url = new URL(href);
    return OPENED.includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

/** Whether an address is a picture that stands in the text itself. Drawings (SVG) are not: they can hold scripts. */
export function isPicture(src: string): boolean {
  return PICTURE.test(src);
}
