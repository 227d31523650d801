import type { Dictionary } from "..";

export const login: Dictionary["login"] = {
  title: "登录",
  text: "本网关的控制台。",
  again: "会话已结束。登录后可回到原来的页面。",
  name: "用户名",
  password: "密码",
  wrong: "用户名或密码不正确。",
  submit: "登录",
  hint: "首次启动：admin / admin，登录后须立即设置自己的密码。无法登录时：grok2api admins set-password",
};

export const setup: Dictionary["setup"] = {
  title: "初始设置",
  steps: { password: "密码", base_url: "地址", client_key: "密钥", accounts: "账号", end: "就绪" },
  step: (n, of) => `第 ${n} 步，共 ${of} 步`,
  skip: "跳过",
  later: "退出设置",
  next: "继续",
  password: {
    title: "设置密码",
    text: "默认密码只能打开此页面。请设置自己的密码，至少 8 个字符。",
    current: "当前密码",
    fresh: "新密码",
    repeat: "再次输入新密码",
    differ: "两次输入不一致。",
    short: "至少 8 个字符。",
    submit: "设置密码",
    isDone: "您已设置自己的密码。",
  },
  baseUrl: {
    title: "公开地址",
    text: "生成的图片与视频链接以此开头。留空时，使用每个请求所发往的地址。",
    label: "客户端访问本服务的地址",
    submit: "保存地址",
    invalid: "请输入类似 https://grok.example.com 的地址",
  },
  key: {
    title: "第一个密钥",
    text: "客户端凭密钥访问。没有密钥时，任何能访问此端口的人都会使用您的账号。",
    label: "密钥的使用者",
    example: "小安的笔记本",
    submit: "创建密钥",
    once: "请立即复制：只显示这一次，且不会保存。",
    isDone: "已有密钥。可在“密钥”页面创建更多。",
  },
  accounts: {
    title: "第一批账号",
    text: "在浏览器中登录 grok.com，复制 Cookie sso 的值。每行一个账号，数千个也可以。",
    label: "Token",
    tier: "等级",
    submit: "添加账号",
    result: (added, merged, refused) => `新增 ${added}，已存在 ${merged}，被拒绝 ${refused}`,
    isDone: "已有账号。可在“账号”页面添加更多。",
  },
  end: {
    title: "可以提供服务了",
    text: "让任意 OpenAI SDK 使用此地址和您的密钥。",
    playground: "在试验场提问",
    live: "前往实时视图",
  },
};
