import { useQuery } from "@tanstack/react-query";
import { sessionQuery } from "@/api/queries";
import type { Role } from "@/api/session";

const rank: Record<Role, number> = { viewer: 0, operator: 1, owner: 2 };

/** Whether the signed-in admin has at least this role. What is refused here, the server refuses too. */
export function useMay(role: Role): boolean {
  const { data } = useQuery(sessionQuery);
  return !!data && rank[data.admin.role] >= rank[role];
}

export function useSession() {
  return useQuery(sessionQuery).data;
}

// Kept from signing in until the forced new password is set, so that it need not be typed twice. In memory only.
let typed = "";
export const typedPassword = {
  keep: (password: string) => {
    typed = password;
  },
  take: () => typed,
  forget: () => {
    typed = "";
  },
};
