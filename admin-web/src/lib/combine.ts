/** Several files as one text to import, or nothing when they do not go together. */
export function combine(texts: readonly string[]): string | null {
  const [only] = texts;
  if (texts.length === 1 && only !== undefined) return only;
  const values = texts.map(parse);
  // Lines, or one JSON value a line: these simply follow each other.
  if (values.every((value) => value === undefined)) return texts.map((text) => text.trimEnd()).join("\n");
  if (values.every(Array.isArray)) return JSON.stringify(values.flat());
  if (values.every(isObject)) return JSON.stringify(merge(values));
  return null;
}

type Fields = Record<string, unknown>;

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function parse(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    // A token or a number alone is a line.
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Tables of tokens by type, as the Python project keeps them. */
function merge(tables: readonly Fields[]): Fields {
  const merged: Fields = {};
  for (const table of tables)
    for (const [type, tokens] of Object.entries(table)) {
      const known = merged[type];
      merged[type] = isObject(known) && isObject(tokens) ? { ...known, ...tokens } : tokens;
    }
  return merged;
}
