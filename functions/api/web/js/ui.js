// Pieces that pages are put together from.
import { html, useCallback, useEffect, useId, useRef, useState } from "./core.js";
import { STATUSES, plain } from "./words.js";

const SHAPES = {
  mail: "M3 6h18v13H3zM3.5 6.5 12 13l8.5-6.5",
  template: "M5 3h14v18H5zM8.5 8h7M8.5 12h7M8.5 16h4",
  people: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM2.5 20a6.5 6.5 0 0 1 13 0M16 4.500a3.5 3.5 0 0 1 0 6.500M18 14.500a6.5 6.5 0 0 1 3.5 5.5",
  stop: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM5.7 5.700l12.6 12.6",
  tasks: "M4 6h2M4 12h2M4 18h2M10 6h10M10 12h10M10 18h10",
  letters: "M3 13h5l1.5 3h5l1.5-3h5M3 13l3-8h12l3 8v6H3z",
  heart: "M3 12h4l3-7 4 14 3-7h4",
  ok: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM8 12.300l2.8 2.700L16 9.5",
  warn: "M12 4 2.5 20h19zM12 10v4.500M12 17.300v.1",
  bad: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM9 9l6 6M15 9l-6 6",
  info: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM12 11v5.500M12 7.600v.1",
  menu: "M4 6h16M4 12h16M4 18h16",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.400M17.6 17.6 19 19M5 19l1.4-1.400M17.6 6.4 19 5",
  upload: "M12 16V4M7 8.5 12 3.500l5 5M4 15v5h16v-5",
};

export const Icon = ({ name }) =>
  html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${SHAPES[name]} /></svg>`;

// Load something, say when it fails, and ask again every so often while the page is looked at.
export function useLoad(load, inputs, { every = 0 } = {}) {
  const [found, setFound] = useState({ data: undefined, error: null });
  const turn = useRef(0);
  const reload = useCallback(async () => {
    const mine = (turn.current += 1);
    try {
      const data = await load();
      if (mine === turn.current) setFound({ data, error: null });
      return data;
    } catch (error) {
      if (mine === turn.current) setFound((before) => ({ ...before, error }));
    }
  }, inputs);
  useEffect(() => {
    setFound({ data: undefined, error: null });
    reload();
    return () => (turn.current += 1);
  }, [reload]);
  useEffect(() => {
    if (!every) return undefined;
    const timer = setInterval(() => document.hidden || reload(), every);
    return () => clearInterval(timer);
  }, [reload, every]);
  return { ...found, reload, show: (data) => setFound({ data, error: null }) };
}

export function usePages(load, inputs) {
  const [cursors, setCursors] = useState([""]);
  useEffect(() => setCursors([""]), inputs);
  const cursor = cursors.at(-1);
  const page = useLoad(() => load(cursor), [...inputs, cursor]);
  const next = page.data?.cursor;
  return {
    ...page,
    number: cursors.length,
    next: next ? () => setCursors([...cursors, next]) : null,
    back: cursors.length > 1 ? () => setCursors(cursors.slice(0, -1)) : null,
  };
}

export const Pager = ({ page }) =>
  (page.next || page.back) &&
  html`<nav class="pager" aria-label="Pages">
    <button class="small" disabled=${!page.back} onClick=${page.back}>Back</button>
    <span>Page ${page.number}</span>
    <button class="small" disabled=${!page.next} onClick=${page.next}>Next</button>
  </nav>`;

export const Page = ({ narrow, children }) =>
  html`<div class=${narrow ? "page narrow" : "page"}>${children}</div>`;

export function Head({ title, sub, back, children }) {
  useEffect(() => {
    if (title) document.title = `${title} · Sendmill`;
  }, [title]);
  return html`<header class="head">
    <div>
      ${back && html`<a class="crumb" href=${back.href}>← ${back.title}</a>`}
      <h1 tabindex="-1">${title}</h1>
      ${sub && html`<p class="quiet">${sub}</p>`}
    </div>
    <div class="row">${children}</div>
  </header>`;
}

export const Badge = ({ status }) => {
  const [title, look] = STATUSES[status] || [plain(status), ""];
  return html`<span class=${`badge ${look}`}>${title}</span>`;
};

export const Notice = ({ look = "info", title, children }) =>
  html`<div class=${`notice ${look}`} role=${look === "bad" ? "alert" : undefined}>
    <${Icon} name=${look === "good" ? "ok" : look} />
    <div>${title && html`<strong>${title}</strong>`}${children}</div>
  </div>`;

export const Empty = ({ icon, title, children, action }) =>
  html`<div class="empty"><${Icon} name=${icon} /><h2>${title}</h2><p>${children}</p>${action}</div>`;

// What went wrong, in the service's own words; fields that a form shows itself are left out.
export const Wrong = ({ error, except = [] }) => {
  if (!error) return null;
  const others = (error.errors || []).filter((one) => !except.includes(one.field));
  return html`<${Notice} look="bad" title=${error.title || "That did not work"}>
    <p>${error.message}</p>
    ${others.length > 0 &&
    html`<ul>${others.map((one) => html`<li><code>${one.field}</code>: ${one.detail}</li>`)}</ul>`}
  <//>`;
};

// `head` is for a page whose heading comes with its data: what it is called when they do not come.
export const Loaded = ({ from, head, children }) => {
  if (from.error && from.data === undefined) return html`${head && html`<${Head} ...${head} />`}<${Wrong} error=${from.error} />`;
  if (from.data === undefined) return html`<p class="quiet" role="status">Loading</p>`;
  return html`${from.error && html`<${Wrong} error=${from.error} />`}${children(from.data)}`;
};

// A button that is busy while what it does lasts, and cannot be pressed twice.
export function Action({ onPress, children, look = "", disabled, onError, ...more }) {
  const [busy, setBusy] = useState(false);
  const press = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await onPress(event);
    } catch (error) {
      if (!onError) say(error.message);
      else onError(error);
    } finally {
      setBusy(false);
    }
  };
  return html`<button type="button" class=${look} disabled=${disabled || busy} aria-busy=${busy} onClick=${press} ...${more}>
    ${busy && html`<span class="spin" aria-hidden="true"></span>`}${children}
  </button>`;
}

// A form's field with its label, hint and error; `as` is input, select or textarea.
export function Field({ label, hint, error, name, as = "input", children, value, onInput, ...more }) {
  const id = useId();
  const about = [hint && `${id}-hint`, error && `${id}-wrong`].filter(Boolean).join(" ");
  const given = {
    id,
    name,
    value,
    onInput: (event) => onInput(event.currentTarget.value),
    "aria-describedby": about || undefined,
    "aria-invalid": error ? "true" : undefined,
    ...more,
  };
  return html`<div class="field">
    <label for=${id}>${label}</label>
    ${hint && html`<span class="hint" id=${`${id}-hint`}>${hint}</span>`}
    ${as === "select" && html`<select ...${given}>${children}</select>`}
    ${as === "textarea" && html`<textarea ...${given}></textarea>`}
    ${as === "input" && html`<input ...${given} />`}
    ${error && html`<span class="wrong" id=${`${id}-wrong`}>${error}</span>`}
  </div>`;
}

export const Check = ({ label, hint, checked, onInput, ...more }) => {
  const id = useId();
  return html`<div class="check">
    <input type="checkbox" id=${id} checked=${checked} onInput=${(e) => onInput(e.currentTarget.checked)}
      aria-describedby=${hint ? `${id}-hint` : undefined} ...${more} />
    <label for=${id}>${label}${hint && html`<span class="hint" id=${`${id}-hint`}><br />${hint}</span>`}</label>
  </div>`;
};

// The error of a problem that names this field, or one inside it.
export const errorOf = (problem, field) =>
  problem?.errors?.find((one) => one.field === field || one.field?.startsWith(`${field}.`))?.detail;

export function Dialog({ title, onClose, onSubmit, submit, danger, disabled, children }) {
  const box = useRef(null);
  const [error, setError] = useState(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    box.current.showModal();
    return () => before?.isConnected && before.focus();
  }, []);
  const press = async () => {
    setError(null);
    await onSubmit();
  };
  return html`<dialog ref=${box} aria-labelledby=${id} onClose=${onClose} onCancel=${onClose}>
    <form method="dialog" onSubmit=${(event) => event.preventDefault()}>
      <h2 id=${id}>${title}</h2>
      <${Wrong} error=${error} />
      ${children}
      <div class="row end">
        <button type="button" onClick=${onClose}>${submit ? "Not now" : "Close"}</button>
        ${submit &&
        html`<${Action} type="submit" look=${danger ? "danger solid" : "primary"} disabled=${disabled} onPress=${press} onError=${setError}>${submit}<//>`}
      </div>
    </form>
  </dialog>`;
}

// A verb that cannot be taken back: says what will happen, and wants `word` typed where it is given.
export function Confirm({ title, verb, word, onClose, onConfirm, children }) {
  const [typed, setTyped] = useState("");
  return html`<${Dialog} title=${title} submit=${verb} danger onClose=${onClose} disabled=${word && typed !== word}
    onSubmit=${async () => { await onConfirm(); onClose(); }}>
    <div class="stack tight">${children}</div>
    ${word && html`<${Field} label=${`Type ${word} to go on`} value=${typed} onInput=${setTyped} autocomplete="off" />`}
  <//>`;
}

// One line at the corner that goes away by itself; read out politely.
let tell = () => {};
export const say = (text) => tell(text);
export function Toasts() {
  const [lines, setLines] = useState([]);
  useEffect(() => {
    tell = (text) => {
      const line = { text, id: Math.random() };
      setLines((before) => [...before.slice(-2), line]);
      setTimeout(() => setLines((before) => before.filter((one) => one !== line)), 6000);
    };
  }, []);
  return html`<div class="toasts" role="status">${lines.map((line) => html`<div key=${line.id}>${line.text}</div>`)}</div>`;
}

// What somebody typed survives a new sign-in and a slip of the hand; never tokens, never contacts.
export function useDraft(key, start) {
  const name = `sendmill.draft.${key}`;
  const [draft, setDraft] = useState(() => ({ ...start, ...JSON.parse(sessionStorage.getItem(name) || "{}") }));
  const change = (part) =>
    setDraft((before) => {
      const after = { ...before, ...part };
      sessionStorage.setItem(name, JSON.stringify(after));
      return after;
    });
  return [draft, change, () => sessionStorage.removeItem(name)];
}

export function useLater(value, milliseconds) {
  const [later, setLater] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setLater(value), milliseconds);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return later;
}

// Read `text` out once it has changed and some seconds have passed: a counter must not talk all the time.
export function Spoken({ text, every = 10_000 }) {
  const [said, setSaid] = useState("");
  const newest = useRef(text);
  newest.current = text;
  useEffect(() => {
    setSaid(newest.current);
    const timer = setInterval(() => setSaid(newest.current), every);
    return () => clearInterval(timer);
  }, [every]);
  return html`<p class="sr-only" role="status">${said}</p>`;
}
