import { Link, Outlet, useLocation } from "@tanstack/react-router";
import { Menu as MenuIcon, X } from "lucide-react";
import { useEffect, useState } from "react";
import { useText } from "@/i18n";
import { cn } from "@/lib/cn";
import { IconButton } from "@/ui/button";
import { JobTray } from "./jobs";
import { Logo } from "./logo";
import { menu } from "./nav";
import { Notices } from "./notices";
import { UserMenu } from "./user-menu";

/** Menu beside the pages; on narrow screens above them. Only the main part scrolls. */
export function Shell() {
  const t = useText();
  const [open, setOpen] = useState(false);
  const { pathname } = useLocation();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the menu closes when another page is opened
  useEffect(() => setOpen(false), [pathname]);
  useEffect(() => {
    if (!open) return;
    const close = (event: KeyboardEvent) => event.key === "Escape" && setOpen(false);
    addEventListener("keydown", close);
    return () => removeEventListener("keydown", close);
  }, [open]);
  return (
    <div className="flex h-dvh flex-col lg:flex-row">
      <a
        href="#main"
        className="sr-only focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-50 focus:rounded-md focus:bg-accent focus:px-3 focus:py-2 focus:text-on-accent"
      >
        {t.common.skip}
      </a>
      <header className="flex h-12 shrink-0 items-center justify-between border-b bg-surface px-4 lg:hidden">
        <Logo />
        <IconButton
          label={t.nav.open}
          icon={open ? <X /> : <MenuIcon />}
          aria-expanded={open}
          aria-controls="menu"
          onClick={() => setOpen(!open)}
        />
      </header>
      <aside
        id="menu"
        className={cn(
          "z-30 shrink-0 flex-col bg-surface lg:flex lg:w-52 lg:border-r",
          open ? "animate-appear fixed inset-x-0 top-12 bottom-0 flex" : "hidden",
        )}
      >
        <div className="hidden h-14 items-center px-5 lg:flex">
          <Logo />
        </div>
        <nav aria-label={t.nav.label} className="min-h-0 flex-1 overflow-y-auto px-3 py-2">
          {menu.map(({ group, pages }) => (
            <div key={group} className="mb-4">
              <p className="px-2 pb-1 text-2xs font-medium tracking-wide text-faint uppercase">
                {t.nav.groups[group]}
              </p>
              {pages.map(({ name, to, icon: Icon }) => (
                <Link
                  key={name}
                  to={to}
                  className="flex h-8 items-center gap-2.5 rounded-md px-2 text-sm text-soft hover:bg-sunken hover:text-ink aria-[current=page]:bg-accent-wash aria-[current=page]:font-medium aria-[current=page]:text-accent-ink max-lg:h-11"
                >
                  <Icon aria-hidden className="size-4" />
                  {t.nav[name]}
                </Link>
              ))}
            </div>
          ))}
        </nav>
        <UserMenu />
      </aside>
      <main
        id="main"
        tabIndex={-1}
        className="min-h-0 min-w-0 flex-1 overflow-y-auto outline-none"
        key={pathname}
      >
        <Notices />
        <Outlet />
      </main>
      <JobTray />
    </div>
  );
}
