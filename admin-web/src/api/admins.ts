import { api } from "./client";
import type { Page } from "./list";
import type { Role } from "./session";

export interface Admin {
  id: string;
  name: string;
  role: Role;
  disabled: boolean;
  must_change_password: boolean;
  created_at: number;
  last_login_at: number | null;
  version: number;
}

export interface AdminChange {
  role?: Role;
  disabled?: boolean;
  password?: string;
  expected_version: number;
}

export interface Action {
  id: string;
  at: number;
  actor: string;
  what: string;
  target: string;
  before: unknown;
  after: unknown;
}

export const admins = {
  list: (signal?: AbortSignal) => api.get<{ items: Admin[] }>("/api/admins", {}, signal),
  create: (name: string, role: Role, password: string) =>
    api.post<Admin>("/api/admins", { name, role, password }),
  change: (id: string, change: AdminChange) => api.patch<Admin>(`/api/admins/${id}`, change),
  revokeSessions: (id: string) => api.post<{ revoked: number }>(`/api/admins/${id}/sessions/revoke`),
  actions: (cursor: string | undefined, limit: number, signal?: AbortSignal) =>
    api.get<Page<Action>>("/api/actions", { cursor, limit }, signal),
};
