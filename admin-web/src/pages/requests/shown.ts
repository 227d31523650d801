const LONGEST = 256;
const BASE64 = /^(data:[^,]{0,80},)?[A-Za-z0-9+/=_-]+$/;

/** JSON with every value on its place and pictures shortened; anything else as it is. */
export function shown(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), shorten, 2);
  } catch {
    return body;
  }
}

function shorten(_: string, value: unknown): unknown {
  if (typeof value !== "string" || value.length <= LONGEST || !BASE64.test(value)) return value;
  return `${value.slice(0, 64)}…(${value.length - 64} more)`;
}
