// Says whether what is on screen is still live. All else is htmx.
(() => {
  "use strict";
  const STALE_AFTER_MS = 6000;
  const badge = document.getElementById("live");
  let timer = 0;

  const say = (word, tone) => {
    if (badge.dataset.tone === tone) return;
    badge.dataset.tone = tone;
    badge.querySelector("span").textContent = word;
    badge.querySelector("use").setAttribute("href", `#mark-${tone}`);
  };

  const stale = () => say("not live, trying again", "bad");

  document.addEventListener("htmx:sse:after:message", () => {
    say("live", "good");
    clearTimeout(timer);
    timer = setTimeout(stale, STALE_AFTER_MS);
  });
  document.addEventListener("htmx:sse:error", (event) => {
    stale();
    // The session ended: only a fresh page can ask for the key again.
    if (event.detail.status === 401) location.reload();
  });
})();
