/** A number of things: "1 account", "2 accounts". */
export const some = (n: string, one: string) => `${n} ${one}${n === "1" ? "" : "s"}`;
