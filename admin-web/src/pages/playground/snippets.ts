// The calls that the playground makes, for people to take along. Texts are quoted for the language they stand in.

export type Language = "curl" | "python";

export interface Call {
  /** "/chat/completions" … */
  path: string;
  body: Record<string, unknown>;
}

const KEY = "sk-g2a-…";
const LONG = 120;

/** Long data addresses would hide the call. */
function shortened(value: unknown): unknown {
  if (typeof value === "string" && value.startsWith("data:") && value.length > LONG)
    return `${value.slice(0, 48)}…`;
  if (Array.isArray(value)) return value.map(shortened);
  if (value && typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, shortened(inner)]));
  return value;
}

/** Inside single quotes of a shell. */
export function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

export function curl(origin: string, { path, body }: Call): string {
  const json = JSON.stringify(shortened(body), null, 2);
  return [
    `curl ${origin}/v1${path} ${body.stream ? "-N " : ""}\\`,
    `  -H 'Authorization: Bearer ${KEY}' \\`,
    "  -H 'Content-Type: application/json' \\",
    `  -d ${shellQuoted(json)}`,
  ].join("\n");
}

/** A value of JSON as Python writes it. */
export function python(value: unknown, indent = 0): string {
  const pad = "    ".repeat(indent + 1);
  const end = "    ".repeat(indent);
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  // A string of JSON is a string of Python, but for the signs Python reads differently: there are none.
  if (typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value))
    return value.length
      ? `[\n${value.map((one) => `${pad}${python(one, indent + 1)},\n`).join("")}${end}]`
      : "[]";
  const entries = Object.entries(value);
  return `{\n${entries.map(([name, one]) => `${pad}${JSON.stringify(name)}: ${python(one, indent + 1)},\n`).join("")}${end}}`;
}

const methods: Record<string, string> = {
  "/chat/completions": "chat.completions.create",
  "/images/generations": "images.generate",
  "/videos": "videos.create_and_poll",
};
// Fields of ours, which the SDK sends on when they stand in extra_body.
const OURS = ["thinking_mode"];

export function sdk(origin: string, { path, body }: Call): string {
  const own = Object.entries(body).filter(([name]) => !OURS.includes(name));
  const ours = Object.entries(body).filter(([name]) => OURS.includes(name));
  const args = own.map(([name, value]) => `    ${name}=${python(shortened(value), 1)},\n`);
  if (ours.length) args.push(`    extra_body=${python(Object.fromEntries(ours), 1)},\n`);
  const call = `client.${methods[path] ?? "post"}(\n${args.join("")})`;
  const head = `from openai import OpenAI\n\nclient = OpenAI(base_url="${origin}/v1", api_key="${KEY}")\n`;
  if (path === "/videos")
    return `${head}video = ${call}\nclient.videos.download_content(video.id).write_to_file("video.mp4")`;
  if (path === "/images/generations")
    return `${head}result = ${call}\nfor image in result.data:\n    print(image.url)`;
  return body.stream
    ? `${head}stream = ${call}\nfor chunk in stream:\n    if chunk.choices:\n        print(chunk.choices[0].delta.content or "", end="", flush=True)`
    : `${head}answer = ${call}\nprint(answer.choices[0].message.content)`;
}
