import { api } from "./client";
import type { Page } from "./list";

export type Value = string | number | boolean;

export interface Parameter {
  name: string;
  scope: "global" | "grok";
  group: string;
  kind: "string" | "integer" | "boolean";
  default: Value;
  /** `null` for a secret. */
  value: Value | null;
  overridden: boolean;
  secret: boolean;
  /** Whether a secret has a value. */
  is_set: boolean;
  required: boolean;
  choices: string[];
  format: "text" | "url" | "proxy-url" | "log-level" | "header";
  min: number | null;
  max: number | null;
  description: string;
}

export interface Parameters {
  revision: number;
  created_at: number;
  author: string;
  parameters: Parameter[];
}

export interface Change {
  name: string;
  before: Value | null;
  after: Value | null;
}

export interface Revision {
  number: number;
  author: string;
  created_at: number;
  changes: Change[];
}

export const settings = {
  parameters: (signal?: AbortSignal) => api.get<Parameters>("/api/settings/parameters", {}, signal),
  change: (changes: Record<string, Value | null>, expected_revision: number) =>
    api.patch<Parameters>("/api/settings/parameters", { changes, expected_revision }),
  revisions: (cursor: string | undefined, limit: number, signal?: AbortSignal) =>
    api.get<Page<Revision>>("/api/settings/revisions", { cursor, limit }, signal),
  rollback: (revision: number, expected_revision: number) =>
    api.post<Parameters>("/api/settings/rollback", { revision, expected_revision }),
};
