import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { Images, Trash2 } from "lucide-react";
import { useState } from "react";
import { type MediaItem, type MediaKind, media } from "@/api/media";
import { queryClient } from "@/api/queries";
import { useMay } from "@/app/session";
import { useFormats, useText } from "@/i18n";
import { toast } from "@/lib/toasts";
import { Button } from "@/ui/button";
import { Confirm } from "@/ui/confirm";
import { Empty } from "@/ui/empty";
import { Menu, MenuItem } from "@/ui/menu";
import { Page, Panel } from "@/ui/page";
import { Problem } from "@/ui/problem";
import { Segmented } from "@/ui/segmented";
import { Skeleton } from "@/ui/skeleton";
import { Preview } from "./preview";
import { Tile } from "./tile";
import { UsageMeters } from "./usage";

const LIMIT = 60;
const EVERY = 20_000;

export function MediaPage() {
  const t = useText();
  const f = useFormats();
  const navigate = useNavigate({ from: "/manage/media" });
  const { kind = "image" } = useSearch({ from: "/guarded/shell/manage/media" });
  const may = useMay("operator");
  const [open, setOpen] = useState<MediaItem | null>(null);
  const [clearing, setClearing] = useState<MediaKind | "all" | null>(null);
  const usage = useQuery({
    queryKey: ["media", "usage"],
    queryFn: ({ signal }) => media.usage(signal),
    refetchInterval: EVERY,
  });
  const list = useInfiniteQuery({
    queryKey: ["media", "list", kind],
    queryFn: ({ pageParam, signal }) => media.list(kind, pageParam, LIMIT, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
  });
  const items = list.data?.pages.flatMap((page) => page.items);
  const renew = () => queryClient.invalidateQueries({ queryKey: ["media"] });
  const counted = (which: MediaKind | "all") =>
    (usage.data?.items ?? [])
      .filter((one) => which === "all" || one.kind === which)
      .reduce((sum, one) => sum + one.items, 0);
  return (
    <Page
      title={t.nav.media}
      description={t.media.text}
      actions={
        <>
          <Segmented
            label={t.media.kind}
            value={kind}
            onChange={(value) => void navigate({ search: { kind: value } })}
            items={(["image", "video"] as const).map((value) => ({
              value,
              label: t.media.kinds[value],
            }))}
          />
          {may && (
            <Menu
              trigger={
                <Button>
                  <Trash2 />
                  {t.media.clear}
                </Button>
              }
            >
              {(["image", "video", "all"] as const).map((which) => (
                <MenuItem
                  key={which}
                  danger
                  disabled={counted(which) === 0}
                  onSelect={() => setClearing(which)}
                >
                  {t.media.clearKinds[which]}
                </MenuItem>
              ))}
            </Menu>
          )}
        </>
      }
    >
      <UsageMeters usage={usage.data?.items} error={usage.error} onRetry={() => void usage.refetch()} />
      <Panel className="min-h-96">
        {list.error && !items ? (
          <Problem error={list.error} onRetry={() => void list.refetch()} />
        ) : !items ? (
          <div className="grid grid-cols-2 gap-3 sm:grid-cols-3 md:grid-cols-4 xl:grid-cols-6">
            {["a", "b", "c", "d", "e", "f"].map((line) => (
              <Skeleton key={line} className="aspect-square h-auto rounded-lg" />
            ))}
          </div>
        ) : items.length === 0 ? (
          <Empty icon={<Images aria-hidden />} title={t.media.empty}>
            {t.media.emptyText}
          </Empty>
        ) : (
          <>
            <ul className="grid grid-cols-2 gap-3 sm:grid-cols-3 md:grid-cols-4 xl:grid-cols-6">
              {items.map((item) => (
                <Tile key={`${item.kind} ${item.name}`} item={item} onOpen={() => setOpen(item)} />
              ))}
            </ul>
            {list.hasNextPage && (
              <div className="mt-4 flex justify-center">
                <Button busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
                  {t.media.more}
                </Button>
              </div>
            )}
          </>
        )}
      </Panel>
      <Preview item={open} onClose={() => setOpen(null)} onDeleted={() => void renew()} />
      <Confirm
        open={clearing !== null}
        onOpenChange={() => setClearing(null)}
        title={clearing ? t.media.clearTitle(t.media.kinds[clearing], f.number(counted(clearing))) : ""}
        action={t.media.clear}
        danger
        onConfirm={async () => {
          if (!clearing) return;
          const { deleted } = await media.clear(clearing);
          toast(t.media.cleared(f.number(deleted)));
          await renew();
        }}
      >
        {t.media.clearText}
      </Confirm>
    </Page>
  );
}
