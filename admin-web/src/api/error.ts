/** What the server refused, or why it could not be asked. */
export class ApiError extends Error {
  override name = "ApiError";

  constructor(
    /** HTTP status; 0 when there was no answer. */
    readonly status: number,
    /** Stable name of the failure: "SESSION_EXPIRED", "invalid_value", … */
    readonly code: string,
    message: string,
    /** The field that is wrong, if one is. */
    readonly param: string | null = null,
    /** Seconds after which to try again, if the server says so. */
    readonly retryAfter: number | null = null,
    /** `x-request-id`, by which the server's log knows the request. */
    readonly requestId: string | null = null,
  ) {
    super(message);
  }

  /** The session has ended or never was: only signing in helps. */
  get needsLogin(): boolean {
    return this.status === 401;
  }
}

interface Body {
  error?: { message?: unknown; code?: unknown; param?: unknown; error?: unknown } | string;
  message?: unknown;
}

/** Reads the one error shape; bodies of proxies and other strangers become their status. */
export async function errorFrom(response: Response): Promise<ApiError> {
  const body = await readBody(response);
  const inner = typeof body?.error === "object" ? body.error : undefined;
  const text = inner?.message ?? (typeof body?.error === "string" ? body.error : body?.message);
  return new ApiError(
    response.status,
    typeof inner?.code === "string" ? inner.code : `http_${response.status}`,
    typeof text === "string" && text ? text : `${response.status} ${response.statusText}`.trim(),
    typeof inner?.param === "string" ? inner.param : null,
    Number(response.headers.get("retry-after")) || null,
    response.headers.get("x-request-id"),
  );
}

async function readBody(response: Response): Promise<Body | undefined> {
  try {
    return (await response.json()) as Body;
  } catch {
    return undefined;
  }
}

/** Anything thrown, as an ApiError. */
export function asApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  if (thrown instanceof TypeError) return new ApiError(0, "unreachable", thrown.message);
  return new ApiError(0, "unknown", thrown instanceof Error ? thrown.message : String(thrown));
}
