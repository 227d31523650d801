import { type ErrorComponentProps, Link, useRouter } from "@tanstack/react-router";
import { Compass } from "lucide-react";
import { useText } from "@/i18n";
import { Button } from "@/ui/button";
import { Empty } from "@/ui/empty";
import { Problem } from "@/ui/problem";
import { Skeleton } from "@/ui/skeleton";

export function NotFound() {
  const t = useText();
  return (
    <main>
      <h1 className="sr-only">{t.nav.notFound}</h1>
      <Empty
        icon={<Compass aria-hidden />}
        title={t.nav.notFound}
        action={
          <Button asChild>
            <Link to="/manage/live">{t.nav.toLive}</Link>
          </Button>
        }
      >
        {t.nav.notFoundText}
      </Empty>
    </main>
  );
}

/** While a page's code is on its way. */
export const PagePending = () => (
  <div className="flex flex-col gap-4 p-6">
    <Skeleton className="h-7 w-40" />
    <Skeleton className="h-64 w-full rounded-lg" />
  </div>
);

/** When a page could not be loaded, or its code failed: after an update the files of the old one are gone. */
export function Crashed({ error }: ErrorComponentProps) {
  const router = useRouter();
  return <Problem error={error} onRetry={() => void router.invalidate().then(() => location.reload())} />;
}
