// The pools and their workers: what each does now, and for how long.

import { html, useEffect, useRef, useState } from "./vendor/htm-preact.js";
import { bytes, number, seconds } from "./format.js";
import { Spark } from "./chart.js";
import { Buttons, Value } from "./blocks.js";

const POINTS = 90;
const RESET = { name: "reset", label: "Replace all" };
const POOL_ACTIONS = [{ name: "remove", label: "Remove worker", short: "Remove" }, { name: "add", label: "Add worker", short: "Add" }, RESET];
const WORKER_ACTIONS = [
  { name: "restart", label: "Restart" },
  { name: "kill", label: "Kill", danger: true, confirm: "Kill this worker? Its request fails." },
];

export function Workers({ first, now, act, readOnly }) {
  const curves = useRef({});
  const used = useRef({ time: 0, seconds: {}, percent: {} }); // CPU since the last look
  const [only, setOnly] = useState("");
  const [busyOnly, setBusyOnly] = useState(false);
  useEffect(() => {
    curves.current = { ...first.curves };
  }, [first]);
  useEffect(() => {
    const kept = {};
    for (const one of now.workers) kept[one.pid] = [...(curves.current[one.pid] || []), one.memory].slice(-POINTS);
    curves.current = kept;
    const time = performance.now() / 1000;
    const passed = time - used.current.time;
    const before = used.current.seconds;
    const seconds = {};
    const percent = {};
    for (const one of now.workers) {
      seconds[one.pid] = one.cpu_seconds;
      percent[one.pid] = one.pid in before && passed > 0.5 ? Math.max(0, (100 * (one.cpu_seconds - before[one.pid])) / passed) : used.current.percent[one.pid];
    }
    used.current = { time, seconds, percent };
  }, [now]);
  const clock = Date.now() / 1000;
  const shown = now.workers.filter((one) => (!only || one.pool === only) && (!busyOnly || one.since));
  return html`
    <section><h2>Pools</h2>
    ${now.pools.length === 0 ? html`<p class="empty">No plugin has workers.</p>` : html`<ul class="cards">${now.pools.map((pool) => html`<li key=${pool.name} class="card">
      <h3>${pool.name}</h3>
      <dl class="figures">
        <div><dt>Workers</dt><dd>${number(pool.workers)}${pool.added ? ` (${pool.added} added)` : ""}</dd></div>
        ${pool.scalable && html`<div><dt>Busy</dt><dd>${number(pool.busy)}</dd></div>
          <div><dt>Waiting calls</dt><dd>${number(pool.queued)}${pool.queued ? ` (${seconds(pool.waiting)})` : ""}</dd></div>`}
      </dl>
      <${Buttons} actions=${pool.scalable ? POOL_ACTIONS : [{ ...RESET, label: "Restart all" }]} row=${pool.name} act=${act} readOnly=${readOnly} name=${`(${pool.name})`} />
    </li>`)}</ul>`}
    </section>
    <section><h2>Workers</h2>
    <p class="filters">
      <label>Pool <select value=${only} onChange=${(event) => setOnly(event.target.value)}>
        <option value="">all</option>${now.pools.map((pool) => html`<option key=${pool.name} value=${pool.name}>${pool.name}</option>`)}</select></label>
      <label><input type="checkbox" checked=${busyOnly} onChange=${(event) => setBusyOnly(event.target.checked)} /> only busy ones</label>
      <span class="hint">${shown.length} of ${now.workers.length}</span>
    </p>
    ${shown.length === 0 ? html`<p class="empty">None.</p>` : html`<div class="scroll" tabindex="0" role="group" aria-label="Workers"><table>
      <thead><tr><th scope="col">PID</th><th scope="col">Pool</th><th scope="col">State</th><th scope="col">Does now</th><th scope="col" class="right">For</th>
        <th scope="col" class="right">Calls</th><th scope="col" class="right">CPU %</th><th scope="col" class="right">Memory</th><th scope="col">Curve</th><th scope="col" class="right">Age</th>
        ${!readOnly && html`<th scope="col"><span class="hidden">Actions</span></th>`}</tr></thead>
      <tbody>${shown.map((one) => html`<tr key=${one.pid}>
        <td data-label="PID"><code>${one.pid}</code></td><td data-label="Pool">${one.pool}</td>
        <td data-label="State"><${Value} value=${one.state} kind="state" /></td>
        <td data-label="Does now" class="activity"><${Value} value=${one.activity} kind="code" /></td>
        <td data-label="For" class=${one.since && clock - one.since > 10 ? "right late" : "right"}>${one.since ? seconds(Math.max(0, clock - one.since)) : ""}</td>
        <td data-label="Calls" class="right">${number(one.calls)}</td><td data-label="CPU %" class="right">${number(used.current.percent[one.pid])}</td>
        <td data-label="Memory" class="right">${bytes(one.memory)}</td>
        <td data-label="Curve"><${Spark} values=${curves.current[one.pid] || [one.memory]} label=${`Memory of ${one.pid}: ${bytes(one.memory)}`} /></td>
        <td data-label="Age" class="right">${one.began ? seconds(Math.max(0, clock - one.began)) : ""}</td>
        ${!readOnly && html`<td class="actions">${isPooled(now, one) && html`<${Buttons} actions=${WORKER_ACTIONS} row=${`${one.pool}/${one.pid}`} act=${act} name=${`worker ${one.pid}`} />`}</td>`}
      </tr>`)}</tbody>
    </table></div>`}
    </section>`;
}

function isPooled(now, worker) {
  return now.pools.some((pool) => pool.name === worker.pool && pool.scalable);
}
