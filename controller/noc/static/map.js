// Moves the map by dragging and by the wheel. What is drawn comes from the controller.
(() => {
  "use strict";
  const chart = document.getElementById("chart");
  if (!chart) return;

  const tiles = document.getElementById("tiles");
  if (tiles && window.L) {
    const sites = () => [...document.querySelectorAll("[data-lat]")];
    const map = L.map(tiles, { zoomControl: true }).setView([0.3, 37.9], 6);
    L.tileLayer(tiles.dataset.tiles, { attribution: tiles.dataset.attribution, maxZoom: 19 }).addTo(map);
    const layer = L.layerGroup().addTo(map);
    const paint = () => {
      layer.clearLayers();
      for (const line of sites()) {
        const mark = document.createElementNS("http://www.w3.org/2000/svg", "svg");
        mark.setAttribute("class", `marker ${line.dataset.tone}`);
        mark.setAttribute("viewBox", "0 0 10 10");
        const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
        use.setAttribute("href", `#mark-${line.dataset.tone}`);
        mark.append(use);
        const at = [line.dataset.lat / 1e6, line.dataset.lng / 1e6];
        const icon = L.divIcon({ html: mark, className: "pin", iconSize: [20, 20] });
        const query = new URLSearchParams(location.search);
        query.set("site", line.dataset.site);
        L.marker(at, { icon, title: line.querySelector("a").textContent, alt: line.textContent.trim() })
          .on("click", () => { location.search = query; }).addTo(layer);
      }
    };
    paint();
    const placed = sites().map((line) => [line.dataset.lat / 1e6, line.dataset.lng / 1e6]);
    if (placed.length) map.fitBounds(placed, { padding: [40, 40], maxZoom: 14 });
    document.addEventListener("htmx:sse:after:message", paint);
    return;
  }

  const own = chart.querySelector(".own");
  const drawings = () => own.querySelectorAll("svg.land, svg.markers");
  const zoom = Number(chart.dataset.z);
  let box = own.querySelector("svg.land").getAttribute("viewBox").split(" ").map(Number);
  const first = [...box];
  const show = () => { for (const one of drawings()) one.setAttribute("viewBox", box.join(" ")); };
  // New markers come with the box of the address; what was dragged since stays.
  document.addEventListener("htmx:sse:after:message", show);

  const perPixel = () => Math.max(box[2] / own.clientWidth, box[3] / own.clientHeight);
  const settle = (z) => {
    const query = new URLSearchParams(location.search);
    query.set("x", Math.round(box[0] + box[2] / 2));
    query.set("y", Math.round(box[1] + box[3] / 2));
    query.set("z", z);
    for (const [name, value] of [...query]) if (Number(value) < 0) query.set(name, "0");
    const next = `${location.pathname}?${query}`;
    if (z !== zoom) location.replace(next);
    else history.replaceState(null, "", next);
  };

  let from = null, moved = false;
  own.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    from = { x: event.clientX, y: event.clientY, box: [...box] };
    moved = false;
  });
  addEventListener("pointermove", (event) => {
    if (!from) return;
    const dx = event.clientX - from.x, dy = event.clientY - from.y;
    if (!moved && Math.hypot(dx, dy) < 4) return;
    moved = true;
    const scale = perPixel();
    box = [from.box[0] - dx * scale, from.box[1] - dy * scale, box[2], box[3]];
    show();
  });
  addEventListener("pointerup", () => {
    if (from && moved) settle(zoom);
    from = null;
  });
  own.addEventListener("click", (event) => { if (moved) event.preventDefault(); }, true);
  own.addEventListener("dragstart", (event) => event.preventDefault());

  let wanted = zoom, timer = 0;
  own.addEventListener("wheel", (event) => {
    event.preventDefault();
    const step = event.deltaY < 0 ? 2 : 0.5;
    if (wanted * step < 1 || wanted * step > 64) return;
    wanted *= step;
    const rect = own.getBoundingClientRect(), scale = perPixel();
    const x = box[0] + box[2] / 2 + (event.clientX - rect.left - rect.width / 2) * scale;
    const y = box[1] + box[3] / 2 + (event.clientY - rect.top - rect.height / 2) * scale;
    box = [x + (box[0] - x) / step, y + (box[1] - y) / step, first[2] * zoom / wanted, first[3] * zoom / wanted];
    show();
    clearTimeout(timer);
    timer = setTimeout(() => settle(wanted), 350);
  }, { passive: false });

  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input, textarea, select")) return;
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (by) {
      event.preventDefault();
      box = [box[0] + by[0] * box[2] / 8, box[1] + by[1] * box[3] / 8, box[2], box[3]];
      show();
      settle(zoom);
    }
    if (event.key === "+") document.getElementById("nearer")?.click();
    if (event.key === "-") document.getElementById("farther")?.click();
  });
})();
