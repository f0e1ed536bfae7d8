// Says whether what is on screen is still live, and lets keys do what links and buttons do.
(() => {
  "use strict";
  const badge = document.getElementById("live");
  let timer = 0;

  const say = (word, tone) => {
    if (badge.dataset.tone === tone) return;
    badge.dataset.tone = tone;
    badge.querySelector("span").textContent = word;
    badge.querySelector("use").setAttribute("href", `#mark-${tone}`);
  };
  if (badge) {
    const staleAfterMs = Number(badge.dataset.every) * 2000 + 2000;
    const stale = () => say(badge.dataset.lost, "bad");
    document.addEventListener("htmx:sse:after:message", () => {
      say(badge.dataset.live, "good");
      clearTimeout(timer);
      timer = setTimeout(stale, staleAfterMs);
    });
    document.addEventListener("htmx:sse:error", (event) => {
      stale();
      // The session ended: only a fresh page can ask for the key again.
      if (event.detail.status === 401) location.reload();
    });
  }

  const menus = () => document.querySelectorAll("details.menu[open], details.all[open]");
  const help = document.getElementById("help");
  document.addEventListener("click", (event) => {
    for (const menu of menus()) if (!menu.contains(event.target)) menu.open = false;
    const opener = event.target.closest("[data-opens]");
    if (opener && help) {
      event.preventDefault();
      help.showModal();
    }
    // A click beside a dialog's content lands on the dialog itself.
    if (event.target === help) help.close();
  });

  const isTyping = (at) => at.closest("input, textarea, select, [contenteditable]") !== null;
  const lines = () => [...document.querySelectorAll("main [data-line] a, main a[data-line]")];
  const step = (by) => {
    const all = lines();
    if (!all.length) return;
    const at = all.indexOf(document.activeElement);
    const next = at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by));
    all[next].focus();
  };
  const search = () => {
    const box = document.getElementById("search");
    if (box) box.focus();
    return Boolean(box);
  };
  let first = "";
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      if (search()) event.preventDefault();
      return;
    }
    if (event.key === "Escape") for (const menu of menus()) menu.open = false;
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (event.key === "/" && search()) event.preventDefault();
    else if (event.key === "?" && help) help.showModal();
    else if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else if (first) {
      const link = document.querySelector(`[data-keys="${first} ${CSS.escape(event.key)}"]`);
      first = "";
      if (link) link.click();
    } else if (event.key === "g") {
      first = "g";
      setTimeout(() => { first = ""; }, 1500);
    }
  });
})();
