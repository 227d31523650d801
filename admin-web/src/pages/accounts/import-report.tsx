import { useState } from "react";
import type { ImportReport } from "@/api/accounts";
import { useFormats, useText } from "@/i18n";
import { saveFile } from "@/lib/save-file";
import { Badge, type Tone } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Meter } from "@/ui/meter";
import { ProblemText } from "@/ui/problem";
import { Segmented } from "@/ui/segmented";
import type { ImportRun } from "./import-run";

interface Props {
  run: ImportRun;
  onAgain: () => void;
  onClose: () => void;
}

const tones: Record<ImportReport["result"], Tone> = { added: "good", merged: "neutral", refused: "bad" };
const results = ["refused", "merged", "added"] as const;
const SHOWN = 500;

/** How far an import is, and what became of every entry. */
export function ImportReportView({ run, onAgain, onClose }: Props) {
  const t = useText();
  const f = useFormats();
  const [shown, setShown] = useState<ImportReport["result"]>("refused");
  const { progress, reports } = run;
  const counts = { added: 0, merged: 0, refused: 0 };
  for (const { result } of reports) counts[result] += 1;
  const chosen = reports.filter(({ result }) => result === shown);
  const share = run.state === "done" ? 1 : progress.total ? progress.done / progress.total : null;
  const save = () =>
    saveFile(new Blob([reports.map((line) => JSON.stringify(line)).join("\n")]), "import-report.jsonl");
  return (
    <div className="flex flex-col gap-4">
      <div>
        <p className="num mb-1.5 flex justify-between text-sm" role="status">
          <span>
            {run.state === "done"
              ? run.dryRun
                ? t.accounts.checked
                : t.accounts.imported
              : t.accounts.importing}
          </span>
          <span>{t.jobs.running(f.number(progress.done), f.number(progress.total))}</span>
        </p>
        <Meter share={share} label={t.accounts.importTitle} tone={run.state === "done" ? "good" : "accent"} />
        {run.state === "running" && <p className="mt-1.5 text-xs text-faint">{t.jobs.stays}</p>}
      </div>
      {run.error && <ProblemText error={run.error} />}
      <div>
        <Segmented
          label={t.accounts.report}
          value={shown}
          onChange={setShown}
          items={results.map((value) => ({
            value,
            label: `${t.accounts.results[value]} ${f.number(counts[value])}`,
          }))}
        />
        <ul
          className="mt-2 h-64 divide-y overflow-y-auto rounded-lg border text-sm"
          aria-label={t.accounts.report}
        >
          {chosen.length === 0 && <li className="px-3 py-4 text-soft">{t.accounts.noneOfThese}</li>}
          {chosen.slice(0, SHOWN).map((report) => (
            <li key={report.line} className="lazy-row flex items-center gap-3 px-3 py-1.5">
              <span className="num w-14 shrink-0 text-right text-xs text-faint">{f.number(report.line)}</span>
              <span className="shrink-0 font-mono text-xs">{report.token}</span>
              <Badge tone={tones[report.result]}>{t.accounts.results[report.result]}</Badge>
              <span className="min-w-0 truncate text-xs text-soft" title={report.reason}>
                {report.reason}
              </span>
            </li>
          ))}
          {chosen.length > SHOWN && (
            <li className="px-3 py-2 text-xs text-soft">
              {t.accounts.moreInFile(f.number(chosen.length - SHOWN))}
            </li>
          )}
        </ul>
      </div>
      <div className="flex flex-wrap justify-end gap-2">
        {reports.length > 0 && <Button onClick={save}>{t.accounts.saveReport}</Button>}
        {run.state !== "running" && <Button onClick={onAgain}>{t.accounts.again}</Button>}
        <Button look="primary" onClick={onClose}>
          {run.state === "running" ? t.accounts.leave : t.common.done}
        </Button>
      </div>
    </div>
  );
}
