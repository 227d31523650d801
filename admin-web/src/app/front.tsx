import { type ReactNode, useEffect } from "react";
import { Logo } from "./logo";
import { Preferences } from "./preferences";

interface Props {
  title: string;
  children: ReactNode;
}

/** The page before the console: signing in, setting up. */
export function Front({ title, children }: Props) {
  useEffect(() => {
    document.title = `${title} · grok2api`;
  }, [title]);
  return (
    <div className="flex min-h-dvh flex-col">
      <header className="flex h-14 shrink-0 items-center justify-between px-4 sm:px-6">
        <Logo />
        <span className="flex gap-0.5">
          <Preferences />
        </span>
      </header>
      <main className="flex flex-1 flex-col items-center px-4 pt-[6dvh] pb-16 sm:pt-[10dvh]">{children}</main>
    </div>
  );
}
