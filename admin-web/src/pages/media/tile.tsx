import { Play } from "lucide-react";
import type { MediaItem } from "@/api/media";
import { useFormats, useText } from "@/i18n";
import { localMedia } from "@/lib/media-url";

interface Props {
  item: MediaItem;
  onOpen: () => void;
}

export function Tile({ item, onOpen }: Props) {
  const t = useText();
  const f = useFormats();
  const url = localMedia(item.url);
  return (
    <li className="lazy-row min-w-0">
      <button
        type="button"
        onClick={onOpen}
        className="group block w-full overflow-hidden rounded-lg border bg-sunken text-left hover:border-strong"
      >
        <span className="sr-only">{t.media.open(item.name)}</span>
        <span className="relative block aspect-square">
          {url && item.kind === "image" ? (
            <img src={url} alt="" loading="lazy" decoding="async" className="size-full object-cover" />
          ) : (
            <>
              {/* The first picture of it; nothing plays. */}
              {url && (
                <video
                  src={`${url}#t=0.1`}
                  preload="metadata"
                  muted
                  playsInline
                  className="size-full object-cover"
                />
              )}
              <span aria-hidden className="absolute inset-0 grid place-items-center">
                <span className="grid size-10 place-items-center rounded-full bg-black/60 text-white">
                  <Play className="size-5" />
                </span>
              </span>
            </>
          )}
        </span>
        <span className="num flex justify-between gap-2 bg-surface px-2.5 py-1.5 text-xs text-soft">
          <span>{f.bytes(item.size)}</span>
          <span className="truncate">{f.day(item.created_at)}</span>
        </span>
        <span className="block truncate bg-surface px-2.5 pb-1.5 text-xs text-faint">
          {item.owner ? (item.owner.name ?? t.media.goneKey) : t.media.noOwner}
        </span>
      </button>
    </li>
  );
}
