import { expect, test } from "vitest";
import { emptySpec, toDraft, toSpec } from "./spec";

test("a key is the same after it went through the form", () => {
  const spec = {
    ...emptySpec,
    name: "Anna",
    expires_at: new Date("2027-01-31T12:30").getTime(),
    models: ["grok-4-fast"],
    addresses: ["192.0.2.0/24", "198.51.100.7"],
    account_tags: ["team-a"],
    limits: { requests_per_minute: 60, tokens_per_minute: null, concurrency: 4 },
    budgets: [{ unit: "units" as const, period: "day" as const, amount: 500 }],
  };
  expect(toSpec(toDraft(spec))).toEqual(spec);
});

test("what is left empty is no limit, and a budget without an amount is none", () => {
  const draft = toDraft(emptySpec);
  draft.budgets = [{ id: 1, unit: "tokens", period: "month", amount: " " }];
  expect(toSpec(draft)).toEqual(emptySpec);
});
