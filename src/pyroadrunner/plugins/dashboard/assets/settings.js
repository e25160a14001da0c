// The config: every value, where it was written, and its default.

import { html, useState } from "./vendor/htm-preact.js";

export function Settings({ now, again }) {
  const [changed, setChanged] = useState(true);
  const [text, setText] = useState("");
  const wanted = text.toLowerCase();
  const shown = now.values.filter((one) => (!changed || one.changed) && `${one.key} ${one.value} ${one.source}`.toLowerCase().includes(wanted));
  return html`
    <form class="filters" onSubmit=${(event) => event.preventDefault()}>
      <label><input type="checkbox" checked=${changed} onChange=${(event) => setChanged(event.target.checked)} /> only what differs from the defaults</label>
      <label>Text <input type="search" value=${text} onInput=${(event) => setText(event.target.value)} /></label>
      <button type="button" onClick=${again}>Refresh</button>
      <span class="hint">${shown.length} of ${now.values.length} values; secrets are masked</span>
    </form>
    ${shown.length === 0 ? html`<p class="empty">No value matches.</p>` : html`<div class="scroll" tabindex="0" role="group" aria-label="Values"><table>
      <thead><tr><th scope="col">Key</th><th scope="col">Value</th><th scope="col">Default</th><th scope="col">Written in</th></tr></thead>
      <tbody>${shown.map((one) => html`<tr key=${one.key} class=${one.changed ? "changed" : ""}>
        <td data-label="Key"><code>${one.key}</code></td><td data-label="Value"><code class="value">${one.value}</code></td>
        <td data-label="Default">${one.default === null ? html`<span class="none" aria-label="none">–</span>` : html`<code class="value">${one.default}</code>`}</td>
        <td data-label="Written in">${one.source}</td></tr>`)}</tbody>
    </table></div>`}`;
}
