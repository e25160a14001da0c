// A curve, drawn by uPlot. The newest values are also in the text beside it, for those who don't see the curve.

import { html, useEffect, useRef } from "./vendor/htm-preact.js";
import { clock } from "./format.js";

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

const dark = matchMedia("(prefers-color-scheme: dark)");

export function Chart({ title, times, series, format, latest, gaps }) {
  const holder = useRef(null);
  const plot = useRef(null);
  const data = [times, ...series.map((one) => one.values)];

  useEffect(() => {
    function draw() {
      plot.current?.destroy();
      const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
      plot.current = new uPlot(
        {
          width: Math.max(200, holder.current.clientWidth),
          height: 150,
          legend: { show: false },
          cursor: { y: false, drag: { x: false, y: false } },
          scales: { x: { time: true }, y: { range: (_, low, high) => [0, Math.max(high || 0, 1e-9) * 1.1] } },
          axes: [
            { ...axis, values: (_, ticks) => ticks.map((tick) => clock(tick)), space: 90, size: 30 },
            { ...axis, values: (_, ticks) => ticks.map(format), size: 70 },
          ],
          series: [
            {},
            ...series.map((one) => ({ label: one.label, stroke: colour(one.colour), width: 2, points: { show: gaps, size: 4 }, spanGaps: false })),
          ],
        },
        data,
        holder.current,
      );
    }
    draw();
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: Math.max(200, holder.current.clientWidth), height: 150 }));
    resized.observe(holder.current);
    dark.addEventListener("change", draw);
    return () => {
      resized.disconnect();
      dark.removeEventListener("change", draw);
      plot.current?.destroy();
      plot.current = null;
    };
  }, []);

  useEffect(() => {
    plot.current?.setData(data);
  });

  return html`<figure class="chart">
    <figcaption><h3>${title}</h3>
      ${series.map((one, at) => html`<span class="legend"><span class=${`dot c${one.colour.slice(2)}`} aria-hidden="true"></span>
        ${one.label} <b>${latest[at] == null ? "–" : format(latest[at])}</b></span>`)}
    </figcaption>
    <div ref=${holder} aria-hidden="true"></div>
  </figure>`;
}

// A small curve in a line of text.
export function Spark({ values, label }) {
  const most = Math.max(...values, 1);
  const points = values.map((value, at) => `${((at * 78) / Math.max(values.length - 1, 1) + 1).toFixed(1)},${(19 - (value / most) * 17).toFixed(1)}`);
  return html`<svg class="spark" viewBox="0 0 80 20" role="img" aria-label=${label}><polyline points=${points.join(" ")} /></svg>`;
}
