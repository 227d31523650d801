import { useNavigate } from "@tanstack/react-router";
import { Check } from "lucide-react";
import { useState } from "react";
import { queryClient, sessionQuery } from "@/api/queries";
import { Front } from "@/app/front";
import { useSession } from "@/app/session";
import { useText } from "@/i18n";
import { cn } from "@/lib/cn";
import { remember } from "@/lib/remember";
import { Button } from "@/ui/button";
import { AccountsStep } from "./accounts";
import { BaseUrlStep } from "./base-url";
import { EndStep } from "./end";
import { KeyStep } from "./key";
import { PasswordStep } from "./password";

const steps = ["password", "base_url", "client_key", "accounts", "end"] as const;

export interface StepProps {
  onDone: () => void;
}

/** The first run: four steps, each of which can be skipped but a forced new password. */
export function SetupPage() {
  const t = useText();
  const navigate = useNavigate();
  const session = useSession();
  const forced = session?.must_change_password ?? false;
  const [at, setAt] = useState(() => (forced || !session?.setup?.password ? 0 : 1));
  // Kept for the last page; in memory only.
  const [secret, setSecret] = useState<string | null>(null);
  const step = steps[at] ?? "end";
  const next = () => {
    void queryClient.invalidateQueries({ queryKey: sessionQuery.queryKey });
    setAt((now) => Math.min(now + 1, steps.length - 1));
  };
  const leave = () => {
    remember("setup", "left");
    void navigate({ to: "/manage/live" });
  };
  const afterPassword = () => {
    // Who may not do the rest, or finds it done, came for the password only.
    const { admin, setup } = queryClient.getQueryData(sessionQuery.queryKey) ?? {};
    if (admin?.role === "viewer" || (setup?.client_key && setup.accounts)) leave();
    else next();
  };
  return (
    <Front title={t.setup.title}>
      <div className="w-full max-w-lg">
        <ol className="mb-8 flex gap-1.5">
          {steps.slice(0, 4).map((name, index) => (
            <li key={name} aria-current={index === at ? "step" : undefined} className="min-w-0 flex-1">
              <span className={cn("block h-1 rounded-full", index <= at ? "bg-accent" : "bg-line")} />
              <span
                className={cn(
                  "mt-1.5 flex items-center gap-1 text-xs",
                  index === at ? "font-medium" : "text-soft",
                )}
              >
                {index < at && <Check aria-hidden className="size-3.5 shrink-0 text-accent" />}
                <span className="truncate">{t.setup.steps[name]}</span>
              </span>
            </li>
          ))}
        </ol>
        {step === "password" && <PasswordStep onDone={afterPassword} />}
        {step === "base_url" && <BaseUrlStep onDone={next} />}
        {step === "client_key" && <KeyStep onDone={next} onSecret={setSecret} />}
        {step === "accounts" && <AccountsStep onDone={next} />}
        {step === "end" && <EndStep secret={secret} onDone={leave} />}
        {!forced && step !== "end" && (
          <div className="mt-8 flex justify-between border-t pt-4">
            <Button look="quiet" onClick={leave}>
              {t.setup.later}
            </Button>
            <Button look="quiet" onClick={next}>
              {t.setup.skip}
            </Button>
          </div>
        )}
      </div>
    </Front>
  );
}
