import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from "@tanstack/react-router";
import { asApiError } from "@/api/error";
import { queryClient, sessionQuery } from "@/api/queries";
import { recall } from "@/lib/remember";
import { Crashed, NotFound, PagePending } from "./fallbacks";
import * as search from "./search";
import { Shell } from "./shell";

const root = createRootRoute({ component: Outlet, notFoundComponent: NotFound });

const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/manage/live" });
  },
});

const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  validateSearch: search.login,
  component: lazyRouteComponent(() => import("@/pages/login"), "LoginPage"),
});

/** Everything that needs a session. */
const guarded = createRoute({
  getParentRoute: () => root,
  id: "guarded",
  beforeLoad: async ({ location }) => {
    try {
      const session = await queryClient.ensureQueryData(sessionQuery);
      const setup = location.pathname === "/manage/setup";
      if (session.must_change_password && !setup) throw redirect({ to: "/manage/setup" });
      const empty = session.setup && !session.setup.accounts && !session.setup.client_key;
      const first = empty && session.admin.role !== "viewer";
      if (first && !setup && recall("setup") !== "left") throw redirect({ to: "/manage/setup" });
    } catch (thrown) {
      if (asApiError(thrown).needsLogin) throw redirect({ to: "/login", search: { next: location.href } });
      throw thrown;
    }
  },
  component: Outlet,
});

const setup = createRoute({
  getParentRoute: () => guarded,
  path: "/manage/setup",
  component: lazyRouteComponent(() => import("@/pages/setup"), "SetupPage"),
});

const shell = createRoute({ getParentRoute: () => guarded, id: "shell", component: Shell });

const manage = createRoute({
  getParentRoute: () => shell,
  path: "/manage",
  beforeLoad: () => {
    throw redirect({ to: "/manage/live" });
  },
});
const live = createRoute({
  getParentRoute: () => shell,
  path: "/manage/live",
  component: lazyRouteComponent(() => import("@/pages/live"), "LivePage"),
});
const dashboard = createRoute({
  getParentRoute: () => shell,
  path: "/manage/dashboard",
  validateSearch: search.dashboard,
  component: lazyRouteComponent(() => import("@/pages/dashboard"), "DashboardPage"),
});
const accounts = createRoute({
  getParentRoute: () => shell,
  path: "/manage/accounts",
  validateSearch: search.accounts,
  component: lazyRouteComponent(() => import("@/pages/accounts"), "AccountsPage"),
});
const keys = createRoute({
  getParentRoute: () => shell,
  path: "/manage/keys",
  validateSearch: search.keys,
  component: lazyRouteComponent(() => import("@/pages/keys"), "KeysPage"),
});
const requests = createRoute({
  getParentRoute: () => shell,
  path: "/manage/requests",
  validateSearch: search.requests,
  component: lazyRouteComponent(() => import("@/pages/requests"), "RequestsPage"),
});
const media = createRoute({
  getParentRoute: () => shell,
  path: "/manage/media",
  validateSearch: search.media,
  component: lazyRouteComponent(() => import("@/pages/media"), "MediaPage"),
});
const playground = createRoute({
  getParentRoute: () => shell,
  path: "/manage/playground",
  component: lazyRouteComponent(() => import("@/pages/playground"), "PlaygroundPage"),
});
const settings = createRoute({
  getParentRoute: () => shell,
  path: "/manage/settings",
  validateSearch: search.settings,
  component: lazyRouteComponent(() => import("@/pages/settings"), "SettingsPage"),
});
const system = createRoute({
  getParentRoute: () => shell,
  path: "/manage/system",
  validateSearch: search.system,
  component: lazyRouteComponent(() => import("@/pages/system"), "SystemPage"),
});

const pages = [manage, live, dashboard, accounts, keys, requests, media, playground, settings, system];
const routeTree = root.addChildren([home, login, guarded.addChildren([setup, shell.addChildren(pages)])]);

export const router = createRouter({
  routeTree,
  defaultPreload: "intent",
  defaultPendingComponent: PagePending,
  defaultErrorComponent: Crashed,
  defaultNotFoundComponent: NotFound,
  scrollToTopSelectors: ["#main"],
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}

/** A session that has ended while the console was open leads to signing in, and back to where one was. */
export function watchSession(): void {
  queryClient.getQueryCache().subscribe(({ type, query }) => {
    if (type === "updated" && query.state.status === "error") leave(query.state.error);
  });
  queryClient
    .getMutationCache()
    .subscribe(({ mutation }) => mutation?.state.error && leave(mutation.state.error));
}

function leave(error: unknown): void {
  const { pathname, href } = router.state.location;
  if (!asApiError(error).needsLogin || pathname === "/login") return;
  queryClient.removeQueries({ queryKey: sessionQuery.queryKey });
  void router.navigate({ to: "/login", search: { next: href } });
}
