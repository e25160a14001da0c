// A page as a plugin describes it: figures and tables. All text is text.

import { html, useState } from "./vendor/htm-preact.js";
import { bytes, moment, number, seconds, stateClass } from "./format.js";

const SHOWN = { bytes, seconds, number };
const RIGHT = new Set(["bytes", "seconds", "number"]);

export function Value({ value, kind }) {
  if (value === null || value === undefined || value === "") return html`<span class="none" aria-label="none">–</span>`;
  if (kind === "state") return html`<span class=${stateClass(value)}>${String(value)}</span>`;
  if (kind === "code") return html`<code>${String(value)}</code>`;
  if (kind === "time") {
    const [when, distance] = moment(value);
    return html`<time datetime=${new Date(value * 1000).toISOString()}>${when}</time> <span class="hint">${distance}</span>`;
  }
  const shown = SHOWN[kind];
  return typeof value === "boolean" ? (value ? "yes" : "no") : shown && typeof value === "number" ? shown(value) : String(value);
}

export function Buttons({ actions, row, act, readOnly, name }) {
  const [busy, setBusy] = useState("");
  if (readOnly) return null;
  return html`<span class="buttons">${actions.map((one) => html`<button key=${one.name} class=${one.danger ? "danger" : ""} disabled=${busy !== ""}
    aria-label=${name ? `${one.label} ${name}` : one.label}
    onClick=${async () => {
      setBusy(one.name);
      await act(one, row);
      setBusy("");
    }}>${busy === one.name ? "..." : one.short || one.label}</button>`)}</span>`;
}

function Details({ details }) {
  return html`<dl>${Object.entries(details).map(([title, text]) => html`<dt>${title}</dt><dd><pre>${text}</pre></dd>`)}</dl>`;
}

function Rows({ row, block, act, readOnly, width }) {
  const [open, setOpen] = useState(false);
  const details = Object.keys(row.details || {}).length > 0;
  const own = block.actions.filter((one) => row.actions.includes(one.name));
  const name = String(row.cells[block.columns[0].key] ?? row.id);
  return html`<tr>
      ${block.columns.map((column, at) => html`<td key=${column.key} data-label=${column.label} class=${RIGHT.has(column.kind) ? "right" : `is-${column.kind}`}>
        ${at === 0 && details && html`<button class="plain open" aria-expanded=${open} aria-label=${`Details of ${name}`} onClick=${() => setOpen(!open)}>${open ? "▾" : "▸"}</button>`}
        <${Value} value=${row.cells[column.key]} kind=${column.kind} /></td>`)}
      ${block.actions.length > 0 && !readOnly && html`<td class="actions"><${Buttons} actions=${own} row=${row.id} act=${act} readOnly=${readOnly} name=${name} /></td>`}
    </tr>
    ${open && html`<tr class="details"><td colspan=${width}><${Details} details=${row.details} /></td></tr>`}`;
}

export function Table({ block, act, readOnly }) {
  const width = block.columns.length + (block.actions.length > 0 && !readOnly ? 1 : 0);
  return html`<section>
    <h2>${block.title}</h2>
    ${block.note && html`<p class="hint">${block.note}</p>`}
    ${block.rows.length === 0 ? html`<p class="empty">${block.empty}</p>` : html`<div class="scroll" tabindex="0" role="group" aria-label=${block.title}><table>
      <thead><tr>${block.columns.map((one) => html`<th key=${one.key} scope="col" class=${RIGHT.has(one.kind) ? "right" : ""}>${one.label}</th>`)}
        ${block.actions.length > 0 && !readOnly && html`<th scope="col"><span class="hidden">Actions</span></th>`}</tr></thead>
      <tbody>${block.rows.map((row) => html`<${Rows} key=${row.id} row=${row} block=${block} act=${act} readOnly=${readOnly} width=${width} />`)}</tbody>
    </table></div>`}
  </section>`;
}

export function Figures({ block }) {
  return html`<section>${block.title && html`<h2>${block.title}</h2>`}
    <dl class="figures">${block.figures.map((one) => html`<div key=${one.label}><dt>${one.label}</dt><dd><${Value} value=${one.value} kind=${one.kind} /></dd></div>`)}</dl></section>`;
}

export function Blocks({ now, act, readOnly, again }) {
  return html`
    ${now.error && html`<p class="error" role="alert">${now.error}</p>`}
    ${(again || now.actions.length > 0) && html`<p class="buttons">
      ${again && html`<button onClick=${again}>Refresh</button>`}
      <${Buttons} actions=${now.actions} row="" act=${act} readOnly=${readOnly} /></p>`}
    ${now.blocks.map((block) => (block.block === "table" ? html`<${Table} key=${block.title} block=${block} act=${act} readOnly=${readOnly} />` : html`<${Figures} key=${block.title} block=${block} />`))}`;
}
