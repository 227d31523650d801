import type { Dictionary } from ".";
import { accounts } from "./zh/accounts";
import { common, jobs, nav, outcome, problems, status, tier, time } from "./zh/common";
import { dashboard } from "./zh/dashboard";
import { keys } from "./zh/keys";
import { live } from "./zh/live";
import { login, setup } from "./zh/login";
import { media } from "./zh/media";
import { playground } from "./zh/playground";
import { requests } from "./zh/requests";
import { parameters, settings } from "./zh/settings";
import { system } from "./zh/system";

export const zh: Dictionary = {
  common,
  time,
  nav,
  problems,
  status,
  tier,
  outcome,
  jobs,
  login,
  setup,
  live,
  dashboard,
  accounts,
  keys,
  requests,
  media,
  playground,
  settings,
  parameters,
  system,
};
