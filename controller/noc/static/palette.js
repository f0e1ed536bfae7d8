// Shows what the one box finds while somebody types. Without it the box is a form that is sent.
(() => {
  "use strict";
  const box = document.getElementById("search");
  if (!box) return;
  const WAIT_MS = 120;
  const list = document.createElement("div");
  list.id = "found";
  list.className = "found-list sheet";
  list.hidden = true;
  list.setAttribute("role", "region");
  list.setAttribute("aria-live", "polite");
  list.setAttribute("aria-label", box.labels[0].textContent);
  // Beside the form, not in it: what is found has forms of its own.
  box.form.after(list);
  box.setAttribute("aria-controls", "found");
  let timer = 0;
  let asked = null;

  const close = () => { list.hidden = true; };
  const hits = () => [...list.querySelectorAll(".hit")];
  const show = async () => {
    const typed = box.value.trim();
    if (asked) asked.abort();
    if (!typed) { close(); return; }
    asked = new AbortController();
    try {
      const answer = await fetch(`/noc/search/hits?q=${encodeURIComponent(typed)}`, { signal: asked.signal });
      if (!answer.ok) { close(); return; }
      // Our own templates, escaped at our end; no script in it would be run.
      list.innerHTML = await answer.text();
      list.hidden = false;
    } catch (gone) {
      if (gone.name !== "AbortError") close();
    }
  };
  box.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(show, WAIT_MS);
  });
  box.addEventListener("focus", () => { if (box.value.trim() && list.childElementCount) list.hidden = false; });
  const keyed = (event) => {
    const all = hits();
    const at = all.indexOf(document.activeElement);
    if (event.key === "Escape") { close(); box.focus(); }
    else if (event.key === "ArrowDown" && all.length) { event.preventDefault(); all[Math.min(all.length - 1, at + 1)].focus(); }
    else if (event.key === "ArrowUp" && all.length) { event.preventDefault(); (at > 0 ? all[at - 1] : box).focus(); }
    else if (event.key === "Enter" && event.target === box && !list.hidden && all.length) { event.preventDefault(); all[0].click(); }
  };
  box.form.addEventListener("keydown", keyed);
  list.addEventListener("keydown", keyed);
  document.addEventListener("click", (event) => { if (!box.form.contains(event.target) && !list.contains(event.target)) close(); });
})();
