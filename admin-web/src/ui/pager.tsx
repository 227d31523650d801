import { ChevronLeft, ChevronRight } from "lucide-react";
import { useText } from "@/i18n";
import { Button } from "./button";

interface Props {
  /** Which rows are shown: "1–100 of 50,000". */
  children: React.ReactNode;
  onPrevious?: () => void;
  onNext?: () => void;
}

/** Below a list: where one is, and the pages beside it. */
export function Pager({ children, onPrevious, onNext }: Props) {
  const t = useText();
  return (
    <nav
      aria-label={t.common.pages}
      className="flex min-h-12 items-center justify-between gap-3 border-t px-4 py-2"
    >
      <span className="num text-xs text-soft">{children}</span>
      <span className="flex gap-1.5">
        <Button size="sm" disabled={!onPrevious} onClick={onPrevious}>
          <ChevronLeft />
          {t.common.previous}
        </Button>
        <Button size="sm" disabled={!onNext} onClick={onNext}>
          {t.common.next}
          <ChevronRight />
        </Button>
      </span>
    </nav>
  );
}
