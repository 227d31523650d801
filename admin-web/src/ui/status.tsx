import type { Status, Tier } from "@/api/accounts";
import type { KeyStatus } from "@/api/keys";
import { useText } from "@/i18n";
import { Badge, type Tone } from "./badge";

export const statusTones: Record<Status, Tone> = {
  active: "good",
  exhausted: "warn",
  cooling: "warn",
  invalid: "bad",
  banned: "bad",
  unreadable: "bad",
  disabled: "neutral",
};

export function StatusBadge({ status }: { status: Status }) {
  const t = useText();
  return (
    <Badge tone={statusTones[status] ?? "neutral"} dot>
      {t.status[status] ?? status}
    </Badge>
  );
}

export function TierBadge({ tier }: { tier: Tier }) {
  const t = useText();
  if (!t.tier[tier]) return <>–</>;
  return <Badge tone={tier === "basic" ? "neutral" : "accent"}>{t.tier[tier]}</Badge>;
}

const keyTones: Record<KeyStatus, Tone> = {
  active: "good",
  disabled: "neutral",
  expired: "warn",
  revoked: "bad",
};

export function KeyBadge({ status }: { status: KeyStatus }) {
  const t = useText();
  return (
    <Badge tone={keyTones[status]} dot>
      {t.keys.status[status]}
    </Badge>
  );
}

export function outcomeTone(outcome: string): Tone {
  if (outcome === "success") return "good";
  if (outcome === "client_cancelled") return "neutral";
  return outcome === "invalid_request" || outcome === "refused" || outcome === "rate_limited"
    ? "warn"
    : "bad";
}

export function OutcomeBadge({ outcome }: { outcome: string }) {
  const t = useText();
  return (
    <Badge tone={outcomeTone(outcome)} dot>
      {t.outcome[outcome as keyof typeof t.outcome] ?? outcome}
    </Badge>
  );
}
