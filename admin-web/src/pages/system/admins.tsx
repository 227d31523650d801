import { useMutation, useQuery } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { type FormEvent, useState } from "react";
import { type Admin, type AdminChange, admins } from "@/api/admins";
import { queryClient } from "@/api/queries";
import type { Role } from "@/api/session";
import { useSession } from "@/app/session";
import { useFormats, useText } from "@/i18n";
import { toast } from "@/lib/toasts";
import { useNow } from "@/lib/use-now";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Field, Input, Select } from "@/ui/field";
import { Panel } from "@/ui/page";
import { Problem, ProblemText } from "@/ui/problem";
import { Skeleton } from "@/ui/skeleton";

const roles: Role[] = ["viewer", "operator", "owner"];
const renew = () => queryClient.invalidateQueries({ queryKey: ["admins"] });

/** Who may use the console, and as what. */
export function Admins() {
  const t = useText();
  const { data, error, refetch } = useQuery({
    queryKey: ["admins"],
    queryFn: ({ signal }) => admins.list(signal),
  });
  const [creating, setCreating] = useState(false);
  const [changing, setChanging] = useState<Admin | null>(null);
  if (error && !data) return <Problem error={error} onRetry={() => void refetch()} />;
  return (
    <Panel
      flush
      title={t.system.tabs.admins}
      actions={
        <Button size="sm" onClick={() => setCreating(true)}>
          <Plus />
          {t.system.addAdmin}
        </Button>
      }
    >
      {data ? (
        <ul className="divide-y">
          {data.items.map((admin) => (
            <AdminRow key={admin.id} admin={admin} onChange={() => setChanging(admin)} />
          ))}
        </ul>
      ) : (
        <div className="p-4">
          <Skeleton />
        </div>
      )}
      {creating && <CreateAdmin onClose={() => setCreating(false)} />}
      {changing && <ChangeAdmin admin={changing} onClose={() => setChanging(null)} />}
    </Panel>
  );
}

function AdminRow({ admin, onChange }: { admin: Admin; onChange: () => void }) {
  const t = useText();
  const f = useFormats();
  const now = useNow(10_000);
  const self = useSession()?.admin.id === admin.id;
  return (
    <li className="flex items-center gap-3 px-4 py-3 text-sm">
      <div className="flex min-w-0 flex-1 flex-wrap items-center gap-x-3 gap-y-1">
        <span className="font-medium">{admin.name}</span>
        {self && <Badge tone="accent">{t.system.itsYou}</Badge>}
        <Badge>{t.nav.role[admin.role]}</Badge>
        {admin.disabled && <Badge tone="bad">{t.status.disabled}</Badge>}
        {admin.must_change_password && <Badge tone="warn">{t.system.mustChange}</Badge>}
        <span className="num text-xs text-faint sm:ml-auto">
          {t.system.lastLogin(f.ago(admin.last_login_at, now))}
        </span>
      </div>
      <Button size="sm" onClick={onChange}>
        {t.system.change}
      </Button>
    </li>
  );
}

function CreateAdmin({ onClose }: { onClose: () => void }) {
  const t = useText();
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("operator");
  const [password, setPassword] = useState("");
  const create = useMutation({
    mutationFn: () => admins.create(name, role, password),
    onSuccess: async () => {
      toast(t.system.adminAdded(name));
      await renew();
      onClose();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate();
  };
  return (
    <Dialog
      open
      size="sm"
      onOpenChange={(open) => open || onClose()}
      title={t.system.addAdmin}
      description={t.system.addAdminText}
      footer={
        <Button look="primary" type="submit" form="create-admin" busy={create.isPending}>
          {t.system.addAdmin}
        </Button>
      }
    >
      <form id="create-admin" onSubmit={submit} className="flex flex-col gap-4">
        <Field label={t.login.name}>
          <Input
            required
            maxLength={64}
            autoComplete="off"
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        </Field>
        <RoleField role={role} onChange={setRole} />
        <Field label={t.system.firstPassword} hint={t.setup.password.short}>
          <Input
            type="password"
            required
            minLength={8}
            autoComplete="new-password"
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
        </Field>
        {create.error && <ProblemText error={create.error} />}
      </form>
    </Dialog>
  );
}

function RoleField({ role, onChange }: { role: Role; onChange: (role: Role) => void }) {
  const t = useText();
  return (
    <Field label={t.system.role} hint={t.system.mays[role]}>
      <Select value={role} onChange={(event) => onChange(event.target.value as Role)}>
        {roles.map((name) => (
          <option key={name} value={name}>
            {t.nav.role[name]}
          </option>
        ))}
      </Select>
    </Field>
  );
}

function ChangeAdmin({ admin, onClose }: { admin: Admin; onClose: () => void }) {
  const t = useText();
  const f = useFormats();
  // One's own password needs the current one, and has a place of its own.
  const self = useSession()?.admin.id === admin.id;
  const [role, setRole] = useState(admin.role);
  const [password, setPassword] = useState("");
  const change = useMutation({
    mutationFn: (part: Omit<AdminChange, "expected_version">) =>
      admins.change(admin.id, { ...part, expected_version: admin.version }),
    onSuccess: async () => {
      toast(t.accounts.saved);
      await renew();
      onClose();
    },
  });
  const end = useMutation({
    mutationFn: () => admins.revokeSessions(admin.id),
    onSuccess: ({ revoked }) => toast(t.system.sessionsEnded(f.number(revoked))),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change.mutate({ ...(role === admin.role ? {} : { role }), ...(password ? { password } : {}) });
  };
  return (
    <Dialog
      open
      size="sm"
      onOpenChange={(open) => open || onClose()}
      title={admin.name}
      description={t.system.changeText}
      footer={
        <Button
          look="primary"
          type="submit"
          form="change-admin"
          busy={change.isPending}
          disabled={role === admin.role && !password}
        >
          {t.common.save}
        </Button>
      }
    >
      <form id="change-admin" onSubmit={submit} className="flex flex-col gap-4">
        <RoleField role={role} onChange={setRole} />
        {self ? (
          <p className="text-xs text-faint">{t.system.ownPassword}</p>
        ) : (
          <Field label={t.system.otherPassword} hint={t.system.otherPasswordHint}>
            <Input
              type="password"
              minLength={8}
              autoComplete="new-password"
              value={password}
              onChange={(event) => setPassword(event.target.value)}
            />
          </Field>
        )}
        <div className="flex flex-wrap gap-2">
          <Button busy={end.isPending} onClick={() => end.mutate()}>
            {t.system.endSessions}
          </Button>
          <Button
            look={admin.disabled ? "plain" : "danger"}
            onClick={() => change.mutate({ disabled: !admin.disabled })}
          >
            {admin.disabled ? t.accounts.actions.enable : t.accounts.actions.disable}
          </Button>
        </div>
        {(change.error ?? end.error) && <ProblemText error={change.error ?? end.error} />}
      </form>
    </Dialog>
  );
}
