import { useNavigate } from "@tanstack/react-router";
import { useText } from "@/i18n";
import { remember } from "@/lib/remember";
import { Button } from "@/ui/button";
import { CodeBlock } from "@/ui/code";
import type { StepProps } from ".";

interface Props extends StepProps {
  secret: string | null;
}

export function EndStep({ secret, onDone }: Props) {
  const t = useText();
  const navigate = useNavigate();
  const code = `from openai import OpenAI

client = OpenAI(
    base_url="${location.origin}/v1",
    api_key="${secret ?? "sk-g2a-…"}",
)`;
  const play = () => {
    remember("setup", "left");
    void navigate({ to: "/manage/playground" });
  };
  return (
    <div className="flex flex-col gap-4">
      <div>
        <h1 className="text-xl font-semibold tracking-tight">{t.setup.end.title}</h1>
        <p className="mt-1 text-sm text-soft">{t.setup.end.text}</p>
      </div>
      <CodeBlock title="Python" code={code} />
      <div className="flex flex-wrap gap-2">
        <Button look="primary" size="lg" onClick={play}>
          {t.setup.end.playground}
        </Button>
        <Button size="lg" onClick={onDone}>
          {t.setup.end.live}
        </Button>
      </div>
    </div>
  );
}
