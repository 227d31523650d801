/** One page of a list; the cursor belongs to the very query it came from. */
export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}
