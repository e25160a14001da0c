// The page to sign in. The key of the session goes into the storage of this origin, see api.js.

const byId = (id) => document.getElementById(id);
const form = byId("form");
const error = byId("error");

function show(text) {
  error.textContent = text;
  error.hidden = !text;
}

async function begin() {
  // The cookie does not come with a click on a link of another site; it does with a reload.
  if (localStorage.getItem("rr-dashboard-key") && !sessionStorage.getItem("rr-dashboard-tried")) {
    sessionStorage.setItem("rr-dashboard-tried", "yes");
    location.reload();
    return;
  }
  const answer = await fetch("/api/login-form");
  const offered = await answer.json();
  const users = offered.users && !offered.token;
  byId("with-token").hidden = !offered.token;
  for (const field of document.querySelectorAll(".with-user")) field.hidden = !offered.users;
  byId(users ? "name" : "token").focus();
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  show("");
  const given = Object.fromEntries(new FormData(form));
  try {
    const answer = await fetch("/api/login", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(given),
    });
    const said = await answer.json();
    if (!answer.ok) {
      show(said.error);
      return;
    }
    localStorage.setItem("rr-dashboard-key", said.key);
    location.reload();
  } catch {
    show("The server does not answer.");
  }
});

begin().catch(() => show("The server does not answer."));
