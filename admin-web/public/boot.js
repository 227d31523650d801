// Runs before the first paint, so that nothing flashes: theme and language as they were chosen.
(() => {
  const root = document.documentElement;
  let theme = "system";
  let language = "";
  try {
    theme = localStorage.getItem("g2a.theme") || "system";
    language = localStorage.getItem("g2a.language") || "";
  } catch {
    // Storage may be forbidden; the defaults do.
  }
  const dark = theme === "dark" || (theme === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset.theme = dark ? "dark" : "light";
  root.lang = (language || navigator.language).toLowerCase().startsWith("zh") ? "zh-CN" : "en";
})();
