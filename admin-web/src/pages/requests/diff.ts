/** A run of words that is in both texts, or in one of them. */
export interface Piece {
  text: string;
  /** Where it begins. */
  at: number;
  /** Of the text that this side does not have. */
  changed: boolean;
}

export interface Compared {
  before: Piece[];
  after: Piece[];
  same: boolean;
}

// The table has a cell for each pair: more words than this are compared by lines, and more lines not at all.
const MOST = 1500;

/** Two texts side by side: what each has that the other lacks is marked. */
export function compare(before: string, after: string): Compared {
  if (before === after) return { before: whole(before), after: whole(after), same: true };
  for (const split of [words, lines]) {
    const [one, other] = [split(before), split(after)];
    if (one.length <= MOST && other.length <= MOST) return align(one, other);
  }
  return { before: whole(before, true), after: whole(after, true), same: false };
}

const whole = (text: string, changed = false): Piece[] => (text ? [{ text, at: 0, changed }] : []);
// Blanks belong to the word before; each sign of Chinese is a word.
const words = (text: string) => text.match(/\p{Script=Han}|[^\s\p{Script=Han}]+\s*|\s+/gu) ?? [];
const lines = (text: string) => text.match(/[^\n]*\n|[^\n]+/g) ?? [];

/** By the longest common subsequence. */
function align(one: string[], other: string[]): Compared {
  const width = other.length + 1;
  const lengths = new Uint16Array((one.length + 1) * width);
  const at = (i: number, j: number) => lengths[i * width + j] ?? 0;
  for (let i = one.length - 1; i >= 0; i -= 1)
    for (let j = other.length - 1; j >= 0; j -= 1)
      lengths[i * width + j] =
        one[i] === other[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  const before: Piece[] = [];
  const after: Piece[] = [];
  let [i, j] = [0, 0];
  while (i < one.length || j < other.length) {
    if (i < one.length && one[i] === other[j]) {
      add(before, one[i], false);
      add(after, other[j], false);
      i += 1;
      j += 1;
    } else if (j >= other.length || (i < one.length && at(i + 1, j) >= at(i, j + 1))) {
      add(before, one[i], true);
      i += 1;
    } else {
      add(after, other[j], true);
      j += 1;
    }
  }
  return { before, after, same: false };
}

function add(pieces: Piece[], text: string | undefined, changed: boolean): void {
  const last = pieces.at(-1);
  if (last && last.changed === changed) last.text += text ?? "";
  else pieces.push({ text: text ?? "", at: last ? last.at + last.text.length : 0, changed });
}
