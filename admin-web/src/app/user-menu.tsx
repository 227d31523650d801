import { useNavigate } from "@tanstack/react-router";
import { LogOut } from "lucide-react";
import { queryClient } from "@/api/queries";
import { session } from "@/api/session";
import { useText } from "@/i18n";
import { IconButton } from "@/ui/button";
import { Preferences } from "./preferences";
import { useSession } from "./session";

/** Who is signed in, language, theme, signing out. */
export function UserMenu() {
  const t = useText();
  const navigate = useNavigate();
  const current = useSession();
  const leave = async () => {
    // Even when the server cannot be asked: this browser must not go on showing what it has.
    await session.logout().catch(() => undefined);
    queryClient.clear();
    await navigate({ to: "/login" });
  };
  return (
    <div className="flex items-center gap-2 border-t lg:gap-0.5 py-2 pr-2 pl-4">
      <div className="min-w-0 flex-1 leading-tight">
        <p className="truncate text-sm font-medium">{current?.admin.name}</p>
        <p className="truncate text-xs text-faint">{current && t.nav.role[current.admin.role]}</p>
      </div>
      <Preferences />
      <IconButton size="sm" label={t.nav.signOut} icon={<LogOut />} onClick={() => void leave()} />
    </div>
  );
}
