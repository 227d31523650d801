export const common = {
  close: "Close",
  cancel: "Cancel",
  save: "Save",
  delete: "Delete",
  retry: "Try again",
  refresh: "Refresh",
  copy: "Copy",
  copied: "Copied",
  copyWhat: (what: string) => `Copy ${what}`,
  selectAll: "Select all rows of this page",
  selectRow: (name: string) => `Select ${name}`,
  pages: "Pages",
  previous: "Previous",
  next: "Next",
  range: (from: string, to: string, of: string) => `${from}–${to} of ${of}`,
  rangeOpen: (from: string, to: string) => `${from}–${to}`,
  notice: "Notice",
  all: "All",
  none: "None",
  yes: "Yes",
  no: "No",
  undo: "Undo",
  done: "Done",
  download: "Download",
  unknown: "unknown",
  unlimited: "No limit",
  clearFilters: "Clear filters",
  filters: "Filters",
  readOnly: "Your role may look, but not change anything here.",
  skip: "Skip to the content",
  optional: "optional",
  back: "Back",
};

export const time = {
  never: "never",
  now: "now",
  seconds: (n: string) => `${n} s`,
  minutes: (n: string) => `${n} min`,
  hours: (n: string) => `${n} h`,
  days: (n: string) => `${n} d`,
  ago: (span: string) => `${span} ago`,
  in: (span: string) => `in ${span}`,
};

export const nav = {
  label: "Main menu",
  open: "Open the menu",
  groups: { now: "Operate", pool: "Manage", tools: "Administer" },
  live: "Live",
  dashboard: "Dashboard",
  requests: "Requests",
  accounts: "Accounts",
  keys: "Keys",
  media: "Media",
  playground: "Playground",
  settings: "Settings",
  system: "System",
  language: "Language",
  theme: "Theme",
  themes: { light: "Light", dark: "Dark", system: "Like the device" },
  signOut: "Sign out",
  account: "Your sign-in",
  role: { owner: "owner", operator: "operator", viewer: "viewer" },
  openApi: "The API is open to everybody who reaches it.",
  openApiFix: "Create a key",
  setup: "Continue the set-up",
  simulated: "Simulated upstream",
  notFound: "There is no such page",
  notFoundText: "The address may be mistyped, or the page has moved.",
  toLive: "To the live view",
};

export const problems = {
  title: "This could not be loaded",
  unreachable: "The server cannot be reached. Check that it runs and that you are connected; then try again.",
  retryIn: (seconds: string) => `Try again in ${seconds} s.`,
  codes: {
    SESSION_EXPIRED: "Your session has ended. Sign in again.",
    SESSION_INVALID: "Your session has been ended. Sign in again.",
    UNAUTHORIZED: "Sign in to see this.",
    FORBIDDEN: "Your role may not do this. Ask an owner to do it or to give you another role.",
    CSRF_REFUSED:
      "The browser's request did not come from this console. Open the console at its own address and try again.",
    LOGIN_THROTTLED: "Too many failed attempts to sign in.",
    revision_conflict: "Somebody else has changed this meanwhile. Load it again and repeat your change.",
    version_conflict: "Somebody else has changed this meanwhile. Load it again and repeat your change.",
    name_taken: "This name is taken. Choose another one.",
    last_owner: "This is the last owner. Make somebody else an owner first.",
    weak_password: "Choose 8 to 256 characters that are neither the default nor your name.",
    wrong_password: "The current password is wrong.",
    storage_unavailable:
      "The store does not answer. Check the database or Redis; this works again by itself once it is back.",
    service_unreachable: "A part of the product does not answer. See which one on the System page.",
    not_enforced: "This version does not enforce limits and budgets yet, so it refuses to keep them.",
    cut_off:
      "The connection ended before the result. The work goes on at the server; look at the list again in a while.",
  },
};

export const status = {
  active: "Active",
  exhausted: "Used up",
  cooling: "Cooling",
  invalid: "Invalid",
  banned: "Banned",
  disabled: "Disabled",
};

export const tier = { basic: "Basic", super: "Super", heavy: "Heavy" };

export const outcome = {
  success: "Success",
  client_cancelled: "Client left",
  invalid_request: "Invalid request",
  refused: "Refused",
  rate_limited: "Rate limited",
  unavailable: "Unavailable",
  upstream: "Upstream failed",
  timeout: "Timed out",
  internal: "Internal error",
};

export const jobs = {
  title: "Work in progress",
  running: (done: string, total: string) => `${done} of ${total}`,
  starting: "starting",
  failed: "failed",
  stays: "You can leave this page; the work goes on.",
  show: "Show",
};
