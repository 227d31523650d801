import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type RequestEntry, requests } from "@/api/requests";
import { useFormats, useText } from "@/i18n";
import { Badge } from "@/ui/badge";
import { CopyButton } from "@/ui/copy";
import { Dialog } from "@/ui/dialog";
import { Facts } from "@/ui/page";
import { Problem } from "@/ui/problem";
import { Skeleton } from "@/ui/skeleton";
import { OutcomeBadge, outcomeTone } from "@/ui/status";
import { RequestBodies } from "./bodies";
import { timeline } from "./timeline";

interface Props {
  id: string | undefined;
  /** As the list knows it, so that it shows at once. */
  known: RequestEntry | undefined;
  onClose: () => void;
}

/** One request: how it ended and why, its attempts in time, what it used. */
export function RequestDetail({ id, known, onClose }: Props) {
  const t = useText();
  const { data, error, refetch } = useQuery({
    queryKey: ["requests", "one", id],
    queryFn: () => requests.get(id ?? ""),
    enabled: !!id && !known,
    retry: 3,
  });
  const entry = known ?? (data?.id === id ? data : undefined);
  return (
    <Dialog
      side
      open={!!id}
      onOpenChange={(open) => open || onClose()}
      title={entry?.model || t.requests.one}
      description={entry?.endpoint}
    >
      {entry ? (
        <Entry entry={entry} />
      ) : error ? (
        <Problem error={error} onRetry={() => void refetch()} />
      ) : (
        <Skeleton className="h-48" />
      )}
    </Dialog>
  );
}

function Entry({ entry }: { entry: RequestEntry }) {
  const t = useText();
  const f = useFormats();
  return (
    <div className="flex flex-col gap-6">
      <div className="flex flex-wrap items-center gap-2">
        <OutcomeBadge outcome={entry.outcome} />
        <Badge>HTTP {entry.http_status}</Badge>
        <Badge>{entry.stream ? t.requests.streamed : t.requests.whole}</Badge>
      </div>
      {entry.error_message && (
        <p className="rounded-md bg-bad-wash px-3 py-2 text-sm break-words text-bad">
          {entry.error_message}
          {entry.error_code && <code className="mt-0.5 block font-mono text-xs">{entry.error_code}</code>}
        </p>
      )}
      <section>
        <h3 className="mb-2 text-sm font-semibold">{t.requests.timeline}</h3>
        <Timeline entry={entry} />
      </section>
      <section>
        <h3 className="mb-2 text-sm font-semibold">{t.requests.used}</h3>
        <Facts
          items={[
            [t.requests.input, f.number(entry.prompt_tokens)],
            [t.requests.output, f.number(entry.completion_tokens)],
            [t.requests.reasoning, f.number(entry.reasoning_tokens)],
            [t.requests.units, f.number(entry.units)],
            [t.requests.made, t.dashboard.made(f.number(entry.images), f.number(entry.videos))],
          ]}
        />
        {entry.tokens_estimated && <p className="mt-1 text-xs text-faint">{t.requests.estimated}</p>}
      </section>
      <RequestBodies key={entry.id} entry={entry} />
      <section>
        <h3 className="mb-2 text-sm font-semibold">{t.accounts.facts}</h3>
        <Facts
          items={[
            [t.requests.started, f.moment(entry.started_at)],
            [t.requests.duration, f.duration(entry.duration_ms)],
            [
              t.requests.firstOutput,
              entry.first_output_ms === null ? "–" : f.duration(entry.first_output_ms),
            ],
            [
              t.requests.key,
              entry.client_key ? (
                <Link
                  key="key"
                  to="/manage/keys"
                  search={{ key: entry.client_key }}
                  className="text-accent-ink hover:underline"
                >
                  {entry.key_name ?? entry.client_key}
                </Link>
              ) : (
                t.common.none
              ),
            ],
            [t.requests.requestId, <Id key="request" text={entry.request_id} />],
            [t.requests.id, <Id key="id" text={entry.id} />],
          ]}
        />
      </section>
    </div>
  );
}

const Id = ({ text }: { text: string }) => (
  <span className="flex items-center gap-1 font-mono text-xs break-all">
    {text || "–"} {text && <CopyButton text={text} />}
  </span>
);

const fills = {
  good: "fill-good",
  warn: "fill-warn",
  bad: "fill-bad",
  neutral: "fill-strong",
  accent: "fill-accent",
};

function Timeline({ entry }: { entry: RequestEntry }) {
  const t = useText();
  const f = useFormats();
  const spans = timeline(entry);
  if (spans.length === 0) return <p className="text-sm text-soft">{t.requests.noAttempts}</p>;
  return (
    <ol className="flex flex-col gap-3">
      {spans.map(({ attempt, start, length, ms }, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: an attempt has no name but its place
        <li key={index} className="text-sm">
          <div className="flex flex-wrap items-center gap-2">
            <span className="num w-4 text-xs text-faint">{index + 1}</span>
            <OutcomeBadge outcome={attempt.outcome} />
            <Link
              to="/manage/accounts"
              search={{ account: attempt.account }}
              className="font-mono text-xs text-soft hover:underline"
            >
              {attempt.token || attempt.account}
            </Link>
            <span className="num ml-auto text-xs text-soft">
              {f.duration(ms)} · {t.requests.unitsOf(f.number(attempt.units))}
            </span>
          </div>
          <svg aria-hidden viewBox="0 0 100 4" preserveAspectRatio="none" className="mt-1.5 h-1.5 w-full">
            <rect width="100" height="4" rx="1" className="fill-sunken" />
            <rect
              x={start * 100}
              width={Math.max(0.6, length * 100)}
              height="4"
              rx="1"
              className={fills[outcomeTone(attempt.outcome)]}
            />
          </svg>
          {attempt.cause && <p className="mt-1 text-xs break-words text-soft">{attempt.cause}</p>}
        </li>
      ))}
    </ol>
  );
}
