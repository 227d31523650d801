import { TriangleAlert } from "lucide-react";
import { type ApiError, asApiError } from "@/api/error";
import { type Dictionary, useText } from "@/i18n";
import { Button } from "./button";

/** What went wrong in words of the chosen language, and what to do; unknown failures keep the server's text. */
export function explain(error: ApiError, t: Dictionary): string {
  const known: Record<string, string> = t.problems.codes;
  const advice = known[error.code];
  if (advice) return error.retryAfter ? `${advice} ${t.problems.retryIn(String(error.retryAfter))}` : advice;
  if (error.status === 0) return t.problems.unreachable;
  return error.message;
}

/** One line of an error, inside a form or dialog. */
export function ProblemText({ error }: { error: unknown }) {
  const t = useText();
  const known = asApiError(error);
  const text = explain(known, t);
  return (
    <div role="alert" className="rounded-md bg-bad-wash px-3 py-2 text-sm break-words text-bad">
      {text}
      {text !== known.message && known.status >= 400 && (
        <p className="mt-0.5 text-xs opacity-90">{known.message}</p>
      )}
    </div>
  );
}

interface Props {
  error: unknown;
  onRetry?: () => void;
}

/** Takes the place of what could not be loaded. */
export function Problem({ error, onRetry }: Props) {
  const t = useText();
  const known = asApiError(error);
  const text = explain(known, t);
  return (
    <div role="alert" className="flex flex-col items-center gap-2 px-6 py-12 text-center">
      <TriangleAlert aria-hidden className="size-6 text-bad" />
      <p className="font-medium">{t.problems.title}</p>
      <p className="max-w-md text-sm break-words text-soft">{text}</p>
      {text !== known.message && known.message && (
        <p className="max-w-md font-mono text-xs break-words text-faint">{known.message}</p>
      )}
      {known.requestId && <p className="font-mono text-xs text-faint">{known.requestId}</p>}
      {onRetry && (
        <Button className="mt-2" onClick={onRetry}>
          {t.common.retry}
        </Button>
      )}
    </div>
  );
}
