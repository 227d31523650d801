import { api } from "./client";
import type { Page } from "./list";

export type MediaKind = "image" | "video";

/** For whom it was made. */
export type MediaOwner = { kind: "key"; id: string; name: string | null } | { kind: "admin"; name: string };

export interface MediaItem {
  kind: MediaKind;
  name: string;
  url: string;
  content_type: string;
  size: number;
  created_at: number;
  owner: MediaOwner | null;
}

export interface MediaUsage {
  kind: MediaKind;
  items: number;
  bytes: number;
  limit_bytes: number;
}

export const media = {
  list: (kind: MediaKind, cursor: string | undefined, limit: number, signal?: AbortSignal) =>
    api.get<Page<MediaItem>>("/api/media", { kind, cursor, limit }, signal),
  usage: (signal?: AbortSignal) => api.get<{ items: MediaUsage[] }>("/api/media/usage", {}, signal),
  delete: (kind: MediaKind, name: string) =>
    api.delete<{ deleted: number }>(`/api/media/${kind}/${encodeURIComponent(name)}`),
  clear: (kind: MediaKind | "all") => api.post<{ deleted: number }>("/api/media/clear", { kind }),
};
