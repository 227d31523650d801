import { useState } from "react";
import { useText } from "@/i18n";
import { CodeBlock } from "@/ui/code";
import { Panel } from "@/ui/page";
import { Segmented } from "@/ui/segmented";
import { type Call, curl, type Language, sdk } from "./snippets";

/** The call that is made, to take along. */
export function CallPanel({ call }: { call: Call }) {
  const t = useText();
  const [language, setLanguage] = useState<Language>("curl");
  const code = language === "curl" ? curl(location.origin, call) : sdk(location.origin, call);
  return (
    <Panel
      title={t.playground.call}
      actions={
        <Segmented
          label={t.playground.call}
          value={language}
          onChange={setLanguage}
          items={(["curl", "python"] as const).map((value) => ({
            value,
            label: t.playground.languages[value],
          }))}
        />
      }
    >
      <CodeBlock title={t.playground.languages[language]} code={code} />
    </Panel>
  );
}
