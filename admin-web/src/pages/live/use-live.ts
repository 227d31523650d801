import { useEffect, useState } from "react";
import type { PoolEvent, Snapshot } from "@/api/live";
import { queryClient, sessionQuery } from "@/api/queries";

export interface Live {
  snapshot: Snapshot | null;
  /** Tokens a second over the last two minutes, the oldest first. */
  speed: number[];
  /** What happened in the pool, newest first. */
  pool: PoolEvent[];
  connection: "connecting" | "open" | "lost";
}

const SPEED_KEPT = 120;
const POOL_KEPT = 40;
const start: Live = { snapshot: null, speed: [], pool: [], connection: "connecting" };

/** Follows the server's stream while the page is open; the browser reconnects by itself. */
export function useLive(): Live {
  const [live, setLive] = useState(start);
  useEffect(() => {
    const source = new EventSource("/api/live");
    source.addEventListener("open", () => setLive((now) => ({ ...now, connection: "open" })));
    source.addEventListener("snapshot", ({ data }: MessageEvent<string>) => {
      const snapshot = JSON.parse(data) as Snapshot;
      const speed = snapshot.totals.tokens_per_second;
      setLive((now) => ({
        ...now,
        snapshot,
        connection: "open",
        speed: [...now.speed, speed].slice(-SPEED_KEPT),
      }));
    });
    source.addEventListener("pool", ({ data }: MessageEvent<string>) => {
      const event = JSON.parse(data) as PoolEvent;
      setLive((now) => ({ ...now, pool: [event, ...now.pool].slice(0, POOL_KEPT) }));
    });
    const lost = () => {
      setLive((now) => ({ ...now, connection: "lost" }));
      // A session that has ended is told by its query, which leads to signing in.
      void queryClient.invalidateQueries({ queryKey: sessionQuery.queryKey });
    };
    source.addEventListener("error", lost);
    source.addEventListener("end", lost);
    return () => source.close();
  }, []);
  return live;
}
