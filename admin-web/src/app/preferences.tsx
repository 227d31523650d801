import { Moon, Sun, SunMoon } from "lucide-react";
import { useSyncExternalStore } from "react";
import { type Language, languages, useLanguage, useText } from "@/i18n";
import { Button, IconButton } from "@/ui/button";
import { setTheme, type Theme, theme } from "./theme";

const icons: Record<Theme, React.ReactNode> = { light: <Sun />, dark: <Moon />, system: <SunMoon /> };
const after: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };

/** Language and theme; also before signing in. Each press takes the next one. */
export function Preferences() {
  const t = useText();
  const { language, setLanguage } = useLanguage();
  const chosen = useSyncExternalStore(theme.subscribe, theme.get);
  const other: Language = language === "en" ? "zh" : "en";
  return (
    <>
      <Button
        size="sm"
        look="quiet"
        className="w-9 px-0"
        lang={other}
        aria-label={other === "zh" ? languages.zh : `EN, ${languages.en}`}
        onClick={() => setLanguage(other)}
      >
        {other === "zh" ? "中文" : "EN"}
      </Button>
      <IconButton
        size="sm"
        label={`${t.nav.theme}: ${t.nav.themes[chosen]}`}
        icon={icons[chosen]}
        onClick={() => setTheme(after[chosen])}
      />
    </>
  );
}
