import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { asApiError } from "@/api/error";
import { type KeptBody, type RequestEntry, requests } from "@/api/requests";
import { useMay } from "@/app/session";
import { useFormats, useText } from "@/i18n";
import { Button } from "@/ui/button";
import { CodeBlock } from "@/ui/code";
import { ProblemText } from "@/ui/problem";
import { Skeleton } from "@/ui/skeleton";
import { ReplayRequest } from "./replay";
import { shown } from "./shown";

/** What was sent and answered, where that is kept: read when it is asked for, since reading is written down. */
export function RequestBodies({ entry }: { entry: RequestEntry }) {
  const t = useText();
  const may = useMay("operator");
  const [open, setOpen] = useState(false);
  if (!may) return null;
  return (
    <section>
      <h3 className="mb-2 text-sm font-semibold">{t.requests.bodies}</h3>
      {open ? (
        <Loaded entry={entry} />
      ) : (
        <div className="flex flex-wrap items-center gap-3">
          <Button onClick={() => setOpen(true)}>{t.requests.showBodies}</Button>
          <p className="min-w-0 flex-1 text-xs text-faint">{t.requests.bodiesText}</p>
        </div>
      )}
    </section>
  );
}

function Loaded({ entry }: { entry: RequestEntry }) {
  const t = useText();
  const { data, error, isPending } = useQuery({
    queryKey: ["requests", "bodies", entry.id],
    queryFn: () => requests.bodies(entry.id),
    // Each reading is an action of the log.
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
  });
  const replay = useMutation({ mutationFn: requests.replay });
  if (isPending) return <Skeleton className="h-24" />;
  if (error) {
    if (asApiError(error).code === "bodies_not_found")
      return <p className="text-sm text-soft">{t.requests.noBodies}</p>;
    return <ProblemText error={error} />;
  }
  return (
    <div className="flex flex-col gap-4">
      <Body title={t.requests.sent} body={data.request} />
      <Body title={t.requests.answered} body={data.answer} />
      <ReplayRequest entry={entry} bodies={data} replay={replay} />
    </div>
  );
}

function Body({ title, body }: { title: string; body: KeptBody | null }) {
  const t = useText();
  const f = useFormats();
  if (!body || body.size === 0) return <p className="text-sm text-soft">{t.requests.noBody(title)}</p>;
  return (
    <div className="min-w-0">
      <CodeBlock
        title={`${title} · ${f.bytes(body.size)}`}
        code={body.body === null ? t.requests.binary : shown(body.body)}
      />
      {body.truncated && <p className="mt-1 text-xs text-warn">{t.requests.truncated}</p>}
    </div>
  );
}
