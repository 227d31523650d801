import type { Dictionary } from "..";

export const media: Dictionary["media"] = {
  text: "已缓存的生成图片与视频。达到上限时，最久未使用的先被移除。",
  kind: "类型",
  kinds: { all: "全部", image: "图片", video: "视频" },
  kindOne: { image: "图片", video: "视频" },
  usageOf: (kind) => `${kind}：已用占上限的比例`,
  of: (used, limit) => `${used} / ${limit}`,
  clear: "清理",
  clearKinds: { image: "全部图片", video: "全部视频", all: "全部" },
  clearTitle: (kind, n) => `清理：${kind}，${n} 个文件？`,
  clearText: "以前回答中的链接将失效。此操作不可撤销。",
  cleared: (n) => `已删除 ${n} 个。`,
  deleted: "已删除。",
  empty: "暂无缓存",
  emptyText: "客户端请求的图片和视频会出现在这里。可以在试验场输入“画一个月亮”。",
  more: "显示更多",
  open: (name) => `打开 ${name}`,
  size: "大小",
  type: "类型",
  name: "名称",
  address: "地址",
};
