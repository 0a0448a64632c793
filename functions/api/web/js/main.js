// Begin: read the settings, finish a sign-in, and show the page that the address names.
import { boot, signIn, signOut, signedIn, userName } from "./auth.js";
import { get } from "./api.js";
import { html, render, useEffect, useRef, useState } from "./core.js";
import { match, useAddress } from "./router.js";
import { Dialog, Head, Icon, Notice, Page, Toasts, Wrong } from "./ui.js";

// Pages load when they are first opened.
const PAGES = [
  ["/campaigns", () => import("./pages/campaigns.js")],
  ["/campaigns/new", () => import("./pages/compose.js")],
  ["/campaigns/:id", () => import("./pages/campaign.js")],
  ["/campaigns/:id/edit", () => import("./pages/compose.js")],
  ["/campaigns/:id/preflight", () => import("./pages/preflight.js")],
  ["/campaigns/:id/recipients", () => import("./pages/recipients.js")],
  ["/templates", () => import("./pages/templates.js")],
  ["/templates/:id", () => import("./pages/template.js")],
  ["/contacts", () => import("./pages/lists.js")],
  ["/contacts/import", () => import("./pages/importing.js")],
  ["/contacts/import/:id", () => import("./pages/importing.js")],
  ["/contacts/:id", () => import("./pages/list.js")],
  ["/suppressions", () => import("./pages/suppressions.js")],
  ["/dead-letters", () => import("./pages/dead_letters.js")],
  ["/tasks", () => import("./pages/tasks.js")],
  ["/account", () => import("./pages/account.js")],
];
const NAVIGATION = [
  ["Send", [["/campaigns", "Campaigns", "mail"], ["/templates", "Templates", "template"]]],
  ["People", [["/contacts", "Contacts", "people"], ["/suppressions", "Suppressions", "stop"]]],
  ["Operate", [["/tasks", "Tasks", "tasks"], ["/dead-letters", "Dead letters", "letters"], ["/account", "Account", "heart"]]],
];
const RANKS = ["viewer", "editor", "sender", "admin"];

function Shell({ config, me }) {
  const address = useAddress();
  const [open, setOpen] = useState(false);
  const [page, setPage] = useState(null);
  const [error, setError] = useState(null);
  const [ended, setEnded] = useState(false);
  const main = useRef(null);
  const moved = useRef(false);
  const can = (role) => RANKS.indexOf(me.role) >= RANKS.indexOf(role);

  useEffect(() => {
    let here = true;
    const { found, values } = match(PAGES, address.path);
    setOpen(false);
    setError(null);
    const show = (Show) => here && setPage({ Show, values, path: address.path, query: address.query });
    if (!found) return show(Nowhere);
    found()
      .then((module) => show(module.default))
      .catch(() => here && setError(new Error("A new version may be out: reload the console.")));
    return () => (here = false);
  }, [address.path]);

  // A session that ended under somebody's hands: sign in again, come back to the same address.
  useEffect(() => {
    const end = () => setEnded(true);
    addEventListener("signedout", end);
    return () => removeEventListener("signedout", end);
  }, []);

  // After a move, a screen reader and the keyboard begin at the new page's heading.
  useEffect(() => {
    if (!page) return;
    if (moved.current) (main.current.querySelector("h1") || main.current).focus();
    moved.current = true;
    scrollTo(0, 0);
  }, [page]);

  return html`<a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); main.current.focus(); }}>Skip to the page</a>
    <div class="shell">
      <div class="top">
        <${Brand} />
        <button class="plain" aria-expanded=${open} aria-controls="side" onClick=${() => setOpen(!open)}>
          <${Icon} name="menu" />Menu
        </button>
      </div>
      <header class=${open ? "side open" : "side"} id="side">
        <${Brand} />
        <nav class="nav" aria-label="Main">
          ${NAVIGATION.map(([title, links]) => html`<div key=${title}>
            <h2>${title}</h2>
            <ul>${links.map(([path, name, icon]) => html`<li>
              <a href=${`#${path}`} aria-current=${address.path.startsWith(path) ? "page" : undefined}><${Icon} name=${icon} />${name}</a>
            </li>`)}</ul>
          </div>`)}
        </nav>
        <div class="who">
          <div class="row"><span class="badge plain">${config.environment}</span><span class="quiet">${config.version}</span></div>
          <span>${me.email || userName() || me.subject}<br /><span class="quiet">${me.role}</span></span>
          <div class="row"><${Theme} /><button class="plain small" onClick=${signOut}>Sign out</button></div>
        </div>
      </header>
      <main id="main" tabindex="-1" ref=${main} data-page=${page?.path}>
        ${error && html`<${Page} narrow><${Head} title="This page could not be loaded" /><${Wrong} error=${error} /><//>`}
        ${page && !error && html`<${page.Show} key=${page.path} ...${page.values} query=${page.path === address.path ? address.query : page.query} can=${can} me=${me} config=${config} />`}
      </main>
    </div>
    ${ended && html`<${Dialog} title="Your session has ended" submit="Sign in again" onClose=${() => setEnded(false)} onSubmit=${signIn}>
      <p>What you were writing is kept, and is there when you come back.</p><//>`}
    <${Toasts} />`;
}

const Brand = () => html`<a class="brand" href="#/campaigns"><${Mark} />Sendmill</a>`;
const Mark = () =>
  html`<svg class="icon mark" viewBox="0 0 24 24" aria-hidden="true"><path d="M3 6h18v12H3zM3.5 6.5 12 13l8.5-6.5" /></svg>`;
const Nowhere = () => html`<${Page}><${Head} title="There is no such page" sub="What the address names may have been deleted." />
  <p><a class="button" href="#/campaigns">Go to the campaigns</a></p><//>`;

function Theme() {
  const [theme, setTheme] = useState(localStorage.getItem("sendmill.theme") || "");
  const dark = theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const turn = () => {
    const next = dark ? "light" : "dark";
    localStorage.setItem("sendmill.theme", next);
    document.documentElement.dataset.theme = next;
    setTheme(next);
  };
  return html`<button class="plain small" onClick=${turn}><${Icon} name="sun" />${dark ? "Light" : "Dark"}</button>`;
}

function Welcome({ error, config }) {
  return html`<main class="welcome">
    <div class="card">
      <${Mark} />
      <div class="stack tight"><h1>Sendmill</h1><p class="quiet">Campaigns that reach everybody once, and say who was not reached.</p></div>
      ${error && html`<${Notice} look="bad"><p>${error.message}</p><//>`}
      ${config?.oidc?.client_id
        ? html`<button class="primary" onClick=${signIn}>Sign in</button>`
        : config && html`<${Notice} look="warn"><p>No sign-in is set up for this environment.</p><//>`}
      ${config && html`<p class="small quiet">${config.environment} · <a href="docs">API documentation</a></p>`}
    </div>
  </main>`;
}

function NoRole({ me }) {
  return html`<main class="welcome"><div class="card"><h1>No role yet</h1>
    <p>${me?.email || "Your account"} may sign in, but has none of the roles viewer, editor, sender or admin. Ask an admin for one.</p>
    <button onClick=${signOut}>Sign out</button></div></main>`;
}

async function begin() {
  const root = document.getElementById("app");
  const theme = localStorage.getItem("sendmill.theme");
  if (theme) document.documentElement.dataset.theme = theme;
  const show = (view) => {
    root.querySelector(".boot")?.remove();
    render(view, root);
  };
  let config = null;
  try {
    config = await boot();
    if (!signedIn()) return show(html`<${Welcome} config=${config} />`);
    const me = await get("me");
    show(html`<${Shell} config=${config} me=${me} />`);
  } catch (error) {
    const view = error.status === 403 ? html`<${NoRole} />` : html`<${Welcome} error=${error} config=${config} />`;
    show(view);
  }
}
begin();
