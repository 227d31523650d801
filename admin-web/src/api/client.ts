import { ApiError, errorFrom } from "./error";

type Scalar = string | number | boolean | null | undefined;
/** Values of an address's query; empty ones are left out, lists are joined by commas. */
export type Query = Record<string, Scalar | readonly string[]>;

export interface Options {
  query?: Query;
  /** Sent as JSON. */
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** An address with its query. */
export function address(path: string, query: Query = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    const text = Array.isArray(value) ? value.join(",") : value;
    if (text !== undefined && text !== null && text !== "") params.set(name, String(text));
  }
  const search = params.toString();
  return search ? `${path}?${search}` : path;
}

/** Sends a request with the session's cookie and gives the answer, or throws an ApiError. */
export async function send(method: string, path: string, options: Options = {}): Promise<Response> {
  const headers: Record<string, string> = { accept: "application/json", ...options.headers };
  if (options.body !== undefined) headers["content-type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(address(path, options.query), {
      method,
      headers,
      body: options.body === undefined ? null : JSON.stringify(options.body),
      credentials: "same-origin",
      signal: options.signal ?? null,
    });
  } catch (thrown) {
    if (thrown instanceof DOMException && thrown.name === "AbortError") throw thrown;
    throw new ApiError(0, "unreachable", thrown instanceof Error ? thrown.message : "no answer");
  }
  if (!response.ok) throw await errorFrom(response);
  return response;
}

async function json<T>(method: string, path: string, options?: Options): Promise<T> {
  const response = await send(method, path, options);
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

/** The Admin API in JSON. */
export const api = {
  get: <T>(path: string, query?: Query, signal?: AbortSignal) => json<T>("GET", path, { query, signal }),
  post: <T>(path: string, body: unknown = {}, signal?: AbortSignal) =>
    json<T>("POST", path, { body, signal }),
  put: <T>(path: string, body: unknown) => json<T>("PUT", path, { body }),
  patch: <T>(path: string, body: unknown) => json<T>("PATCH", path, { body }),
  delete: <T>(path: string, body?: unknown) => json<T>("DELETE", path, { body }),
};
