import { type ApiError, asApiError } from "@/api/error";
import type { Progress } from "@/api/ndjson";
import { Store } from "./store";

/** Long work at the server that this console follows, whichever page is open. */
export interface Job {
  id: number;
  title: string;
  state: "running" | "done" | "failed";
  progress: Progress | null;
  /** One line once it has ended. */
  summary: string | null;
  error: ApiError | null;
}

export const jobs = new Store<readonly Job[]>([]);
let last = 0;
// What ended well need not be put away by hand.
const SHOWN_WHEN_DONE = 12_000;

function update(id: number, change: Partial<Job>): void {
  jobs.set(jobs.get().map((job) => (job.id === id ? { ...job, ...change } : job)));
}

interface Work<R> {
  title: string;
  run: (onProgress: (progress: Progress) => void) => Promise<R>;
  /** Told with the result; its text is what stays to be read. */
  done: (result: R) => string;
}

/** Begins work and follows it to its end. */
export async function startJob<R>({ title, run, done }: Work<R>): Promise<R | undefined> {
  last += 1;
  const id = last;
  jobs.set([...jobs.get(), { id, title, state: "running", progress: null, summary: null, error: null }]);
  try {
    const result = await run((progress) => update(id, { progress }));
    update(id, { state: "done", summary: done(result) });
    setTimeout(() => dismissJob(id), SHOWN_WHEN_DONE);
    return result;
  } catch (thrown) {
    update(id, { state: "failed", error: asApiError(thrown) });
    return undefined;
  }
}

export function dismissJob(id: number): void {
  jobs.set(jobs.get().filter((job) => job.id !== id));
}
