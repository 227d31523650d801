import { useQuery } from "@tanstack/react-query";
import { ExternalLink } from "lucide-react";
import { systemQuery } from "@/api/queries";
import type { Replica } from "@/api/system";
import { useFormats, useText } from "@/i18n";
import { useNow } from "@/lib/use-now";
import { Badge } from "@/ui/badge";
import { CodeBlock } from "@/ui/code";
import { Facts, Panel } from "@/ui/page";
import { Problem } from "@/ui/problem";
import { Skeleton } from "@/ui/skeleton";

const EVERY = 3000;
/** What a replica waits for whose store is away. */
const STORE = "storage";
const SIMULATE = `grok2api sim --listen 127.0.0.1:9100
G2A_UPSTREAM_URL=http://127.0.0.1:9100 G2A_ASSETS_URL=http://127.0.0.1:9100 grok2api serve`;
const LEAVE = "env -u G2A_UPSTREAM_URL -u G2A_ASSETS_URL grok2api serve";

export function Overview() {
  const t = useText();
  const f = useFormats();
  const { data, error, refetch } = useQuery({ ...systemQuery, refetchInterval: EVERY });
  if (error && !data) return <Problem error={error} onRetry={() => void refetch()} />;
  if (!data)
    return (
      <div className="grid gap-4 lg:grid-cols-2">
        <Skeleton className="h-64 rounded-lg" />
        <Skeleton className="h-64 rounded-lg" />
      </div>
    );
  const healthy = data.replicas.every(({ ready }) => ready);
  const storeless = data.replicas.filter(({ waiting_for }) => waiting_for.includes(STORE));
  const { simulated } = data.upstream;
  return (
    <div className="grid items-start gap-4 lg:grid-cols-2">
      <Panel title={t.system.product}>
        <Facts
          items={[
            [t.system.version, data.version],
            [
              t.system.storage,
              <Badge key="storage">{t.system.modes[data.storage_mode] ?? data.storage_mode}</Badge>,
            ],
            [
              t.system.store,
              <Badge key="store" tone={storeless.length ? "bad" : "good"} dot>
                {storeless.length
                  ? t.system.storeAway(storeless.map(({ host }) => host).join(", "))
                  : t.system.storeAnswers}
              </Badge>,
            ],
            [
              t.system.health,
              <Badge key="health" tone={healthy ? "good" : "bad"} dot>
                {healthy ? t.system.healthy : t.system.unhealthy}
              </Badge>,
            ],
            ...(data.storage_mode === "FILE"
              ? []
              : ([[t.system.shared, data.shared_live ? t.common.yes : t.common.no]] as [string, string][])),
            [
              t.system.open,
              <Badge key="open" tone={data.open_api ? "warn" : "good"} dot>
                {data.open_api ? t.system.isOpen : t.system.isClosed}
              </Badge>,
            ],
            [t.system.baseUrl, data.base_url || t.system.perRequest],
            [t.settings.parameters, t.settings.revision(f.number(data.revision))],
          ]}
        />
      </Panel>
      <Panel title={t.system.upstream}>
        <Facts
          items={[
            [
              t.system.address,
              <code key="url" className="font-mono text-xs break-all">
                {data.upstream.url}
              </code>,
            ],
            [
              t.system.kind,
              <Badge key="kind" tone={data.upstream.simulated ? "warn" : "good"} dot>
                {data.upstream.simulated ? t.nav.simulated : t.system.real}
              </Badge>,
            ],
          ]}
        />
        <p className="mt-3 mb-2 text-sm text-soft">{simulated ? t.system.simLeave : t.system.simText}</p>
        <CodeBlock
          title={simulated ? t.system.real : t.system.simTitle}
          code={simulated ? LEAVE : SIMULATE}
        />
      </Panel>
      <Panel flush title={t.live.replicas} className="lg:col-span-2">
        <div className="overflow-x-auto">
          <table className="w-full text-sm" aria-label={t.live.replicas}>
            <thead>
              <tr className="border-b text-left text-xs text-soft [&>th]:px-4 [&>th]:py-2 [&>th]:font-medium">
                <th scope="col">{t.system.host}</th>
                <th scope="col" className="max-sm:hidden">
                  {t.system.roles}
                </th>
                <th scope="col">{t.system.health}</th>
                <th scope="col" className="text-right">
                  {t.live.running}
                </th>
                <th scope="col" className="text-right max-md:hidden">
                  {t.system.revision}
                </th>
                <th scope="col" className="max-md:hidden">
                  {t.system.version}
                </th>
                <th scope="col" className="max-lg:hidden">
                  {t.system.up}
                </th>
              </tr>
            </thead>
            <tbody>
              {data.replicas.map((replica) => (
                <ReplicaRow key={replica.id} replica={replica} newest={data.revision} />
              ))}
            </tbody>
          </table>
        </div>
      </Panel>
      <Panel title={t.system.links} className="lg:col-span-2">
        <ul className="flex flex-col gap-2 text-sm">
          <li>
            <a
              className="inline-flex items-center gap-1 text-accent-ink hover:underline"
              href="/docs"
              target="_blank"
              rel="noreferrer"
            >
              /docs <ExternalLink aria-hidden className="size-3.5" />
            </a>
            <span className="ml-2 text-soft">{t.system.docs}</span>
          </li>
          <li>
            <a
              className="inline-flex items-center gap-1 text-accent-ink hover:underline"
              href="/openapi.json"
              target="_blank"
              rel="noreferrer"
            >
              /openapi.json <ExternalLink aria-hidden className="size-3.5" />
            </a>
            <span className="ml-2 text-soft">{t.system.openapi}</span>
          </li>
          <li>
            <a
              className="inline-flex items-center gap-1 text-accent-ink hover:underline"
              href="/health"
              target="_blank"
              rel="noreferrer"
            >
              /health <ExternalLink aria-hidden className="size-3.5" />
            </a>
            <span className="ml-2 text-soft">{t.system.healthText}</span>
          </li>
          <li>
            <a
              className="inline-flex items-center gap-1 text-accent-ink hover:underline"
              href={metrics(data.operations)}
              target="_blank"
              rel="noreferrer"
            >
              /metrics <ExternalLink aria-hidden className="size-3.5" />
            </a>
            <span className="ml-2 text-soft">{t.system.ops(data.operations)}</span>
          </li>
        </ul>
      </Panel>
    </div>
  );
}

/** On the operations port, at the host that the console was reached by unless the port is bound to one. */
function metrics(operations: string): string {
  const { hostname } = window.location;
  const [, host = "", port = ""] = /^(.*):(\d+)$/.exec(operations) ?? [];
  return `http://${["0.0.0.0", "[::]"].includes(host) ? hostname : host}:${port}/metrics`;
}

function ReplicaRow({ replica, newest }: { replica: Replica; newest: number }) {
  const t = useText();
  const f = useFormats();
  const now = useNow(5000);
  return (
    <tr className="border-b last:border-b-0 [&>td]:px-4 [&>td]:py-2.5">
      <td className="font-medium">
        {replica.host}
        <span className="block max-w-40 truncate font-mono text-2xs font-normal text-faint">
          {replica.id}
        </span>
      </td>
      <td className="max-sm:hidden">
        <span className="flex flex-wrap gap-1">
          {replica.roles.map((role) => (
            <Badge key={role}>{role}</Badge>
          ))}
        </span>
      </td>
      <td>
        <Badge tone={replica.ready ? "good" : "bad"} dot>
          {replica.ready ? t.system.ready : t.system.waits(replica.waiting_for.join(", "))}
        </Badge>
      </td>
      <td className="text-right">{f.number(replica.running)}</td>
      <td className="text-right max-md:hidden">
        <Badge tone={replica.revision === newest ? "neutral" : "warn"}>{f.number(replica.revision)}</Badge>
      </td>
      <td className="max-md:hidden">{replica.version}</td>
      <td className="num text-soft max-lg:hidden">{f.span(Math.max(0, now - replica.started_at))}</td>
    </tr>
  );
}
