import { useEffect, useRef, useState } from "react";
import { type ApiError, asApiError } from "@/api/error";
import { type Asker, type ChatBody, chat, type Usage } from "@/api/playground";

/** One question and what became of it. */
export interface Turn {
  id: number;
  question: string;
  pictures: string[];
  reasoning: string;
  text: string;
  state: "running" | "done" | "stopped" | "failed";
  error: ApiError | null;
  usage: Usage | null;
  startedAt: number;
  /** Milliseconds to the first output; `null` without any. */
  first: number | null;
  /** Milliseconds in all. */
  took: number | null;
}

/** The conversation of the page. Leaving the page leaves the answer, and so stops the upstream. */
export function useChat() {
  const [turns, setTurns] = useState<Turn[]>([]);
  const running = useRef<AbortController | null>(null);
  useEffect(() => () => running.current?.abort(), []);
  const send = async (asker: Asker, body: ChatBody, question: string, pictures: string[]) => {
    running.current?.abort();
    const controller = new AbortController();
    running.current = controller;
    const turn: Turn = {
      id: Date.now(),
      question,
      pictures,
      reasoning: "",
      text: "",
      state: "running",
      error: null,
      usage: null,
      startedAt: Date.now(),
      first: null,
      took: null,
    };
    setTurns((all) => [...all, turn]);
    const put = () => setTurns((all) => all.map((one) => (one.id === turn.id ? { ...turn } : one)));
    // Many pieces arrive between two pictures of the screen; one drawing does for all of them.
    let drawn = 0;
    const draw = () => {
      drawn ||= requestAnimationFrame(() => {
        drawn = 0;
        put();
      });
    };
    try {
      let finished = false;
      for await (const piece of chat(asker, body, controller.signal)) {
        turn.first ??= Date.now() - turn.startedAt;
        if (piece.kind === "text") turn.text += piece.text;
        else if (piece.kind === "reasoning") turn.reasoning += piece.text;
        else if (piece.kind === "usage") turn.usage = piece.usage;
        else finished = true;
        draw();
      }
      turn.state = finished ? "done" : "failed";
    } catch (thrown) {
      turn.state = controller.signal.aborted ? "stopped" : "failed";
      turn.error = controller.signal.aborted ? null : asApiError(thrown);
    }
    cancelAnimationFrame(drawn);
    turn.took = Date.now() - turn.startedAt;
    put();
  };
  return {
    turns,
    busy: turns.at(-1)?.state === "running",
    send,
    stop: () => running.current?.abort(),
    clear: () => {
      running.current?.abort();
      setTurns([]);
    },
    /** Takes the last turn away, to ask it again. */
    withoutLast: () => setTurns((all) => all.slice(0, -1)),
  };
}
