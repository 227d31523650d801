import { send } from "./client";
import { ApiError, errorFrom } from "./error";
import { events } from "./sse";

/** Who asks: the session, or a client key whose secret was typed in. */
export type Asker = { secret: string | null };

export type Part = { type: "text"; text: string } | { type: "image_url"; image_url: { url: string } };
export interface ChatMessage {
  role: "system" | "user" | "assistant";
  content: string | Part[];
}

export interface ChatBody {
  model: string;
  stream: boolean;
  stream_options?: { include_usage: boolean };
  thinking_mode?: string;
  messages: ChatMessage[];
}

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
}

/** What an answer brings, piece by piece. */
export type Piece =
  | { kind: "text" | "reasoning"; text: string }
  | { kind: "usage"; usage: Usage }
  | { kind: "finish"; reason: string };

export interface ImageBody {
  model: string;
  prompt: string;
  n: number;
  size: string;
}

export interface Video {
  id: string;
  status: "queued" | "in_progress" | "completed" | "failed";
  progress: number;
  error: { code: string; message: string } | null;
}

/** The route of the client API, for the one who asks. */
export function route(path: string, { secret }: Asker): string {
  return secret === null ? `/api/playground${path}` : `/v1${path}`;
}

async function ask(path: string, asker: Asker, body: unknown, signal?: AbortSignal): Promise<Response> {
  if (asker.secret === null) return send("POST", route(path, asker), { body, signal });
  // Without the cookie: it is the key that is tried, and nothing else.
  const response = await fetch(route(path, asker), {
    method: "POST",
    credentials: "omit",
    headers: { "content-type": "application/json", authorization: `Bearer ${asker.secret}` },
    body: JSON.stringify(body),
    signal: signal ?? null,
  });
  if (!response.ok) throw keyError(await errorFrom(response));
  return response;
}

/** A refused key must not look like an ended session, which would lead to signing in. */
function keyError(error: ApiError): ApiError {
  return error.status === 401 ? new ApiError(403, error.code, error.message, error.param) : error;
}

interface Choice {
  delta?: { content?: string | null; reasoning_content?: string | null };
  message?: { content?: string | null; reasoning_content?: string | null };
  finish_reason?: string | null;
}
interface Chunk {
  choices?: Choice[];
  usage?: Usage | null;
  error?: { message?: string; code?: string };
}

function* pieces(chunk: Chunk): Generator<Piece> {
  if (chunk.error)
    throw new ApiError(502, chunk.error.code ?? "upstream", chunk.error.message ?? "the stream failed");
  for (const { delta, message, finish_reason } of chunk.choices ?? []) {
    const said = delta ?? message;
    if (said?.reasoning_content) yield { kind: "reasoning", text: said.reasoning_content };
    if (said?.content) yield { kind: "text", text: said.content };
    if (finish_reason) yield { kind: "finish", reason: finish_reason };
  }
  if (chunk.usage) yield { kind: "usage", usage: chunk.usage };
}

/** One turn of a chat; leaving the loop stops it. */
export async function* chat(asker: Asker, body: ChatBody, signal: AbortSignal): AsyncGenerator<Piece> {
  const response = await ask("/chat/completions", asker, body, signal);
  if (!body.stream || !response.body) {
    yield* pieces((await response.json()) as Chunk);
    return;
  }
  for await (const { data } of events(response.body)) {
    if (data === "[DONE]") return;
    yield* pieces(JSON.parse(data) as Chunk);
  }
}

export async function images(asker: Asker, body: ImageBody, signal?: AbortSignal): Promise<string[]> {
  const response = await ask("/images/generations", asker, body, signal);
  const { data } = (await response.json()) as { data: { url?: string; b64_json?: string }[] };
  return data.map(({ url, b64_json }) => url ?? `data:image/jpeg;base64,${b64_json ?? ""}`);
}

export interface VideoBody {
  model: string;
  prompt: string;
  seconds: string;
  size: string;
  input_reference?: { image_url: string };
}

export async function createVideo(asker: Asker, body: VideoBody): Promise<Video> {
  return (await ask("/videos", asker, body)).json() as Promise<Video>;
}

async function read(path: string, asker: Asker): Promise<Response> {
  if (asker.secret === null) return send("GET", route(path, asker));
  const response = await fetch(route(path, asker), {
    credentials: "omit",
    headers: { authorization: `Bearer ${asker.secret}` },
  });
  if (!response.ok) throw keyError(await errorFrom(response));
  return response;
}

export async function video(asker: Asker, id: string): Promise<Video> {
  return (await read(`/videos/${id}`, asker)).json() as Promise<Video>;
}

/** The bytes of a finished video, as an address of this page. */
export async function videoContent(asker: Asker, id: string): Promise<string> {
  return URL.createObjectURL(await (await read(`/videos/${id}/content`, asker)).blob());
}
