import { send } from "./client";
import { ApiError } from "./error";
import { lines } from "./sse";

export interface Progress {
  done: number;
  total: number;
}

type Line<P, R> =
  | ({ type: "progress" } & P)
  | ({ type: "result" } & R)
  | { type: "error"; error?: Problem; code?: string; message?: string };

interface Problem {
  code?: string;
  message?: string;
}

/**
 * Begins long work and follows it line by line. Gives its result, or throws what ended it. The work goes on at the
 * server when the signal ends the following.
 */
export async function follow<P extends Progress, R>(
  path: string,
  body: unknown,
  onProgress: (progress: P) => void,
  signal?: AbortSignal,
): Promise<R> {
  const response = await send("POST", path, { body, signal, headers: { accept: "application/x-ndjson" } });
  if (response.body) {
    for await (const text of lines(response.body)) {
      if (!text) continue;
      const line = JSON.parse(text) as Line<P, R>;
      if (line.type === "progress") onProgress(line);
      else if (line.type === "result") return line;
      else throw problem(line.error ?? line);
    }
  }
  throw new ApiError(0, "cut_off", "the connection ended before the result");
}

function problem({ code, message }: Problem): ApiError {
  return new ApiError(500, code ?? "internal_error", message ?? "the work failed");
}
