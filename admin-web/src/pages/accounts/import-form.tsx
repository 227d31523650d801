import { FileUp } from "lucide-react";
import { type DragEvent, type FormEvent, useRef, useState } from "react";
import { type ImportFormat, type Tier, tiers } from "@/api/accounts";
import { useFormats, useText } from "@/i18n";
import { cn } from "@/lib/cn";
import { combine } from "@/lib/combine";
import { startJob } from "@/lib/jobs";
import { splitList } from "@/lib/split-list";
import { Button } from "@/ui/button";
import { CheckLine } from "@/ui/check";
import { Field, Input, Select, Textarea } from "@/ui/field";
import { importRun, startImport } from "./import-run";

const formats: ImportFormat[] = ["lines", "json", "jsonl", "seed"];
// A text area with megabytes of text makes the browser slow; a file is only named.
const SHOWN_BYTES = 200_000;

export function ImportForm() {
  const t = useText();
  const f = useFormats();
  const files = useRef<HTMLInputElement>(null);
  const [typed, setTyped] = useState("");
  const [file, setFile] = useState<{ name: string; text: string } | null>(null);
  const [over, setOver] = useState(false);
  const [mixed, setMixed] = useState(false);
  const [format, setFormat] = useState<ImportFormat | "">("");
  const [tier, setTier] = useState<Tier | "">("");
  const [tags, setTags] = useState("");
  const [note, setNote] = useState("");
  const [dryRun, setDryRun] = useState(false);
  const text = file?.text ?? typed;
  const take = async (list: FileList | null | undefined) => {
    const chosen = [...(list ?? [])];
    if (chosen.length === 0) return;
    const all = combine(await Promise.all(chosen.map((one) => one.text())));
    setMixed(all === null);
    if (all === null) return;
    if (all.length <= SHOWN_BYTES) {
      setFile(null);
      setTyped(all);
    } else setFile({ name: chosen.map(({ name }) => name).join(", "), text: all });
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void take(event.dataTransfer.files);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const request = {
      text,
      ...(format ? { format } : {}),
      ...(tier ? { tier } : {}),
      ...(tags.trim() ? { tags: splitList(tags) } : {}),
      ...(note.trim() ? { note: note.trim() } : {}),
      dry_run: dryRun,
    };
    void startJob({
      title: dryRun ? t.accounts.dryRunJob : t.accounts.importJob,
      run: (onProgress) => {
        const stop = importRun.subscribe(() => {
          const progress = importRun.get()?.progress;
          if (progress && progress.total > 0) onProgress(progress);
        });
        return startImport(request).finally(stop);
      },
      done: ({ added, merged, refused }) =>
        t.setup.accounts.result(f.number(added), f.number(merged), f.number(refused)),
    });
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      {/* biome-ignore lint/a11y/noStaticElementInteractions: dropping is a shortcut; the button below does the same */}
      <div
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
        className={cn("rounded-lg", over && "outline-2 outline-offset-2 outline-accent outline-dashed")}
      >
        {file ? (
          <div className="flex items-center justify-between gap-3 rounded-lg border bg-sunken px-4 py-6 text-sm">
            <span className="min-w-0 truncate">
              {file.name} <span className="num text-faint">{f.bytes(file.text.length)}</span>
            </span>
            <Button onClick={() => setFile(null)}>{t.accounts.anotherText}</Button>
          </div>
        ) : (
          <Field label={t.accounts.tokens} hint={t.accounts.tokensHint}>
            <Textarea
              className="min-h-44 font-mono text-xs"
              spellCheck={false}
              placeholder={"sso=eyJ0eXAiOiJKV1Qi…\neyJ0eXAiOiJKV1Qi…,super,team-a"}
              value={typed}
              onChange={(event) => setTyped(event.target.value)}
            />
          </Field>
        )}
      </div>
      {mixed && (
        <p role="alert" className="rounded-md bg-bad-wash px-3 py-2 text-sm text-bad">
          {t.accounts.mixedFiles}
        </p>
      )}
      <input
        ref={files}
        type="file"
        multiple
        accept=".txt,.csv,.json,.jsonl,text/*,application/json"
        className="hidden"
        aria-label={t.accounts.chooseFile}
        onChange={(event) => void take(event.target.files)}
      />
      <div>
        <Button onClick={() => files.current?.click()}>
          <FileUp />
          {t.accounts.chooseFile}
        </Button>
      </div>
      <div className="grid grid-cols-2 gap-3 sm:grid-cols-4">
        <Field label={t.accounts.format}>
          <Select value={format} onChange={(event) => setFormat(event.target.value as ImportFormat | "")}>
            <option value="">{t.accounts.automatic}</option>
            {formats.map((name) => (
              <option key={name} value={name}>
                {t.accounts.formats[name]}
              </option>
            ))}
          </Select>
        </Field>
        <Field label={t.accounts.tierWithout}>
          <Select value={tier} onChange={(event) => setTier(event.target.value as Tier | "")}>
            <option value="">{t.accounts.automatic}</option>
            {tiers.map((name) => (
              <option key={name} value={name}>
                {t.tier[name]}
              </option>
            ))}
          </Select>
        </Field>
        <Field label={t.accounts.tags}>
          <Input
            value={tags}
            placeholder="team-a, spring"
            onChange={(event) => setTags(event.target.value)}
          />
        </Field>
        <Field label={t.accounts.noteWithout}>
          <Input value={note} onChange={(event) => setNote(event.target.value)} />
        </Field>
      </div>
      <CheckLine checked={dryRun} onChange={(event) => setDryRun(event.target.checked)}>
        {t.accounts.dryRun}
      </CheckLine>
      <div className="flex justify-end">
        <Button type="submit" look="primary" disabled={!text.trim()}>
          {dryRun ? t.accounts.check : t.accounts.import}
        </Button>
      </div>
    </form>
  );
}
