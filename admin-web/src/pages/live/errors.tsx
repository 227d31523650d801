import { Link } from "@tanstack/react-router";
import type { LiveError } from "@/api/live";
import { useFormats, useText } from "@/i18n";
import { Badge } from "@/ui/badge";
import { Skeleton } from "@/ui/skeleton";

export function RecentErrors({ errors }: { errors: LiveError[] | undefined }) {
  const t = useText();
  const f = useFormats();
  if (!errors)
    return (
      <div className="p-4">
        <Skeleton />
      </div>
    );
  if (errors.length === 0) return <p className="px-4 py-6 text-sm text-soft">{t.live.noErrors}</p>;
  return (
    <ul className="max-h-72 divide-y overflow-y-auto">
      {errors.map((error) => (
        <li key={error.id} className="flex items-start gap-3 px-4 py-2 text-sm">
          <span className="num w-16 shrink-0 pt-px text-xs text-faint">{f.time(error.at)}</span>
          <Badge tone="bad">{error.http_status}</Badge>
          <div className="min-w-0 flex-1">
            <p className="break-words">{error.message}</p>
            <p className="truncate text-xs text-faint">
              {error.code} · {error.model || t.common.unknown}
            </p>
          </div>
          <Link
            to="/manage/requests"
            search={{ request: error.id }}
            className="shrink-0 text-xs text-accent-ink hover:underline"
          >
            {t.live.details}
          </Link>
        </li>
      ))}
    </ul>
  );
}
