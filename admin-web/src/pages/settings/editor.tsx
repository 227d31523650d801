import { useMutation, useQuery } from "@tanstack/react-query";
import { useBlocker } from "@tanstack/react-router";
import { Search } from "lucide-react";
import { useState } from "react";
import { asApiError } from "@/api/error";
import { parametersQuery, queryClient } from "@/api/queries";
import { type Parameter, settings } from "@/api/settings";
import { useMay } from "@/app/session";
import { useFormats, useText } from "@/i18n";
import { toast } from "@/lib/toasts";
import { Button } from "@/ui/button";
import { Confirm } from "@/ui/confirm";
import { Empty } from "@/ui/empty";
import { Input } from "@/ui/field";
import { Panel } from "@/ui/page";
import { explain, Problem, ProblemText } from "@/ui/problem";
import { Skeleton } from "@/ui/skeleton";
import { change, type Draft, wrong } from "./draft";
import { ParameterRow } from "./parameter";

const OWNERS_ONLY = ["admin_username", "admin_password"];

/** All parameters, grouped; changes are collected and saved together, all or none. */
export function Editor() {
  const t = useText();
  const f = useFormats();
  const mayChange = useMay("operator");
  const owner = useMay("owner");
  const { data, error, refetch } = useQuery(parametersQuery);
  const [draft, setDraft] = useState<Draft>({});
  const [search, setSearch] = useState("");
  const save = useMutation({
    mutationFn: (revision: number) => settings.change(draft, revision),
    onSuccess: (next) => {
      queryClient.setQueryData(parametersQuery.queryKey, next);
      void queryClient.invalidateQueries({ queryKey: ["revisions"] });
      void queryClient.invalidateQueries({ queryKey: ["system"] });
      setDraft({});
      toast(t.settings.saved(f.number(next.revision)));
    },
  });
  const count = Object.keys(draft).length;
  const leaving = useBlocker({
    shouldBlockFn: ({ current, next }) => count > 0 && current.pathname !== next.pathname,
    enableBeforeUnload: () => count > 0,
    withResolver: true,
  });
  if (error && !data) return <Problem error={error} onRetry={() => void refetch()} />;
  if (!data) return <Loading />;
  const refused = save.error && asApiError(save.error);
  const problems = new Map(
    data.parameters.map((parameter) => [
      parameter.name,
      wrong(parameter, draft[parameter.name], t.settings.wrong) ??
        (refused?.param === parameter.name ? explain(refused, t) : null),
    ]),
  );
  const bad = data.parameters.some((one) => wrong(one, draft[one.name], t.settings.wrong));
  const texts: Record<string, string> = t.parameters;
  const wanted = search.trim().toLowerCase();
  const found = data.parameters.filter((one) =>
    `${one.name} ${one.description} ${texts[one.name] ?? ""}`.toLowerCase().includes(wanted),
  );
  return (
    <div className="flex flex-col gap-4 pb-16">
      <label className="relative max-w-80">
        <span className="sr-only">{t.settings.search}</span>
        <Search aria-hidden className="absolute top-2 left-2.5 size-4 text-faint" />
        <Input
          type="search"
          className="pl-8"
          placeholder={t.settings.search}
          value={search}
          onChange={(event) => setSearch(event.target.value)}
        />
      </label>
      {!mayChange && <p className="text-sm text-soft">{t.common.readOnly}</p>}
      {found.length === 0 && <Empty icon={<Search aria-hidden />} title={t.settings.noMatch} />}
      {groups(found).map(([group, parameters]) => (
        <Panel key={group} flush title={(t.settings.groups as Record<string, string>)[group] ?? group}>
          <div className="divide-y">
            {parameters.map((parameter) => (
              <ParameterRow
                key={parameter.name}
                parameter={parameter}
                draft={draft}
                error={problems.get(parameter.name) ?? null}
                disabled={!mayChange || (OWNERS_ONLY.includes(parameter.name) && !owner)}
                onChange={(value) => setDraft((old) => change(old, parameter, value))}
              />
            ))}
          </div>
        </Panel>
      ))}
      {count > 0 && (
        <div className="animate-rise sticky bottom-4 z-20 flex flex-wrap items-center gap-2 rounded-lg border border-strong bg-surface px-4 py-3 shadow-lg">
          <p className="min-w-0 flex-1 text-sm font-medium" role="status">
            {bad ? t.settings.fixFirst : t.settings.unsaved(f.number(count))}
          </p>
          {refused && (
            <div className="order-first w-full">
              <ProblemText error={refused} />
              {refused.code === "revision_conflict" && (
                <Button size="sm" className="mt-2" onClick={() => void refetch().then(() => save.reset())}>
                  {t.settings.loadNewest}
                </Button>
              )}
            </div>
          )}
          <Button onClick={() => setDraft({})}>{t.settings.discard}</Button>
          <Button
            look="primary"
            disabled={bad}
            busy={save.isPending}
            onClick={() => save.mutate(data.revision)}
          >
            {t.common.save}
          </Button>
        </div>
      )}
      <Confirm
        open={leaving.status === "blocked"}
        onOpenChange={(open) => open || leaving.reset?.()}
        title={t.settings.leaveTitle}
        action={t.settings.leave}
        danger
        onConfirm={() => leaving.proceed?.()}
      >
        {t.settings.leaveText(f.number(count))}
      </Confirm>
    </div>
  );
}

function groups(parameters: readonly Parameter[]): [string, Parameter[]][] {
  const found = new Map<string, Parameter[]>();
  for (const parameter of parameters) {
    const group = found.get(parameter.group);
    if (group) group.push(parameter);
    else found.set(parameter.group, [parameter]);
  }
  return [...found].sort(([a], [b]) => place(a) - place(b));
}

const ORDER = ["api", "accounts", "upstream", "timeouts", "answers", "media", "records", "console"];
const place = (group: string) => (ORDER.indexOf(group) + ORDER.length + 1) % (ORDER.length + 1);

const Loading = () => (
  <div className="flex flex-col gap-4">
    <Skeleton className="h-8 w-80 max-w-full" />
    <Skeleton className="h-72 rounded-lg" />
    <Skeleton className="h-72 rounded-lg" />
  </div>
);
