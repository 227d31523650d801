import { Brain, ChevronRight, RotateCcw } from "lucide-react";
import { useFormats, useText } from "@/i18n";
import { Markdown } from "@/lib/markdown/markdown";
import { Button } from "@/ui/button";
import { CopyButton } from "@/ui/copy";
import { ProblemText } from "@/ui/problem";
import { Skeleton } from "@/ui/skeleton";
import type { Turn } from "./use-chat";

interface Props {
  turn: Turn;
  /** Only for the last one. */
  onAgain?: () => void;
}

export function TurnView({ turn, onAgain }: Props) {
  const t = useText();
  const f = useFormats();
  const running = turn.state === "running";
  return (
    <article className="flex flex-col gap-3" data-state={turn.state}>
      <div className="ml-auto flex max-w-[85%] flex-col items-end gap-2">
        {turn.pictures.map((picture, place) => (
          <img
            // biome-ignore lint/suspicious/noArrayIndexKey: pictures have no names
            key={place}
            src={picture}
            alt={t.playground.reference}
            className="max-h-40 rounded-lg border"
          />
        ))}
        <p className="rounded-lg rounded-br-sm bg-accent-wash px-3 py-2 break-words whitespace-pre-wrap">
          <span className="sr-only">{t.playground.you}: </span>
          {turn.question}
        </p>
      </div>
      <div className="flex min-w-0 flex-col gap-3" aria-busy={running}>
        <span className="sr-only">{t.playground.answer}: </span>
        {turn.reasoning && (
          <details
            open={running && !turn.text}
            className="group rounded-lg border bg-sunken px-3 py-2 text-sm text-soft"
          >
            <summary className="flex cursor-pointer items-center gap-2 font-medium">
              <Brain aria-hidden className="size-4" />
              {running && !turn.text ? t.playground.thinkingNow : t.playground.thoughts}
              <ChevronRight aria-hidden className="size-3.5 transition-transform group-open:rotate-90" />
            </summary>
            <div className="mt-2 whitespace-pre-wrap break-words">{turn.reasoning}</div>
          </details>
        )}
        {turn.text && <Markdown text={turn.text} />}
        {running && !turn.text && !turn.reasoning && <Skeleton className="w-24" />}
        {turn.error && <ProblemText error={turn.error} />}
        {turn.state === "failed" && !turn.error && <p className="text-sm text-bad">{t.playground.cutOff}</p>}
        {turn.state === "stopped" && <p className="text-sm text-soft">{t.playground.stopped}</p>}
        {!running && (
          <p className="num flex flex-wrap items-center gap-x-3 gap-y-1 text-xs text-faint">
            {turn.usage && (
              <span>
                {t.playground.used(
                  f.number(turn.usage.prompt_tokens),
                  f.number(turn.usage.completion_tokens),
                )}
              </span>
            )}
            {turn.first !== null && turn.took !== null && (
              <span>{t.playground.took(f.duration(turn.first), f.duration(turn.took))}</span>
            )}
            {turn.text && <CopyButton text={turn.text} />}
            {onAgain && (
              <Button size="sm" look="quiet" onClick={onAgain}>
                <RotateCcw />
                {t.playground.again}
              </Button>
            )}
          </p>
        )}
      </div>
    </article>
  );
}
