import { useMutation } from "@tanstack/react-query";
import { Images } from "lucide-react";
import { type FormEvent, useState } from "react";
import { images } from "@/api/playground";
import { queryClient } from "@/api/queries";
import { useText } from "@/i18n";
import { isPicture } from "@/lib/markdown/safe";
import { localMedia } from "@/lib/media-url";
import { Button } from "@/ui/button";
import { Empty } from "@/ui/empty";
import { Field, Input, Select, Textarea } from "@/ui/field";
import { Panel } from "@/ui/page";
import { ProblemText } from "@/ui/problem";
import { Skeleton } from "@/ui/skeleton";
import { CallPanel } from "./call-panel";
import { type Asking, Options } from "./options";

interface Props {
  asking: Asking;
  onAsking: (asking: Asking) => void;
}

const sizes = ["1024x1024", "1536x1024", "1024x1536"];

export function ImageMode({ asking, onAsking }: Props) {
  const t = useText();
  const [prompt, setPrompt] = useState("");
  const [count, setCount] = useState(2);
  const [size, setSize] = useState(sizes[0] ?? "");
  const body = { model: asking.model, prompt: prompt || t.playground.imagePrompt, n: count, size };
  const make = useMutation({
    mutationFn: () => images({ secret: asking.secret }, body),
    onSuccess: () => void queryClient.invalidateQueries({ queryKey: ["media"] }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    make.mutate();
  };
  return (
    <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,1fr)_24rem]">
      <Panel title={t.playground.images} className="min-h-96">
        {make.error && <ProblemText error={make.error} />}
        {make.isPending ? (
          <div
            className="grid grid-cols-2 gap-3 lg:grid-cols-3"
            role="status"
            aria-label={t.playground.making}
          >
            {Array.from({ length: count }, (_, place) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: places of pictures that are not there yet
              <Skeleton key={place} className="aspect-square h-auto rounded-lg" />
            ))}
          </div>
        ) : make.data ? (
          <ul className="grid grid-cols-2 gap-3 lg:grid-cols-3">
            {make.data.map((url) => {
              const own = localMedia(url) ?? (isPicture(url) ? url : null);
              return (
                own && (
                  <li key={url}>
                    <img
                      src={own}
                      alt={prompt || t.media.kindOne.image}
                      className="w-full rounded-lg border"
                    />
                  </li>
                )
              );
            })}
          </ul>
        ) : (
          !make.error && <Empty icon={<Images aria-hidden />} title={t.playground.noImages} />
        )}
      </Panel>
      <div className="flex min-w-0 flex-col gap-4">
        <Panel title={t.playground.options}>
          <form onSubmit={submit}>
            <Options asking={asking} onChange={onAsking} video={false}>
              <Field label={t.playground.prompt}>
                <Textarea
                  value={prompt}
                  placeholder={t.playground.imagePrompt}
                  onChange={(event) => setPrompt(event.target.value)}
                />
              </Field>
              <div className="grid grid-cols-2 gap-3">
                <Field label={t.playground.count}>
                  <Input
                    type="number"
                    min={1}
                    max={10}
                    value={count}
                    onChange={(event) => setCount(Number(event.target.value) || 1)}
                  />
                </Field>
                <Field label={t.playground.size}>
                  <Select value={size} onChange={(event) => setSize(event.target.value)}>
                    {sizes.map((name) => (
                      <option key={name}>{name}</option>
                    ))}
                  </Select>
                </Field>
              </div>
              <Button type="submit" look="primary" busy={make.isPending} disabled={!asking.model}>
                {t.playground.make}
              </Button>
            </Options>
          </form>
        </Panel>
        <CallPanel call={{ path: "/images/generations", body }} />
      </div>
    </div>
  );
}
