import { expect, test } from "vitest";
import type { Revision } from "@/api/settings";
import { back } from "./back";

const revision = (number: number, changes: Revision["changes"]): Revision => ({
  number,
  author: "admin",
  created_at: 1,
  changes,
});
const all = [
  revision(3, [
    { name: "a", before: 2, after: 3 },
    { name: "c", before: null, after: "x" },
  ]),
  revision(2, [
    { name: "a", before: 1, after: 2 },
    { name: "b", before: true, after: false },
  ]),
  revision(1, [
    { name: "a", before: null, after: 1 },
    { name: "b", before: null, after: true },
  ]),
];

test("tells what holds now and what would hold", () => {
  expect(back(all, 2)).toEqual([
    { name: "a", before: 3, after: 2 },
    { name: "c", before: "x", after: null },
  ]);
  expect(back(all, 0)).toEqual([
    { name: "a", before: 3, after: null },
    { name: "c", before: "x", after: null },
    { name: "b", before: false, after: null },
  ]);
});

test("leaves out what is again as it was", () => {
  const returned = [revision(4, [{ name: "a", before: 3, after: 1 }]), ...all];
  expect(back(returned, 1).map(({ name }) => name)).toEqual(["c", "b"]);
});
