import { type UseMutationResult, useQuery } from "@tanstack/react-query";
import { Play } from "lucide-react";
import { useState } from "react";
import { accounts } from "@/api/accounts";
import type { Bodies, Replayed, ReplayTarget, RequestEntry } from "@/api/requests";
import { useFormats, useText } from "@/i18n";
import { cn } from "@/lib/cn";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Field, Input, Select } from "@/ui/field";
import { ProblemText } from "@/ui/problem";
import { compare, type Piece } from "./diff";
import { shown } from "./shown";

interface Props {
  entry: RequestEntry;
  bodies: Bodies;
  replay: UseMutationResult<Replayed, Error, { id: string; target: ReplayTarget }>;
}

/** Asks the same once more, of whom is chosen, and lays the answers side by side. */
export function ReplayRequest({ entry, bodies, replay }: Props) {
  const t = useText();
  const [kind, setKind] = useState<"simulator" | "pool" | "account">("simulator");
  const [account, setAccount] = useState(entry.account ?? "");
  const whole = bodies.request !== null && !bodies.request.truncated;
  const target: ReplayTarget = kind === "account" ? { account: account.trim() } : kind;
  return (
    <section className="flex flex-col gap-3 rounded-lg border p-3">
      <h4 className="text-sm font-semibold">{t.requests.replay}</h4>
      {whole ? (
        <form
          className="flex flex-wrap items-end gap-3"
          onSubmit={(event) => {
            event.preventDefault();
            replay.mutate({ id: entry.id, target });
          }}
        >
          <Field label={t.requests.replayWith} className="min-w-40 flex-1">
            <Select value={kind} onChange={(event) => setKind(event.target.value as typeof kind)}>
              <option value="simulator">{t.requests.targets.simulator}</option>
              <option value="pool">{t.requests.targets.pool}</option>
              <option value="account">{t.requests.targets.account}</option>
            </Select>
          </Field>
          {kind === "account" && <AccountChoice value={account} onChange={setAccount} />}
          <Button
            type="submit"
            look="primary"
            busy={replay.isPending}
            disabled={kind === "account" && !account.trim()}
          >
            <Play />
            {t.requests.replayNow}
          </Button>
        </form>
      ) : (
        <p className="text-sm text-soft">{t.requests.notWhole}</p>
      )}
      {whole && <p className="text-xs text-faint">{t.requests.replayText[kind]}</p>}
      {replay.error && <ProblemText error={replay.error} />}
      {replay.data && <Answers entry={entry} bodies={bodies} replayed={replay.data} />}
    </section>
  );
}

function AccountChoice({ value, onChange }: { value: string; onChange: (id: string) => void }) {
  const t = useText();
  const { data } = useQuery({
    queryKey: ["accounts", "choice"],
    queryFn: ({ signal }) => accounts.list({ sort: "last_used", limit: 100 }, signal),
    staleTime: 30_000,
  });
  return (
    <Field label={t.requests.accountId} className="min-w-56 flex-[2]">
      <Input
        value={value}
        list="replay-accounts"
        spellCheck={false}
        className="font-mono text-xs"
        onChange={(event) => onChange(event.target.value)}
      />
      <datalist id="replay-accounts">
        {data?.items.map((account) => (
          <option key={account.id} value={account.id}>
            {account.note || account.token}
          </option>
        ))}
      </datalist>
    </Field>
  );
}

function Answers({ entry, bodies, replayed }: { entry: RequestEntry; bodies: Bodies; replayed: Replayed }) {
  const t = useText();
  // What was said where both said something, else what was sent.
  const [before, after] =
    bodies.answer?.text && replayed.text
      ? [bodies.answer.text, replayed.text]
      : [shown(bodies.answer?.body ?? ""), shown(replayed.body)];
  const compared = compare(before, after);
  return (
    <div className="flex flex-col gap-2" data-replayed={compared.same ? "same" : "different"}>
      <p role="status" className="text-sm">
        {compared.same ? t.requests.sameAnswer : t.requests.otherAnswer}
      </p>
      <div className="grid gap-2 sm:grid-cols-2">
        <Side
          title={t.requests.before}
          status={entry.http_status}
          ms={entry.duration_ms}
          pieces={compared.before}
          gone
        />
        <Side
          title={t.requests.now}
          status={replayed.status}
          ms={replayed.duration_ms}
          pieces={compared.after}
        />
      </div>
      {(replayed.truncated || bodies.answer?.truncated) && (
        <p className="text-xs text-warn">{t.requests.truncated}</p>
      )}
      {replayed.request_id && (
        <p className="text-xs break-all text-faint">{t.requests.replayId(replayed.request_id)}</p>
      )}
    </div>
  );
}

const scrolls =
  "max-h-80 overflow-auto p-3 font-mono text-xs leading-relaxed whitespace-pre-wrap break-words";

interface SideProps {
  title: string;
  status: number;
  ms: number;
  pieces: Piece[];
  /** What differs is here no more, rather than new. */
  gone?: boolean;
}

function Side({ title, status, ms, pieces, gone }: SideProps) {
  const f = useFormats();
  const Mark = gone ? "del" : "ins";
  return (
    <figure className="min-w-0 overflow-hidden rounded-lg border bg-sunken">
      <figcaption className="flex items-center gap-2 border-b px-3 py-1.5 text-xs font-medium text-soft">
        {title}
        <Badge>HTTP {status}</Badge>
        <span className="num ml-auto">{f.duration(ms)}</span>
      </figcaption>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls has to be reached by the keyboard */}
      <pre tabIndex={0} className={scrolls}>
        {pieces.map(({ text, at, changed }) =>
          changed ? (
            <Mark
              key={at}
              className={cn(
                "rounded-xs no-underline",
                gone ? "bg-bad-wash text-bad" : "bg-good-wash text-good",
              )}
            >
              {text}
            </Mark>
          ) : (
            <span key={at}>{text}</span>
          ),
        )}
      </pre>
    </figure>
  );
}
