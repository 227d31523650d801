import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from "react";
import { Formats } from "@/lib/format";
import { recall, remember } from "@/lib/remember";
import type { Dictionary } from "./en";

export type Language = "en" | "zh";
export type { Dictionary };

// Each language is a file of its own, so that nobody loads the other.
const loaders: Record<Language, () => Promise<Dictionary>> = {
  en: () => import("./en").then((module) => module.en),
  zh: () => import("./zh").then((module) => module.zh),
};

/** The names languages call themselves by. */
export const languages: Record<Language, string> = { en: "English", zh: "中文" };

export function preferredLanguage(): Language {
  const chosen = recall("language");
  if (chosen === "en" || chosen === "zh") return chosen;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

export function loadDictionary(language: Language): Promise<Dictionary> {
  return loaders[language]();
}

interface Words {
  language: Language;
  t: Dictionary;
  f: Formats;
  setLanguage: (language: Language) => void;
}

const Context = createContext<Words | null>(null);

interface Props {
  first: { language: Language; t: Dictionary };
  children: ReactNode;
}

/** Gives everything below the chosen language; switching keeps what is on the screen. */
export function Translations({ first, children }: Props) {
  const [current, setCurrent] = useState(first);
  useEffect(() => {
    document.documentElement.lang = current.language === "zh" ? "zh-CN" : "en";
  }, [current.language]);
  const words = useMemo<Words>(
    () => ({
      ...current,
      f: new Formats(current.language, current.t.time),
      setLanguage: (language) => {
        remember("language", language);
        void loadDictionary(language).then((t) => setCurrent({ language, t }));
      },
    }),
    [current],
  );
  return <Context value={words}>{children}</Context>;
}

function useWords(): Words {
  const words = useContext(Context);
  if (!words) throw new Error("used outside of <Translations>");
  return words;
}

/** The texts of the chosen language. */
export const useText = () => useWords().t;
/** Numbers, sizes and times as the chosen language writes them. */
export const useFormats = () => useWords().f;
export function useLanguage(): Pick<Words, "language" | "setLanguage"> {
  return useWords();
}
