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

  const locale = document.documentElement.lang;
  const said = (options) => {
    const format = new Intl.DateTimeFormat(locale, { timeZone: "Africa/Nairobi", ...options });
    return (at) => format.format(new Date(at * 1000));
  };
  const clock = said({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const day = said({ day: "numeric", month: "short" });

  const read = async (metric) => {
    const query = new URLSearchParams({ metric, hours: String(SPAN_S / 3600), step: String(STEP_S) });
    const answer = await fetch(`/api/v1/sites/${all.dataset.graphs}/series?${query}`);
    return answer.ok ? answer.json() : null;
  };

  // One row for each bucket, with nothing where nothing was measured: a gap stays a gap.
  const table = (answers) => {
    const second = (at) => Date.parse(at) / 1000;
    if (answers.some((one) => !one) || answers.every((one) => !one.data.length)) return null;
    const times = answers.flatMap((one) => one.data.map((point) => second(point.at)));
    const first = Math.min(...times), last = Math.max(...times), axis = [];
    for (let at = first; at <= last; at += STEP_S) axis.push(at);
    const rows = answers.map((one) => {
      const by = new Map(one.data.map((point) => [second(point.at), point.mean]));
      return axis.map((at) => by.get(at) ?? null);
    });
    return { data: [axis, ...rows], from: second(answers[0].since), to: second(answers[0].until) };
  };

  const draw = async (figure) => {
    const metrics = figure.dataset.metrics.split(" ");
    const found = table(await Promise.all(metrics.map(read)));
    figure.querySelector(".calm, .again")?.remove();
    if (!found) {
      figure.append(Object.assign(document.createElement("p"), { className: "calm", textContent: all.dataset.none }));
      return;
    }
    figure.between = [found.from, found.to];
    if (figure.plot) {
      figure.plot.setData(found.data);
      return;
    }
    const ink = colour("--dim"), grid = { stroke: colour("--rule"), width: 1 };
    const strokes = [colour("--accent"), colour("--busy")];
    const format = SHOWN[metrics[0]][1];
    const caption = figure.querySelector("figcaption .figure"), latest = caption.textContent;
    const point = (plot) => {
      const n = plot.cursor.idx;
      caption.textContent = n == null ? latest : `${clock(plot.data[0][n])}  ${metrics.map((metric, k) => {
        const value = plot.data[k + 1][n];
        return `${SHOWN[metric][0]} ${value == null ? "–" : SHOWN[metric][1](value)}`;
      }).join("  ")}`;
    };
    figure.plot = new uPlot({
      width: figure.clientWidth - 24, height: 132,
      cursor: { sync: { key: "site" }, drag: { x: false, y: false } },
      legend: { show: false },
      hooks: { setCursor: [point] },
      scales: {
        x: { range: () => figure.between },
        y: { range: (_, low, high) => [0, Math.max(1, (high ?? 1) * 1.1)] },
      },
      axes: [
        { stroke: ink, grid, ticks: grid, font: "11px system-ui", size: 28, space: 64,
          values: (_, ticks, axis, space, step) => ticks.map(step < 86400 && SPAN_S <= 86400 ? clock : day) },
        { stroke: ink, grid, ticks: grid, font: "11px system-ui", size: 48, space: 32,
          values: (_, ticks) => ticks.map((v) => format(v)) },
      ],
      series: [{}, ...metrics.map((metric, n) => ({
        stroke: strokes[n], width: 1.6, points: { show: false },
        fill: n ? undefined : `color-mix(in srgb, ${strokes[0]} 14%, transparent)`,
      }))],
    }, found.data, figure);
  };

  for (const figure of all.querySelectorAll("figure")) {
    const start = () => {
      draw(figure);
      setInterval(() => { if (!document.hidden) draw(figure); }, AGAIN_MS);
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
      figure.plot?.setSize({ width: figure.clientWidth - 24, height: 132 });
    }
  });
})();
