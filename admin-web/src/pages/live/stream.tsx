import { useMutation } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { OctagonX } from "lucide-react";
import { live, type Running } from "@/api/live";
import { useMay } from "@/app/session";
import { useFormats, useText } from "@/i18n";
import { toast } from "@/lib/toasts";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { CopyButton } from "@/ui/copy";
import { Dialog } from "@/ui/dialog";
import { Facts } from "@/ui/page";
import { ProblemText } from "@/ui/problem";

interface Props {
  running: Running;
  /** It has ended while it was looked at. */
  gone: boolean;
  /** Of the replica that serves it. */
  host: string;
  now: number;
  onClose: () => void;
}

/** One running stream, and the way to end it. */
export default function StreamDialog({ running, gone, host, now, onClose }: Props) {
  const t = useText();
  const f = useFormats();
  const may = useMay("operator");
  const cancel = useMutation({
    mutationFn: (id: string) => live.cancel(id),
    onSuccess: () => {
      toast(t.live.cancelled);
      onClose();
    },
  });
  const first = running.first_output_at;
  return (
    <Dialog
      open
      onOpenChange={(open) => open || onClose()}
      title={running.model}
      description={t.live.streamText}
      footer={
        gone ? (
          <Button asChild>
            <Link to="/manage/requests" search={{ request: running.id }}>
              {t.live.seeRequest}
            </Link>
          </Button>
        ) : (
          may && (
            <Button
              look="danger"
              busy={cancel.isPending}
              disabled={!running.cancellable}
              onClick={() => cancel.mutate(running.id)}
            >
              <OctagonX />
              {t.live.cancel}
            </Button>
          )
        )
      }
    >
      <Facts
        items={[
          [
            t.live.phase,
            gone ? (
              <Badge key="gone">{t.live.ended}</Badge>
            ) : (
              <Badge key="phase" tone={running.phase === "running" ? "good" : "warn"} dot>
                {t.live.phases[running.phase]}
              </Badge>
            ),
          ],
          [
            t.requests.endpoint,
            <code key="endpoint" className="font-mono text-xs">
              {running.endpoint}
            </code>,
          ],
          [t.requests.key, running.key_name ?? t.common.none],
          [t.requests.account, running.account_token ?? t.common.none],
          [t.requests.replica, host],
          [t.requests.started, f.moment(running.started_at)],
          [t.live.age, f.duration(Math.max(0, now - running.started_at))],
          [t.requests.firstOutput, first ? f.duration(first - running.started_at) : "–"],
          [t.requests.tokens, `${f.number(running.tokens)} (${t.live.estimated})`],
          [t.requests.speed, running.tokens_per_second === null ? "–" : f.number(running.tokens_per_second)],
          [t.requests.attempts, f.number(running.attempts)],
          [
            t.requests.id,
            <span key="id" className="flex items-center gap-1 font-mono text-xs break-all">
              {running.id} <CopyButton text={running.id} />
            </span>,
          ],
        ]}
      />
      {cancel.error && (
        <div className="mt-4">
          <ProblemText error={cancel.error} />
        </div>
      )}
    </Dialog>
  );
}
