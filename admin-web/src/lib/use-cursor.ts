import { useState } from "react";

interface Place {
  /** Of the query that the cursors belong to. */
  query: string;
  cursors: string[];
}

/**
 * Pages through a list whose cursors belong to one query: another query begins at its first page.
 * `page` counts from 0.
 */
export function useCursor(query: unknown) {
  const key = JSON.stringify(query);
  const [place, setPlace] = useState<Place>({ query: key, cursors: [] });
  const cursors = place.query === key ? place.cursors : [];
  return {
    cursor: cursors.at(-1),
    page: cursors.length,
    previous: cursors.length ? () => setPlace({ query: key, cursors: cursors.slice(0, -1) }) : undefined,
    next: (cursor: string | null | undefined) =>
      cursor ? () => setPlace({ query: key, cursors: [...cursors, cursor] }) : undefined,
  };
}
