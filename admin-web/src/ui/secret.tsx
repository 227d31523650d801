import { useText } from "@/i18n";
import { CopyButton } from "./copy";

/** Something to copy now, because it is never shown again. */
export function Secret({ value }: { value: string }) {
  const t = useText();
  return (
    <div className="flex items-center gap-2 rounded-lg border border-accent bg-accent-wash py-2 pr-2 pl-3">
      <code className="min-w-0 flex-1 font-mono text-sm break-all select-all" data-secret>
        {value}
      </code>
      <CopyButton text={value} what={t.keys.secret} wide />
    </div>
  );
}
