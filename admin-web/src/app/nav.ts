import {
  Activity,
  FlaskConical,
  Gauge,
  Images,
  KeyRound,
  ListTree,
  Server,
  SlidersHorizontal,
  Users,
} from "lucide-react";

/** The menu: groups of pages, in the order an operator's day has. */
export const menu = [
  {
    group: "now",
    pages: [
      { name: "live", to: "/manage/live", icon: Activity },
      { name: "dashboard", to: "/manage/dashboard", icon: Gauge },
      { name: "requests", to: "/manage/requests", icon: ListTree },
    ],
  },
  {
    group: "pool",
    pages: [
      { name: "accounts", to: "/manage/accounts", icon: Users },
      { name: "keys", to: "/manage/keys", icon: KeyRound },
      { name: "media", to: "/manage/media", icon: Images },
      { name: "playground", to: "/manage/playground", icon: FlaskConical },
    ],
  },
  {
    group: "tools",
    pages: [
      { name: "settings", to: "/manage/settings", icon: SlidersHorizontal },
      { name: "system", to: "/manage/system", icon: Server },
    ],
  },
] as const;
