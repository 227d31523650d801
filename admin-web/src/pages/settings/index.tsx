import { useNavigate, useSearch } from "@tanstack/react-router";
import { useText } from "@/i18n";
import { Page } from "@/ui/page";
import { TabPanel, Tabs } from "@/ui/tabs";
import { Editor } from "./editor";
import { History } from "./history";

export function SettingsPage() {
  const t = useText();
  const navigate = useNavigate({ from: "/manage/settings" });
  const { tab } = useSearch({ from: "/guarded/shell/manage/settings" });
  return (
    <Page title={t.nav.settings} description={t.settings.text}>
      <Tabs
        label={t.nav.settings}
        value={tab ?? "now"}
        onChange={(value) => void navigate({ search: { tab: value === "history" ? "history" : undefined } })}
        items={[
          { value: "now", label: t.settings.parameters },
          { value: "history", label: t.settings.history },
        ]}
      >
        <TabPanel value="now" keep>
          <Editor />
        </TabPanel>
        <TabPanel value="history">
          <History />
        </TabPanel>
      </Tabs>
    </Page>
  );
}
