import type { Tier } from "./accounts";
import { api } from "./client";

export interface Replica {
  id: string;
  host: string;
  roles: string[];
  version: string;
  started_at: number;
  seen_at: number;
  revision: number;
  ready: boolean;
  waiting_for: string[];
  running: number;
}

export interface System {
  version: string;
  storage_mode: "FILE" | "MYSQL" | "REDIS";
  shared_live: boolean;
  open_api: boolean;
  base_url: string;
  revision: number;
  upstream: { url: string; simulated: boolean };
  /** Where this process serves probes and metrics. */
  operations: string;
  replicas: Replica[];
}

export interface Model {
  id: string;
  display_name: string;
  description: string;
  video: boolean;
  class: string;
  cost: number;
  minimum_tier: Tier;
}

export const system = {
  get: (signal?: AbortSignal) => api.get<System>("/api/system", {}, signal),
  models: (signal?: AbortSignal) => api.get<{ items: Model[] }>("/api/models", {}, signal),
};
