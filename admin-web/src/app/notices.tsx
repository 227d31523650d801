import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ShieldAlert } from "lucide-react";
import { systemQuery } from "@/api/queries";
import { useText } from "@/i18n";

/** What an operator should know on every page. */
export function Notices() {
  const t = useText();
  const { data } = useQuery(systemQuery);
  if (!data?.open_api) return null;
  return (
    <div
      role="status"
      className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b bg-warn-wash px-4 py-2 text-sm text-warn sm:px-6"
    >
      <ShieldAlert aria-hidden className="size-4 shrink-0" />
      {t.nav.openApi}
      <Link to="/manage/keys" className="font-medium underline underline-offset-2">
        {t.nav.openApiFix}
      </Link>
    </div>
  );
}
