import { useMutation } from "@tanstack/react-query";
import { useNavigate, useRouter, useSearch } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { queryClient, sessionQuery } from "@/api/queries";
import { session } from "@/api/session";
import { Front } from "@/app/front";
import { typedPassword } from "@/app/session";
import { useText } from "@/i18n";
import { recall, remember } from "@/lib/remember";
import { Button } from "@/ui/button";
import { Field, Input } from "@/ui/field";
import { ProblemText } from "@/ui/problem";

export function LoginPage() {
  const t = useText();
  const navigate = useNavigate();
  const router = useRouter();
  const { next } = useSearch({ from: "/login" });
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const login = useMutation({
    mutationFn: async () => {
      const { success } = await session.login(name, password);
      if (!success) return false;
      remember("signed-in", "yes");
      typedPassword.keep(password);
      queryClient.clear();
      await queryClient.fetchQuery(sessionQuery);
      return true;
    },
    onSuccess: (signedIn) => {
      // Everything but the path is the router's to decide: a forced new password comes before.
      if (signedIn) void (next ? router.history.push(next) : navigate({ to: "/manage/live" }));
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    login.mutate();
  };
  return (
    <Front title={t.login.title}>
      <form onSubmit={submit} className="flex w-full max-w-80 flex-col gap-4">
        <div className="mb-2">
          <h1 className="text-xl font-semibold tracking-tight">{t.login.title}</h1>
          <p className="mt-1 text-sm text-soft">
            {next && recall("signed-in") ? t.login.again : t.login.text}
          </p>
        </div>
        <Field label={t.login.name}>
          <Input
            className="h-10"
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            required
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        </Field>
        <Field label={t.login.password} error={login.data === false ? t.login.wrong : null}>
          <Input
            className="h-10"
            type="password"
            autoComplete="current-password"
            required
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
        </Field>
        {login.error && <ProblemText error={login.error} />}
        <Button type="submit" look="primary" size="lg" busy={login.isPending}>
          {t.login.submit}
        </Button>
        <p className="text-xs text-faint">{t.login.hint}</p>
      </form>
    </Front>
  );
}
