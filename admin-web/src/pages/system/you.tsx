import { useMutation, useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { queryClient } from "@/api/queries";
import { session } from "@/api/session";
import { useSession } from "@/app/session";
import { useFormats, useText } from "@/i18n";
import { toast } from "@/lib/toasts";
import { useNow } from "@/lib/use-now";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Field, Input } from "@/ui/field";
import { Panel } from "@/ui/page";
import { Problem, ProblemText } from "@/ui/problem";
import { Skeleton } from "@/ui/skeleton";

/** One's own password and sessions. */
export function You() {
  return (
    <div className="grid items-start gap-4 lg:grid-cols-2">
      <Password />
      <Sessions />
    </div>
  );
}

function Password() {
  const t = useText();
  const name = useSession()?.admin.name ?? "";
  const [old, setOld] = useState("");
  const [fresh, setFresh] = useState("");
  const [repeat, setRepeat] = useState("");
  const [differ, setDiffer] = useState(false);
  const save = useMutation({
    mutationFn: () => session.setPassword(old, fresh),
    onSuccess: () => {
      setOld("");
      setFresh("");
      setRepeat("");
      toast(t.system.passwordSet);
      void queryClient.invalidateQueries({ queryKey: ["sessions"] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setDiffer(fresh !== repeat);
    if (fresh === repeat) save.mutate();
  };
  return (
    <Panel title={t.system.password}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <input type="hidden" autoComplete="username" value={name} readOnly />
        <Field label={t.setup.password.current}>
          <Input
            type="password"
            autoComplete="current-password"
            required
            value={old}
            onChange={(event) => setOld(event.target.value)}
          />
        </Field>
        <Field label={t.setup.password.fresh} hint={t.system.passwordHint}>
          <Input
            type="password"
            autoComplete="new-password"
            required
            minLength={8}
            value={fresh}
            onChange={(event) => setFresh(event.target.value)}
          />
        </Field>
        <Field label={t.setup.password.repeat} error={differ ? t.setup.password.differ : null}>
          <Input
            type="password"
            autoComplete="new-password"
            required
            value={repeat}
            onChange={(event) => setRepeat(event.target.value)}
          />
        </Field>
        {save.error && <ProblemText error={save.error} />}
        <div>
          <Button type="submit" look="primary" busy={save.isPending}>
            {t.setup.password.submit}
          </Button>
        </div>
      </form>
    </Panel>
  );
}

function Sessions() {
  const t = useText();
  const f = useFormats();
  const now = useNow(5000);
  const { data, error, refetch } = useQuery({ queryKey: ["sessions"], queryFn: () => session.list() });
  const revoke = useMutation({
    mutationFn: (id: string | null) => (id ? session.revoke([id]) : session.revokeOthers()),
    onSuccess: ({ revoked }) => {
      toast(t.system.sessionsEnded(f.number(revoked)));
      void queryClient.invalidateQueries({ queryKey: ["sessions"] });
    },
  });
  return (
    <Panel
      flush
      title={t.system.sessions}
      actions={
        data &&
        data.items.length > 1 && (
          <Button size="sm" onClick={() => revoke.mutate(null)}>
            {t.system.endOthers}
          </Button>
        )
      }
    >
      {data ? (
        <ul className="divide-y">
          {data.items.map((one) => (
            <li key={one.id} className="flex items-center gap-3 px-4 py-3 text-sm">
              <div className="min-w-0 flex-1">
                <p className="flex items-center gap-2">
                  <span className="num font-medium">{one.address}</span>
                  {one.current && <Badge tone="good">{t.system.thisOne}</Badge>}
                </p>
                <p className="text-xs wrap-anywhere text-faint sm:truncate">{one.user_agent}</p>
                <p className="num text-xs text-faint">
                  {t.system.seen(f.ago(one.last_seen_at, now))} ·{" "}
                  {t.accounts.ends(f.until(one.expires_at, now))}
                </p>
              </div>
              {!one.current && (
                <Button size="sm" onClick={() => revoke.mutate(one.id)}>
                  {t.system.end}
                </Button>
              )}
            </li>
          ))}
        </ul>
      ) : error ? (
        <Problem error={error} onRetry={() => void refetch()} />
      ) : (
        <div className="p-4">
          <Skeleton />
        </div>
      )}
      {revoke.error && (
        <div className="p-4">
          <ProblemText error={revoke.error} />
        </div>
      )}
    </Panel>
  );
}
