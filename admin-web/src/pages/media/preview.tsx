import { useMutation } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Download, Trash2 } from "lucide-react";
import { useState } from "react";
import { type MediaItem, type MediaOwner, media } from "@/api/media";
import { useMay } from "@/app/session";
import { useFormats, useText } from "@/i18n";
import { localMedia } from "@/lib/media-url";
import { toast } from "@/lib/toasts";
import { Button } from "@/ui/button";
import { CopyButton } from "@/ui/copy";
import { Dialog } from "@/ui/dialog";
import { Facts } from "@/ui/page";
import { ProblemText } from "@/ui/problem";

interface Props {
  item: MediaItem | null;
  onClose: () => void;
  onDeleted: () => void;
}

export function Preview({ item, onClose, onDeleted }: Props) {
  const t = useText();
  const f = useFormats();
  const may = useMay("operator");
  const [size, setSize] = useState<string | null>(null);
  const remove = useMutation({
    mutationFn: (one: MediaItem) => media.delete(one.kind, one.name),
    onSuccess: () => {
      toast(t.media.deleted);
      onDeleted();
      close();
    },
  });
  const close = () => {
    setSize(null);
    remove.reset();
    onClose();
  };
  if (!item) return null;
  const url = localMedia(item.url);
  return (
    <Dialog
      open
      size="lg"
      onOpenChange={(open) => open || close()}
      title={t.media.kindOne[item.kind]}
      description={f.moment(item.created_at)}
      footer={
        <>
          {may && (
            <Button
              look="danger"
              className="mr-auto"
              busy={remove.isPending}
              onClick={() => remove.mutate(item)}
            >
              <Trash2 />
              {t.common.delete}
            </Button>
          )}
          {url && (
            <Button asChild>
              <a href={url} download={item.name}>
                <Download />
                {t.common.download}
              </a>
            </Button>
          )}
        </>
      }
    >
      <div className="flex flex-col gap-4">
        <div className="grid min-h-64 place-items-center rounded-lg bg-sunken">
          {url && item.kind === "image" && (
            <img
              src={url}
              alt={t.media.kindOne.image}
              className="max-h-[52dvh] max-w-full rounded-lg"
              onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) =>
                setSize(`${naturalWidth} × ${naturalHeight}`)
              }
            />
          )}
          {url && item.kind === "video" && (
            // biome-ignore lint/a11y/useMediaCaption: generated videos have no captions
            <video
              src={url}
              controls
              aria-label={t.media.kindOne.video}
              className="max-h-[52dvh] max-w-full rounded-lg"
              onLoadedMetadata={({ currentTarget: { videoWidth, videoHeight } }) =>
                setSize(`${videoWidth} × ${videoHeight}`)
              }
            />
          )}
        </div>
        <Facts
          items={[
            [t.media.size, `${f.bytes(item.size)}${size ? `, ${size}` : ""}`],
            [t.media.type, item.content_type],
            [t.media.owner, <Owner key="owner" owner={item.owner} />],
            [
              t.media.name,
              <span key="name" className="flex items-center gap-1 font-mono text-xs break-all">
                {item.name}{" "}
                <CopyButton text={new URL(item.url, location.origin).href} what={t.media.address} />
              </span>,
            ],
          ]}
        />
        {remove.error && <ProblemText error={remove.error} />}
      </div>
    </Dialog>
  );
}

function Owner({ owner }: { owner: MediaOwner | null }) {
  const t = useText();
  if (!owner) return t.media.noOwner;
  if (owner.kind === "admin") return t.media.byAdmin(owner.name);
  return (
    <Link to="/manage/keys" search={{ key: owner.id }} className="text-accent-ink hover:underline">
      {owner.name ?? t.media.goneKey}
    </Link>
  );
}
