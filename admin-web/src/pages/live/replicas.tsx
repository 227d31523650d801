import type { LiveReplica } from "@/api/live";
import { useFormats, useText } from "@/i18n";
import { Skeleton } from "@/ui/skeleton";

export function Replicas({ replicas }: { replicas: LiveReplica[] | undefined }) {
  const t = useText();
  const f = useFormats();
  if (!replicas)
    return (
      <div className="p-4">
        <Skeleton />
      </div>
    );
  return (
    <ul className="divide-y">
      {replicas.map((replica) => (
        <li key={replica.id} className="flex items-center gap-3 px-4 py-2 text-sm">
          <div className="min-w-0 flex-1">
            <p className="truncate font-medium">{replica.host}</p>
            <p className="truncate text-xs text-faint" title={replica.roles.join(", ")}>
              {replica.roles.join(", ")}
            </p>
          </div>
          <p className="num text-right text-xs text-soft">
            {t.live.replicaLoad(f.number(replica.running), f.number(replica.waiting))}
            <br />
            {t.live.perSecond(f.number(replica.tokens_per_second))}
          </p>
        </li>
      ))}
    </ul>
  );
}
