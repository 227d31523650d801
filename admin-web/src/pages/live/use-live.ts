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
const AGAIN_AFTER = 3000;
const start: Live = { snapshot: null, speed: [], pool: [], connection: "connecting" };

/** Follows the server's stream while the page is open, and takes it up again when it was lost. */
export function useLive(): Live {
  const [live, setLive] = useState(start);
  useEffect(() => {
    let source: EventSource;
    let again = 0;
    const lost = () => {
      setLive((now) => ({ ...now, connection: "lost" }));
      // A session that has ended is told by its query, which leads to signing in.
      void queryClient.invalidateQueries({ queryKey: sessionQuery.queryKey });
      // Browsers reconnect by themselves, but not when they were answered: by a proxy, say, while the server restarts.
      clearTimeout(again);
      if (source.readyState === EventSource.CLOSED) again = window.setTimeout(open, AGAIN_AFTER);
    };
    const open = () => {
      source = new EventSource("/api/live");
      source.addEventListener("open", () => setLive((now) => ({ ...now, connection: "open" })));
      source.addEventListener("snapshot", ({ data }: MessageEvent<string>) => {
        const snapshot = JSON.parse(data) as Snapshot;
        setLive((now) => withSnapshot(now, snapshot));
      });
      source.addEventListener("pool", ({ data }: MessageEvent<string>) => {
        const event = JSON.parse(data) as PoolEvent;
        setLive((now) => ({ ...now, pool: [event, ...now.pool].slice(0, POOL_KEPT) }));
      });
      source.addEventListener("error", lost);
      source.addEventListener("end", lost);
    };
    open();
    return () => {
      clearTimeout(again);
      source.close();
    };
  }, []);
  return live;
}

function withSnapshot(now: Live, snapshot: Snapshot): Live {
  const speed = [...now.speed, snapshot.totals.tokens_per_second].slice(-SPEED_KEPT);
  return { ...now, snapshot, speed, connection: "open" };
}
