// The last lines of the log, with filters; newest at the end.

import { html, useEffect, useRef, useState } from "./vendor/htm-preact.js";
import { follow } from "./api.js";
import { clock } from "./format.js";

const MOST = 500;

export function Logs({ onState }) {
  const [filter, setFilter] = useState({ level: "info", channel: "", text: "" });
  const [typed, setTyped] = useState("");
  const [lines, setLines] = useState([]);
  const [channels, setChannels] = useState([]);
  const [paused, setPaused] = useState(false);
  const end = useRef(null);

  useEffect(() => {
    const timer = setTimeout(() => setFilter((old) => ({ ...old, text: typed })), 300);
    return () => clearTimeout(timer);
  }, [typed]);
  useEffect(() => {
    if (paused) {
      onState("paused");
      return undefined;
    }
    setLines([]);
    const query = new URLSearchParams({ id: "logs", ...filter });
    let newest = 0;
    return follow(
      `/api/stream?${query}`,
      (_, data) => {
        const fresh = data.lines.filter((line) => line.seq > newest);
        if (data.last < newest) newest = 0; // the server is another one
        else if (fresh.length) newest = fresh.at(-1).seq;
        setChannels(data.channels);
        if (fresh.length) setLines((old) => [...old, ...fresh].slice(-MOST));
      },
      onState,
    );
  }, [filter, paused]);
  useEffect(() => {
    const box = end.current;
    if (box) box.scrollTop = box.scrollHeight;
  }, [lines]);

  return html`
    <form class="filters" onSubmit=${(event) => event.preventDefault()}>
      <label>Level <select value=${filter.level} onChange=${(event) => setFilter({ ...filter, level: event.target.value })}>
        ${["debug", "info", "warn", "error"].map((level) => html`<option key=${level} value=${level}>${level}${level === "error" ? "" : " and above"}</option>`)}</select></label>
      <label>Channel <select value=${filter.channel} onChange=${(event) => setFilter({ ...filter, channel: event.target.value })}>
        <option value="">all</option>${[...new Set([...channels, filter.channel])].filter(Boolean).map((channel) => html`<option key=${channel} value=${channel}>${channel}</option>`)}</select></label>
      <label>Text <input type="search" value=${typed} onInput=${(event) => setTyped(event.target.value)} /></label>
      <button type="button" aria-pressed=${paused} onClick=${() => setPaused(!paused)}>${paused ? "Go on" : "Pause"}</button>
    </form>
    <p class="hint">The last lines since the start of the dashboard. Levels below that of <code>logs.level</code> are not logged.</p>
    ${lines.length === 0 ? html`<p class="empty">No line matches.</p>` : html`<div class="log" ref=${end} tabindex="0" role="log" aria-label="Log lines">
      ${lines.map((line) => html`<p key=${line.seq} class=${`line ${line.level}`}><time>${clock(line.time, true)}</time> <b class="level">${line.level}</b> <span class="channel">${line.channel}</span> <span class="text">${line.message}</span>
        ${Object.entries(line.fields).map(([name, value]) => html` <span class="field">${name}=<span>${value}</span></span>`)}</p>`)}
    </div>`}`;
}
