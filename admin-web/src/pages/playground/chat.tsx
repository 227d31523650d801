import { ImagePlus, MessageSquare, Plus, Send, Square, X } from "lucide-react";
import { type FormEvent, type KeyboardEvent, useEffect, useRef, useState } from "react";
import type { ChatBody, ChatMessage } from "@/api/playground";
import { useText } from "@/i18n";
import { readPicture } from "@/lib/read-picture";
import { Button, IconButton } from "@/ui/button";
import { CheckLine } from "@/ui/check";
import { Empty } from "@/ui/empty";
import { Field, Select, Textarea } from "@/ui/field";
import { Panel } from "@/ui/page";
import { CallPanel } from "./call-panel";
import { type Asking, Options } from "./options";
import { TurnView } from "./turn";
import { type Turn, useChat } from "./use-chat";

interface Props {
  asking: Asking;
  onAsking: (asking: Asking) => void;
}

/** Keyboards on glass have no Shift+Enter: there Enter begins a line. */
const touch = window.matchMedia("(pointer: coarse)").matches;
const modes = ["", "reasoning_content", "think", "off"] as const;

export function ChatMode({ asking, onAsking }: Props) {
  const t = useText();
  const { turns, busy, send, stop, clear, withoutLast } = useChat();
  const [text, setText] = useState("");
  const [system, setSystem] = useState("");
  const [thinking, setThinking] = useState<(typeof modes)[number]>("");
  const [stream, setStream] = useState(true);
  const [pictures, setPictures] = useState<{ name: string; url: string }[]>([]);
  const files = useRef<HTMLInputElement>(null);
  const end = useRef<HTMLDivElement>(null);
  const length = turns.reduce((sum, turn) => sum + turn.text.length + turn.reasoning.length, turns.length);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what has grown is followed
  useEffect(() => {
    const box = end.current?.parentElement;
    // Who has scrolled up to read is left in peace.
    if (box && box.scrollHeight - box.scrollTop - box.clientHeight < 160) box.scrollTop = box.scrollHeight;
  }, [length]);
  const bodyFor = (before: Turn[], question: string, shown: string[]): ChatBody => ({
    model: asking.model,
    stream,
    ...(stream ? { stream_options: { include_usage: true } } : {}),
    ...(thinking ? { thinking_mode: thinking } : {}),
    messages: messages(system, before, question, shown),
  });
  const ask = (question: string, shown: string[], before = turns) => {
    void send({ secret: asking.secret }, bodyFor(before, question, shown), question, shown);
    setText("");
    setPictures([]);
  };
  const submit = (event?: FormEvent) => {
    event?.preventDefault();
    if (!busy && text.trim())
      ask(
        text.trim(),
        pictures.map(({ url }) => url),
      );
  };
  const keys = (event: KeyboardEvent) => {
    if (touch || event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    submit();
  };
  const again = () => {
    const last = turns.at(-1);
    if (!last) return;
    withoutLast();
    ask(last.question, last.pictures, turns.slice(0, -1));
  };
  const take = async (list: FileList | null) => {
    const added = await Promise.all([...(list ?? [])].map(readPicture));
    setPictures((now) => [...now, ...added]);
  };
  return (
    <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,1fr)_24rem]">
      <Panel flush className="h-[calc(100dvh-11rem)] min-h-[28rem]">
        <div
          className="flex min-h-0 flex-1 flex-col gap-6 overflow-y-auto p-4 sm:p-6"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls has to be reached by the keyboard
          tabIndex={0}
          role="log"
          aria-label={t.playground.modes.chat}
        >
          {turns.length === 0 ? (
            <Empty
              icon={<MessageSquare aria-hidden />}
              title={t.playground.empty}
              action={t.playground.tryThese.map((example) => (
                <Button key={example} size="sm" onClick={() => ask(example, [])} disabled={!asking.model}>
                  {example}
                </Button>
              ))}
            >
              {t.playground.emptyText}
            </Empty>
          ) : (
            turns.map((turn, place) => (
              <TurnView key={turn.id} turn={turn} onAgain={place === turns.length - 1 ? again : undefined} />
            ))
          )}
          <div ref={end} />
        </div>
        <form onSubmit={submit} className="border-t p-3">
          {pictures.length > 0 && (
            <ul className="mb-2 flex flex-wrap gap-2">
              {pictures.map(({ name, url }) => (
                <li key={url} className="relative">
                  <img src={url} alt={name} className="h-14 rounded-md border" />
                  <IconButton
                    size="sm"
                    look="plain"
                    className="absolute -top-2 -right-2 size-6 rounded-full"
                    label={t.playground.attached(name)}
                    icon={<X />}
                    onClick={() => setPictures(pictures.filter((one) => one.url !== url))}
                  />
                </li>
              ))}
            </ul>
          )}
          <div className="flex items-end gap-2">
            <input
              ref={files}
              type="file"
              accept="image/*"
              multiple
              className="hidden"
              aria-label={t.playground.attach}
              onChange={(event) => void take(event.target.files)}
            />
            <IconButton
              label={t.playground.attach}
              icon={<ImagePlus />}
              onClick={() => files.current?.click()}
            />
            <Textarea
              className="max-h-40 min-h-9 flex-1 resize-none py-1.5"
              rows={2}
              aria-label={t.playground.message}
              placeholder={touch ? t.playground.placeholderTouch : t.playground.placeholder}
              value={text}
              onChange={(event) => setText(event.target.value)}
              onKeyDown={keys}
            />
            {busy ? (
              <Button onClick={stop}>
                <Square />
                {t.playground.stop}
              </Button>
            ) : (
              <Button look="primary" type="submit" disabled={!text.trim() || !asking.model}>
                <Send />
                {t.playground.send}
              </Button>
            )}
          </div>
          {asking.model && (
            <p className="mt-2 text-xs text-faint xl:hidden">{t.playground.asks(asking.model)}</p>
          )}
        </form>
      </Panel>
      <div className="flex min-w-0 flex-col gap-4">
        <Panel
          title={t.playground.options}
          actions={
            <Button size="sm" look="quiet" onClick={clear} disabled={turns.length === 0}>
              <Plus />
              {t.playground.fresh}
            </Button>
          }
        >
          <Options asking={asking} onChange={onAsking} video={false}>
            <Field label={t.playground.thinking}>
              <Select
                value={thinking}
                onChange={(event) => setThinking(event.target.value as typeof thinking)}
              >
                {modes.map((mode) => (
                  <option key={mode} value={mode}>
                    {t.playground.thinkingModes[mode]}
                  </option>
                ))}
              </Select>
            </Field>
            <Field label={t.playground.system} hint={t.playground.systemHint}>
              <Textarea
                className="min-h-14"
                value={system}
                onChange={(event) => setSystem(event.target.value)}
              />
            </Field>
            <CheckLine checked={stream} onChange={(event) => setStream(event.target.checked)}>
              {t.playground.stream}
            </CheckLine>
          </Options>
        </Panel>
        <CallPanel
          call={{
            path: "/chat/completions",
            body: {
              ...bodyFor(
                turns,
                text || (t.playground.tryThese[0] ?? ""),
                pictures.map(({ url }) => url),
              ),
            },
          }}
        />
      </div>
    </div>
  );
}

/** The conversation so far and the new question; turns that brought nothing are left out. */
function messages(system: string, before: Turn[], question: string, pictures: string[]): ChatMessage[] {
  const user = (text: string, shown: string[]): ChatMessage => ({
    role: "user",
    content: shown.length
      ? [{ type: "text", text }, ...shown.map((url) => ({ type: "image_url" as const, image_url: { url } }))]
      : text,
  });
  const told = before
    .filter((turn) => turn.text)
    .flatMap((turn): ChatMessage[] => [
      user(turn.question, turn.pictures),
      { role: "assistant", content: turn.text },
    ]);
  const first: ChatMessage[] = system.trim() ? [{ role: "system", content: system.trim() }] : [];
  return [...first, ...told, user(question, pictures)];
}
