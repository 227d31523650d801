import { useMutation, useQuery } from "@tanstack/react-query";
import { Clapperboard } from "lucide-react";
import { type FormEvent, useState } from "react";
import { createVideo, video, videoContent } from "@/api/playground";
import { useText } from "@/i18n";
import { readPicture } from "@/lib/read-picture";
import { Button } from "@/ui/button";
import { Empty } from "@/ui/empty";
import { Field, Select, Textarea, useField } from "@/ui/field";
import { Meter } from "@/ui/meter";
import { Panel } from "@/ui/page";
import { ProblemText } from "@/ui/problem";
import { CallPanel } from "./call-panel";
import { type Asking, Options } from "./options";

interface Props {
  asking: Asking;
  onAsking: (asking: Asking) => void;
}

export function VideoMode({ asking, onAsking }: Props) {
  const t = useText();
  const [prompt, setPrompt] = useState("");
  const [seconds, setSeconds] = useState("4");
  const [size, setSize] = useState("1280x720");
  const [picture, setPicture] = useState<string | null>(null);
  const body = {
    model: asking.model,
    prompt: prompt || t.playground.videoPrompt,
    seconds,
    size,
    ...(picture ? { input_reference: { image_url: picture } } : {}),
  };
  const asker = { secret: asking.secret };
  const make = useMutation({ mutationFn: () => createVideo(asker, body) });
  const id = make.data?.id;
  const job = useQuery({
    queryKey: ["video", id],
    queryFn: () => video(asker, id ?? ""),
    enabled: !!id,
    refetchInterval: ({ state }) => (state.data && /completed|failed/.test(state.data.status) ? false : 1500),
  });
  const content = useQuery({
    queryKey: ["video", id, "content"],
    queryFn: () => videoContent(asker, id ?? ""),
    enabled: job.data?.status === "completed",
    staleTime: Number.POSITIVE_INFINITY,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    make.mutate();
  };
  const state = job.data ?? make.data;
  return (
    <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,1fr)_24rem]">
      <Panel title={t.playground.modes.video} className="min-h-96">
        {(make.error ?? job.error ?? content.error) && (
          <ProblemText error={make.error ?? job.error ?? content.error} />
        )}
        {content.data ? (
          // biome-ignore lint/a11y/useMediaCaption: generated videos have no captions
          <video
            src={content.data}
            controls
            aria-label={t.media.kindOne.video}
            className="aspect-video max-h-[60dvh] w-full rounded-lg bg-sunken"
          />
        ) : state ? (
          <div className="mx-auto flex max-w-sm flex-col gap-2 py-20" role="status">
            <p className="text-sm font-medium">{t.playground.videoStates[state.status]}</p>
            <Meter
              share={state.status === "queued" ? null : state.progress / 100}
              label={t.playground.making}
            />
            {state.error && <ProblemText error={new Error(state.error.message)} />}
          </div>
        ) : (
          !make.error && <Empty icon={<Clapperboard aria-hidden />} title={t.playground.noVideo} />
        )}
      </Panel>
      <div className="flex min-w-0 flex-col gap-4">
        <Panel title={t.playground.options}>
          <form onSubmit={submit}>
            <Options asking={asking} onChange={onAsking} video>
              <Field label={t.playground.prompt}>
                <Textarea
                  value={prompt}
                  placeholder={t.playground.videoPrompt}
                  onChange={(event) => setPrompt(event.target.value)}
                />
              </Field>
              <Field label={t.playground.reference}>
                <PictureInput onPicture={setPicture} />
              </Field>
              <div className="grid grid-cols-2 gap-3">
                <Field label={t.playground.seconds}>
                  <Select value={seconds} onChange={(event) => setSeconds(event.target.value)}>
                    {["4", "8", "12"].map((value) => (
                      <option key={value}>{value}</option>
                    ))}
                  </Select>
                </Field>
                <Field label={t.playground.size}>
                  <Select value={size} onChange={(event) => setSize(event.target.value)}>
                    {["1280x720", "720x1280"].map((value) => (
                      <option key={value}>{value}</option>
                    ))}
                  </Select>
                </Field>
              </div>
              <Button
                type="submit"
                look="primary"
                busy={make.isPending || state?.status === "queued" || state?.status === "in_progress"}
                disabled={!asking.model}
              >
                {t.playground.make}
              </Button>
            </Options>
          </form>
        </Panel>
        <CallPanel call={{ path: "/videos", body }} />
      </div>
    </div>
  );
}

function PictureInput({ onPicture }: { onPicture: (url: string | null) => void }) {
  const field = useField();
  const take = async (file: File | undefined) => onPicture(file ? (await readPicture(file)).url : null);
  return (
    <input
      {...field}
      type="file"
      accept="image/*"
      className="text-xs file:mr-3 file:h-8 file:cursor-pointer file:rounded-md file:border file:border-line file:bg-surface file:px-3 file:text-sm file:text-ink"
      onChange={(event) => void take(event.target.files?.[0])}
    />
  );
}
