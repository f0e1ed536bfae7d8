"use strict";
// The pages work without this; with it they follow the network and spare the reload.

const form = () => document.querySelector(".stk[data-prompt]");

function pad() {
  const stk = form();
  if (!stk) return;
  const keys = stk.querySelector(".pad");
  if (!keys) return;
  const pin = stk.querySelector("#pin");
  keys.hidden = false;
  keys.addEventListener("click", (event) => {
    const key = event.target.dataset.key;
    if (!key) return;
    pin.value = key === "back" ? pin.value.slice(0, -1) : (pin.value + key).slice(0, 4);
  });
  if (window.matchMedia("(hover: hover)").matches && document.activeElement !== pin) pin.focus({ preventScroll: true });
}

async function refresh() {
  const answer = await fetch(location.pathname + location.search);
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const old = document.querySelector("[data-live]");
  const next = fresh.querySelector("[data-live]");
  if (!old || !next) return;
  const typed = new Map(fields(old).map((field) => [nameOf(field), field.value]));
  const active = old.contains(document.activeElement) && document.activeElement.id;
  const shade = old.querySelector(".shade") && next.querySelector(".shade");
  if (shade) shade.classList.add("still");
  old.replaceWith(document.adoptNode(next));
  pad();
  for (const field of fields(next)) if (typed.has(nameOf(field))) field.value = typed.get(nameOf(field));
  const field = active && document.getElementById(active);
  if (field) field.focus({ preventScroll: true });
}

// What is typed outlives news, in the same form only: the next request to pay asks for its own PIN.
const fields = (root) => [...root.querySelectorAll("form input[id]")];
const nameOf = (field) => `${field.form.dataset.prompt || ""}/${field.id}`;

// Refreshes one after another: news that comes while one is under way brings one more, not ten.
let running = false;
let again = false;
async function follow() {
  if (running) { again = true; return; }
  running = true;
  do { again = false; await refresh().catch(() => {}); } while (again);
  running = false;
}

if (document.querySelector("[data-live]")) {
  const live = new EventSource("/live");
  live.addEventListener("change", follow);
  live.addEventListener("open", follow);
  pad();
}

setInterval(() => {
  const left = document.querySelector("[data-left]");
  if (!left) return;
  const seconds = Math.max(0, Number(left.dataset.left) - 1);
  left.dataset.left = seconds;
  left.textContent = seconds;
}, 1000);

const panel = document.querySelector("form[data-instant]");
if (panel) {
  const told = () => {
    let on = 0;
    for (const field of panel.querySelectorAll(".card input")) {
      const is = field.type === "checkbox" ? field.checked : Number(field.value) > 0;
      field.closest(".card").classList.toggle("on", is);
      on += is ? 1 : 0;
    }
    panel.querySelector(".count").textContent = `${on} on`;
  };
  const send = () => {
    if (!panel.reportValidity()) return;
    told();
    fetch(panel.action, { method: "POST", body: new URLSearchParams(new FormData(panel)) });
  };
  panel.addEventListener("change", send);
  panel.addEventListener("submit", (event) => {
    event.preventDefault();
    if (event.submitter && "clear" in event.submitter.dataset) {
      for (const field of panel.querySelectorAll(".card input")) {
        if (field.type === "checkbox") field.checked = false; else field.value = 0;
      }
    }
    send();
  });
}

for (const link of document.querySelectorAll("a[data-window]")) {
  link.addEventListener("click", (event) => {
    const [width, height] = link.dataset.window.split("x");
    if (window.open(link.href, link.target, `popup,width=${width},height=${height},left=20,top=40`)) event.preventDefault();
  });
}
