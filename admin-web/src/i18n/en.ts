import { accounts } from "./en/accounts";
import { common, jobs, nav, outcome, problems, status, tier, time } from "./en/common";
import { dashboard } from "./en/dashboard";
import { keys } from "./en/keys";
import { live } from "./en/live";
import { login, setup } from "./en/login";
import { media } from "./en/media";
import { playground } from "./en/playground";
import { requests } from "./en/requests";
import { parameters, settings } from "./en/settings";
import { system } from "./en/system";

/** All texts in English: the shape of every language. */
export const en = {
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

/** A language has exactly these texts; one that lacks any does not compile. */
export type Dictionary = typeof en;
