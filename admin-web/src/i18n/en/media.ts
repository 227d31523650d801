/** "1 file", "2 files". */
const some = (n: string, one: string) => `${n} ${one}${n === "1" ? "" : "s"}`;

export const media = {
  text: "Generated images and videos that are kept. The least recently used go first when the limit is reached.",
  kind: "Kind",
  kinds: { all: "All", image: "Images", video: "Videos" },
  kindOne: { image: "Image", video: "Video" },
  usageOf: (kind: string) => `${kind}: used of the limit`,
  of: (used: string, limit: string) => `${used} of ${limit}`,
  clear: "Clear",
  clearKinds: { image: "All images", video: "All videos", all: "Everything" },
  clearTitle: (kind: string, n: string) => `Clear: ${kind}, ${some(n, "file")}?`,
  clearText: "Links to them in earlier answers stop working. This cannot be undone.",
  cleared: (n: string) => `${n} deleted.`,
  deleted: "Deleted.",
  empty: "Nothing is kept yet",
  emptyText: 'Images and videos that clients ask for appear here. Try "Draw a moon" in the playground.',
  more: "Show more",
  open: (name: string) => `Open ${name}`,
  owner: "Made for",
  noOwner: "nobody in particular",
  byAdmin: (name: string) => `${name}, in the console`,
  goneKey: "a key that is gone",
  size: "Size",
  type: "Type",
  name: "Name",
  address: "the address",
};
