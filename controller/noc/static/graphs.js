// Draws the graphs of a site from the API; on a small screen only those that are tapped.
(() => {
  "use strict";
  const all = document.querySelector("[data-graphs]");
  if (!all || !window.uPlot) return;
  const SPAN_S = { "1h": 3600, "24h": 86400, "7d": 604800, "30d": 2592000 }[all.dataset.span];
  const STEP_S = Number(all.dataset.step);
  const AGAIN_MS = Math.max(20, STEP_S / 4) * 1000;
  const small = matchMedia("(max-width: 820px)").matches;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const scaled = (value) => {
    for (const [unit, name] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
      if (value >= unit) return `${+(value / unit).toFixed(1)} ${name}`;
    }
    return String(Math.round(value));
  };
  const SHOWN = {
    down_bps: ["↓", scaled], up_bps: ["↑", scaled], loss_ppm: ["%", (v) => (v / 10000).toFixed(2)],
    rtt_ms: ["ms", String], cpu_pct: ["CPU %", String], memory_pct: ["RAM %", String],
    temperature_c: ["°C", String], sessions: ["", String],
  };

  const read = async (metric) => {
    const query = new URLSearchParams({ metric, hours: String(SPAN_S / 3600), step: String(STEP_S) });
    const answer = await fetch(`/api/v1/sites/${all.dataset.graphs}/series?${query}`);
    return answer.ok ? (await answer.json()).data : [];
  };

  // One row for each bucket, with nothing where nothing was measured: a gap stays a gap.
  const table = (lists) => {
    const now = Date.now() / 1000;
    const times = new Set(lists.flat().map((point) => Date.parse(point.at) / 1000));
    if (!times.size) return null;
    const first = Math.min(...times), last = Math.max(...times), axis = [];
    for (let at = first; at <= last; at += STEP_S) axis.push(at);
    const rows = lists.map((points) => {
      const by = new Map(points.map((point) => [Date.parse(point.at) / 1000, point.mean]));
      return axis.map((at) => by.get(at) ?? null);
    });
    return { data: [axis, ...rows], from: now - SPAN_S, to: now };
  };

  const draw = async (figure, sync) => {
    const metrics = figure.dataset.metrics.split(" ");
    const found = table(await Promise.all(metrics.map(read)));
    figure.querySelector(".calm, .again")?.remove();
    if (!found) {
      const nothing = Object.assign(document.createElement("p"), { className: "calm", textContent: all.dataset.none });
      figure.append(nothing);
      return;
    }
    if (figure.plot) {
      figure.plot.setData(found.data);
      return;
    }
    const ink = colour("--dim"), grid = { stroke: colour("--rule"), width: 1 };
    const strokes = [colour("--accent"), colour("--busy")];
    const format = SHOWN[metrics[0]][1];
    figure.plot = new uPlot({
      width: figure.clientWidth, height: 132,
      cursor: { sync: { key: sync } },
      legend: { show: true },
      scales: { y: { range: (_, low, high) => [0, Math.max(1, (high ?? 1) * 1.1)] } },
      axes: [
        { stroke: ink, grid, ticks: grid, font: "11px system-ui" },
        { stroke: ink, grid, ticks: grid, font: "11px system-ui", size: 52, values: (_, ticks) => ticks.map((v) => format(v)) },
      ],
      series: [{}, ...metrics.map((metric, n) => ({
        label: SHOWN[metric][0] || figure.querySelector("figcaption span").textContent,
        stroke: strokes[n], width: 1.6, fill: n ? undefined : `color-mix(in srgb, ${strokes[0]} 14%, transparent)`,
        value: (_, v) => (v === null ? "–" : SHOWN[metric][1](v)), points: { show: false },
      }))],
    }, found.data, figure);
  };

  for (const figure of all.querySelectorAll("figure")) {
    const start = () => {
      draw(figure, "site");
      setInterval(() => { if (!document.hidden) draw(figure, "site"); }, AGAIN_MS);
    };
    if (!small) {
      start();
      continue;
    }
    const tap = Object.assign(document.createElement("button"), { type: "button", className: "again", textContent: all.dataset.show });
    tap.addEventListener("click", () => { tap.remove(); start(); }, { once: true });
    figure.append(tap);
  }
  addEventListener("resize", () => {
    for (const figure of all.querySelectorAll("figure")) {
      figure.plot?.setSize({ width: figure.clientWidth, height: 132 });
    }
  });
})();
