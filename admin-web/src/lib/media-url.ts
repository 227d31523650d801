const MEDIA = /^\/(?:images|videos)\/[^/?#]+$/;

/**
 * The address of the product's own media on this very host, whatever public address it was written with; `null` for
 * anything else. The console shows nothing from other hosts.
 */
export function localMedia(url: string): string | null {
  try {
    const { protocol, pathname } = new URL(url, location.origin);
    return (protocol === "http:" || protocol === "https:") && MEDIA.test(pathname) ? pathname : null;
  } catch {
    return null;
  }
}
