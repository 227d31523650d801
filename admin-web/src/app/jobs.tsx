import { X } from "lucide-react";
import { useSyncExternalStore } from "react";
import { useFormats, useText } from "@/i18n";
import { dismissJob, type Job, jobs } from "@/lib/jobs";
import { IconButton } from "@/ui/button";
import { Meter } from "@/ui/meter";
import { explain } from "@/ui/problem";

/** Long work, at the lower edge of every page until it has ended and been seen. */
export function JobTray() {
  const t = useText();
  const list = useSyncExternalStore(jobs.subscribe, jobs.get);
  if (list.length === 0) return null;
  return (
    <section
      aria-label={t.jobs.title}
      className="animate-rise fixed bottom-4 left-4 z-30 w-[min(22rem,calc(100vw-2rem))] divide-y rounded-lg border bg-surface shadow-lg lg:left-56"
    >
      {list.map((job) => (
        <Line key={job.id} job={job} />
      ))}
    </section>
  );
}

function Line({ job }: { job: Job }) {
  const t = useText();
  const f = useFormats();
  const { progress } = job;
  const share =
    job.state === "done" ? 1 : progress && progress.total > 0 ? progress.done / progress.total : null;
  const running = progress
    ? t.jobs.running(f.number(progress.done), f.number(progress.total))
    : t.jobs.starting;
  return (
    <div className="px-4 py-3 text-sm">
      <div className="flex items-center gap-2">
        <p className="min-w-0 flex-1 truncate font-medium">{job.title}</p>
        {job.state !== "running" && (
          <IconButton size="sm" label={t.common.close} icon={<X />} onClick={() => dismissJob(job.id)} />
        )}
      </div>
      {job.state === "failed" ? (
        <p role="alert" className="mt-1 text-xs text-bad">
          {job.error && explain(job.error, t)}
        </p>
      ) : (
        <>
          <Meter
            share={share}
            label={job.title}
            tone={job.state === "done" ? "good" : "accent"}
            className="mt-1.5"
          />
          <p role="status" className="num mt-1 text-xs text-soft">
            {job.summary ?? running}
          </p>
          {job.state === "running" && <p className="text-xs text-faint">{t.jobs.stays}</p>}
        </>
      )}
    </div>
  );
}
