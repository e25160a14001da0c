// The page: menu, live connection, messages; each kind of page is a module of its own.

import { html, render, useCallback, useEffect, useRef, useState } from "./vendor/htm-preact.js";
import { follow, get, post, signOut } from "./api.js";
import { Overview } from "./overview.js";
import { Workers } from "./workers.js";
import { Logs } from "./logs.js";
import { Settings } from "./settings.js";
import { Blocks } from "./blocks.js";
import { seconds } from "./format.js";

const KINDS = { overview: Overview, workers: Workers, logs: Logs, config: Settings, page: Blocks };

function useHash() {
  const read = () => decodeURIComponent(location.hash.slice(1)) || "overview";
  const [page, setPage] = useState(read());
  useEffect(() => {
    const changed = () => setPage(read());
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return page;
}

// A question before an action that loses something.
function Confirm({ question, answer }) {
  const dialog = useRef(null);
  useEffect(() => dialog.current.showModal(), []);
  return html`<dialog ref=${dialog} onClose=${() => answer(dialog.current.returnValue === "yes")}>
    <form method="dialog">
      <p>${question}</p>
      <p class="buttons"><button value="no" autofocus>Cancel</button><button class="danger" value="yes">Yes</button></p>
    </form>
  </dialog>`;
}

function Message({ message, close }) {
  useEffect(() => {
    if (!message || message.bad) return undefined;
    const timer = setTimeout(close, 8000);
    return () => clearTimeout(timer);
  }, [message]);
  return html`<div class="message" role=${message?.bad ? "alert" : "status"} aria-live="polite">
    ${message && html`<p class=${message.bad ? "bad" : "good"}>${message.text} <button class="plain" aria-label="Close the message" onClick=${close}>✕</button></p>`}
  </div>`;
}

// The data of a page: followed live, or fetched once.
function usePage(entry, onState) {
  const [found, setFound] = useState({ id: "", first: null, now: null });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (!entry || entry.kind === "logs") return undefined;
    const id = entry.id;
    const path = `id=${encodeURIComponent(id)}`;
    if (entry.refresh) {
      return follow(
        `/api/stream?${path}`,
        (name, data) => setFound((old) => (name === "first" ? { id, first: data, now: data } : { ...old, id, now: data })),
        onState,
      );
    }
    let gone = false;
    get(`/api/page?${path}`).then(
      (data) => !gone && (setFound({ id, first: data, now: data }), onState("")),
      (error) => !gone && onState(error.message),
    );
    return () => {
      gone = true;
    };
  }, [entry?.id, turn]);
  return [found.id === entry?.id ? found : null, () => setTurn(turn + 1)];
}

function App() {
  const [session, setSession] = useState(null);
  const [state, setState] = useState("");
  const [message, setMessage] = useState(null);
  const [question, setQuestion] = useState(null);
  const [open, setOpen] = useState(false);
  const page = useHash();
  const heading = useRef(null);
  const load = useCallback(() => get("/api/session").then(setSession, (error) => setState(error.message)), []);
  useEffect(() => {
    load();
    const timer = setInterval(load, 30000); // pages come and go
    return () => clearInterval(timer);
  }, []);
  const entry = session?.menu.find((one) => one.id === page);
  const [data, again] = usePage(entry, setState);

  useEffect(() => {
    setOpen(false);
    setState("");
    document.title = entry ? `${entry.title} · ${session.server.host}` : "Dashboard";
    heading.current?.focus();
  }, [entry?.id]);

  const act = useCallback(
    async (action, row) => {
      if (action.confirm && !(await new Promise((answer) => setQuestion({ text: action.confirm, answer })))) return;
      try {
        const said = await post("/api/action", { page, action: action.name, row });
        setMessage({ text: said.message });
      } catch (error) {
        setMessage({ text: error.message, bad: true });
      }
      if (entry && !entry.refresh) again();
    },
    [page, entry, again],
  );

  if (!session) return html`<p class="loading" role="status">${state || "Loading ..."}</p>`;
  const Kind = entry && KINDS[entry.kind];
  const live = state === "live";
  return html`
    <a class="skip" href="#main" onClick=${(event) => (event.preventDefault(), heading.current?.focus())}>Skip to the page</a>
    <header>
      <button class="menu-button" aria-expanded=${open} aria-controls="menu" onClick=${() => setOpen(!open)}>Menu</button>
      <span class="host"><b>${session.server.host}</b> <span class="hint">pid ${session.server.pid} · up ${seconds(Date.now() / 1000 - session.server.began)}</span></span>
      <span role="status">${state && html`<span class=${live ? "live good" : "live bad"}>${state}</span>`}</span>
      ${session.read_only && html`<span class="tag">read-only</span>`}
      <button class="plain" onClick=${signOut}>Sign out</button>
    </header>
    <nav id="menu" class=${open ? "open" : ""} aria-label="Pages">
      ${session.menu.map((one) => html`<a key=${one.id} href=${`#${one.id}`} aria-current=${one.id === page ? "page" : null}>${one.title}</a>`)}
      <p class="hint">pyroadrunner ${session.server.version}</p>
    </nav>
    <main id="main">
      <h1 tabindex="-1" ref=${heading}>${entry ? entry.title : "There is no such page"}</h1>
      ${Kind && (entry.kind === "logs" ? html`<${Kind} onState=${setState} />` : data
        ? html`<${Kind} key=${entry.id} first=${data.first} now=${data.now} act=${act} readOnly=${session.read_only} server=${session.server} again=${entry.refresh ? null : again} />`
        : html`<p class="loading">Loading ...</p>`)}
      ${!entry && html`<p><a href="#overview">Overview</a></p>`}
    </main>
    <${Message} message=${message} close=${() => setMessage(null)} />
    ${question && html`<${Confirm} question=${question.text} answer=${(yes) => (setQuestion(null), question.answer(yes))} />`}
  `;
}

sessionStorage.removeItem("rr-dashboard-tried"); // see login.js
const root = document.getElementById("app");
root.textContent = "";
render(html`<${App} />`, root);
