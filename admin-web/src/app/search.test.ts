import { expect, test } from "vitest";
import { accounts, login, requests } from "./search";

test("after signing in one only gets to pages of this console", () => {
  expect(login({ next: "/manage/keys?key=a" })).toEqual({ next: "/manage/keys?key=a" });
  for (const next of ["https://evil.example", "//evil.example", "javascript:alert(1)", "/v1/models", 5])
    expect(login({ next })).toEqual({});
});

test("what an address says wrongly is left out", () => {
  expect(accounts({ tier: "gold", status: ["cooling", "x"], sort: "token", order: "up", tag: "a" })).toEqual({
    tier: undefined,
    status: ["cooling"],
    sort: undefined,
    order: undefined,
    tag: ["a"],
  });
  expect(requests({ outcome: "timeout", from: "yesterday" })).toMatchObject({
    outcome: "timeout",
    from: undefined,
  });
});
