import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { modelsQuery } from "@/api/queries";
import { useMay } from "@/app/session";
import { useText } from "@/i18n";
import { Page } from "@/ui/page";
import { Segmented } from "@/ui/segmented";
import { ChatMode } from "./chat";
import { ImageMode } from "./image";
import type { Asking } from "./options";
import { VideoMode } from "./video";

type Mode = "chat" | "image" | "video";
// Reasons, and costs one unit.
const USUAL = "grok-4-fast";

export function PlaygroundPage() {
  const t = useText();
  const may = useMay("operator");
  const { data } = useQuery(modelsQuery);
  const [mode, setMode] = useState<Mode>("chat");
  const [asking, setAsking] = useState<Asking>({ model: "", secret: null });
  const fitting = data?.items.filter(({ video }) => video === (mode === "video")).map(({ id }) => id) ?? [];
  // Before the models are known, the usual one will do: nobody has to wait to ask.
  const known = data ? fitting : mode === "video" ? [] : [USUAL];
  const model = known.includes(asking.model)
    ? asking.model
    : known.includes(USUAL)
      ? USUAL
      : (known[0] ?? "");
  const props = { asking: { ...asking, model }, onAsking: setAsking };
  return (
    <Page
      title={t.nav.playground}
      description={may ? t.playground.text : t.common.readOnly}
      actions={
        <Segmented
          label={t.playground.mode}
          value={mode}
          onChange={setMode}
          items={(["chat", "image", "video"] as const).map((value) => ({
            value,
            label: t.playground.modes[value],
          }))}
        />
      }
    >
      {mode === "chat" && <ChatMode {...props} />}
      {mode === "image" && <ImageMode {...props} />}
      {mode === "video" && <VideoMode {...props} />}
    </Page>
  );
}
