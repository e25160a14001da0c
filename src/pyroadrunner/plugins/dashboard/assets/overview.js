// The figures of the last minute and of the last hour.

import { html, useEffect, useState } from "./vendor/htm-preact.js";
import { bytes, number, seconds } from "./format.js";
import { Chart } from "./chart.js";
import { Figures, Table } from "./blocks.js";

const FINE = 60;
const COARSE = 360;
const NAMES = ["time", "requests", "errors", "p50", "p99", "calls", "queued", "busy", "workers", "memory"];

function added(columns, point, most) {
  if (!point || point.time === undefined || columns.time.at(-1) === point.time) return columns;
  return Object.fromEntries(NAMES.map((name) => [name, [...columns[name], point[name] ?? null].slice(-most)]));
}

const COLUMNS = [
  { key: "name", label: "Pool", kind: "text" },
  { key: "workers", label: "Workers", kind: "number" },
  { key: "free", label: "Free", kind: "number" },
  { key: "queued", label: "Waiting calls", kind: "number" },
  { key: "waiting", label: "Longest wait now", kind: "seconds" },
  { key: "calls", label: "Calls since the start", kind: "number" },
  { key: "failed", label: "Failed", kind: "number" },
];

export function Overview({ first, now, server }) {
  const [history, setHistory] = useState({ fine: first.fine, coarse: first.coarse });
  const [span, setSpan] = useState("fine");
  useEffect(() => setHistory({ fine: first.fine, coarse: first.coarse }), [first]);
  useEffect(() => {
    setHistory((old) => ({ fine: added(old.fine, now.point, FINE), coarse: added(old.coarse, now.coarse_point, COARSE) }));
  }, [now]);
  const columns = history[span];
  const latest = (name) => columns[name].at(-1);
  const per = (value) => `${number(value)}/s`;
  const chart = (title, format, ...series) => html`<${Chart} key=${`${title}${span}`} title=${title} times=${columns.time} format=${format}
    gaps=${title === "Latency"} series=${series.map(([label, name, colour]) => ({ label, values: columns[name], colour }))} latest=${series.map(([, name]) => latest(name))} />`;
  const point = now.point || {};
  const figures = [
    { label: "Requests", value: point.requests == null ? null : per(point.requests) },
    { label: "Median", value: point.p50, kind: "seconds" },
    { label: "99th percentile", value: point.p99, kind: "seconds" },
    { label: "Errors", value: point.errors == null ? null : per(point.errors) },
    { label: "Waiting calls", value: point.queued, kind: "number" },
    { label: "Busy workers", value: point.workers == null ? null : `${point.busy} of ${point.workers}` },
  ];
  return html`
    <${Figures} block=${{ title: "", figures }} />
    <p class="choice" role="group" aria-label="Time span">
      <button aria-pressed=${span === "fine"} onClick=${() => setSpan("fine")}>Last minute</button>
      <button aria-pressed=${span === "coarse"} onClick=${() => setSpan("coarse")}>Last hour</button>
    </p>
    <div class="charts">
      ${chart("Requests", per, ["all", "requests", "--c1"], ["errors", "errors", "--c3"])}
      ${chart("Latency", seconds, ["median", "p50", "--c1"], ["99th percentile", "p99", "--c2"])}
      ${chart("Calls of all pools", per, ["all", "calls", "--c1"])}
      ${chart("Workers", number, ["all", "workers", "--c4"], ["busy", "busy", "--c2"], ["waiting calls", "queued", "--c3"])}
      ${span === "coarse" && chart("Memory, workers included", bytes, ["memory", "memory", "--c1"])}
    </div>
    <${Table} block=${{ title: "Pools", columns: COLUMNS, rows: now.pools.map((one) => ({ id: one.name, cells: one, actions: [] })), actions: [], empty: "No plugin has a pool of workers." }} readOnly=${true} />
    <p class="hint">Requests are those that workers of <code>http</code> answer. Version ${server.version}, compatible with RoadRunner ${server.roadrunner}, Python ${server.python}.</p>`;
}
