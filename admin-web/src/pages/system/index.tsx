import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMay } from "@/app/session";
import { useText } from "@/i18n";
import { Page } from "@/ui/page";
import { TabPanel, Tabs } from "@/ui/tabs";
import { Actions } from "./actions";
import { Admins } from "./admins";
import { Overview } from "./overview";
import { You } from "./you";

export function SystemPage() {
  const t = useText();
  const navigate = useNavigate({ from: "/manage/system" });
  const { tab } = useSearch({ from: "/guarded/shell/manage/system" });
  const owner = useMay("owner");
  const tabs = (["overview", "admins", "actions", "you"] as const).filter(
    (name) => owner || name !== "admins",
  );
  return (
    <Page title={t.nav.system} description={t.system.text}>
      <Tabs
        label={t.nav.system}
        value={tab ?? "overview"}
        onChange={(value) => void navigate({ search: { tab: value === "overview" ? undefined : value } })}
        items={tabs.map((value) => ({ value, label: t.system.tabs[value] }))}
      >
        <TabPanel value="overview">
          <Overview />
        </TabPanel>
        {owner && (
          <TabPanel value="admins">
            <Admins />
          </TabPanel>
        )}
        <TabPanel value="actions">
          <Actions />
        </TabPanel>
        <TabPanel value="you">
          <You />
        </TabPanel>
      </Tabs>
    </Page>
  );
}
