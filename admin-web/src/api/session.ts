import { api } from "./client";

export type Role = "viewer" | "operator" | "owner";

/** Steps of the first run; true when done. */
export interface Setup {
  password: boolean;
  base_url: boolean;
  client_key: boolean;
  accounts: boolean;
}

export interface Session {
  admin: { id: string; name: string; role: Role };
  must_change_password: boolean;
  created_at: number;
  expires_at: number;
  /** `null` while a password has to be set. */
  setup: Setup | null;
  version: string;
}

export interface OwnSession {
  id: string;
  current: boolean;
  created_at: number;
  expires_at: number;
  last_seen_at: number;
  address: string;
  user_agent: string;
}

interface LoginAnswer {
  success: boolean;
  message: string;
}

export const session = {
  get: (signal?: AbortSignal) => api.get<Session>("/api/session", {}, signal),
  login: (username: string, password: string) => api.post<LoginAnswer>("/api/login", { username, password }),
  logout: () => api.post<LoginAnswer>("/api/logout"),
  setPassword: (current_password: string, new_password: string) =>
    api.post<LoginAnswer>("/api/password", { current_password, new_password }),
  list: () => api.get<{ items: OwnSession[] }>("/api/sessions"),
  revoke: (ids: string[]) => api.post<{ revoked: number }>("/api/sessions/revoke", { ids }),
  revokeOthers: () => api.post<{ revoked: number }>("/api/sessions/revoke", { others: true }),
};
