import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";
import { useText } from "@/i18n";
import { copyText } from "@/lib/clipboard";
import { Button, IconButton } from "./button";

interface Props {
  text: string;
  /** What is copied, for the button's name; without it just "copy". */
  what?: string;
  /** With words beside the icon. */
  wide?: boolean;
}

export function CopyButton({ text, what, wide }: Props) {
  const t = useText();
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1500);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = () => void copyText(text).then(setCopied);
  const icon = copied ? <Check /> : <Copy />;
  const label = copied ? t.common.copied : what ? t.common.copyWhat(what) : t.common.copy;
  if (wide)
    return (
      <Button onClick={copy}>
        {icon}
        {copied ? t.common.copied : t.common.copy}
      </Button>
    );
  return <IconButton size="sm" label={label} icon={icon} onClick={copy} />;
}
