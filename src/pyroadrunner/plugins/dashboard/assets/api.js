// Talks to the server. Each request carries the key of the session, which only scripts of this origin can read.

const KEY = "rr-dashboard-key";

function headers(more) {
  return { "X-Dashboard-Key": localStorage.getItem(KEY) || "", ...more };
}

async function answerOf(response) {
  if (response.status === 401) {
    await signOut();
    throw new Error("You are signed out.");
  }
  const said = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(said.error || `The server answered with ${response.status}.`);
  return said;
}

export async function get(path) {
  return answerOf(await fetch(path, { headers: headers() }));
}

export async function post(path, body) {
  const more = headers({ "Content-Type": "application/json" });
  return answerOf(await fetch(path, { method: "POST", headers: more, body: JSON.stringify(body) }));
}

let leaving = false;

export async function signOut() {
  if (leaving) return;
  leaving = true;
  const more = headers({ "Content-Type": "application/json" });
  await fetch("/api/logout", { method: "POST", headers: more, body: "{}" }).then((answer) => answer.text()).catch(() => {});
  localStorage.removeItem(KEY);
  location.reload();
}

// Follow a live page: server-sent events, read with fetch since EventSource sends no headers.
// Returns a function that ends it. `onState` gets "live", or why it is not.
export function follow(path, onEvent, onState) {
  const ending = new AbortController();
  let pause = 500;

  async function once() {
    const response = await fetch(path, { headers: headers(), signal: ending.signal });
    if (!response.ok) {
      await answerOf(response);
      return;
    }
    onState("live");
    pause = 500;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        let name = "message";
        let data = "";
        for (const line of block.split("\n")) {
          if (line.startsWith("event: ")) name = line.slice(7);
          else if (line.startsWith("data: ")) data += line.slice(6);
        }
        if (data) onEvent(name, JSON.parse(data));
      }
    }
  }

  (async () => {
    while (!ending.signal.aborted) {
      let why = "The server has closed the connection. Trying again ...";
      try {
        await once();
      } catch (error) {
        if (ending.signal.aborted) return;
        why = error instanceof TypeError ? "The server does not answer. Trying again ..." : error.message;
      }
      onState(why);
      await new Promise((resolve) => setTimeout(resolve, pause));
      pause = Math.min(pause * 2, 10000);
    }
  })();
  return () => ending.abort();
}
