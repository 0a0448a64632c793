// What a contact will read: a preview in a frame where nothing runs, with a real contact, and test mails.
import { get, post } from "./api.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "./core.js";
import { Dialog, Field, Notice, Wrong, useLater, useLoad } from "./ui.js";
import { count, plain } from "./words.js";

const FRAME = new URL("../preview.html", import.meta.url);
const NOTHING = '<p style="color:#56616f">The message appears here as you write it.</p>';

// What is written, made into a mail for a contact. `busy` until the mail is of what stands in the form now.
export function usePreview(written, listId) {
  const [chosen, setChosen] = useState({ listId: "", contact: null });
  // of the list that is chosen now: until its contacts are there, nobody
  const known = chosen.listId === listId;
  const contact = known ? chosen.contact : null;
  const wanted = known ? asked(written, contact, listId) : "waiting";
  const due = useLater(wanted, 350);
  const [found, setFound] = useState({ data: null, error: null, of: "" });
  useEffect(() => {
    if (due === "waiting") return undefined;
    if (!due) return setFound({ data: null, error: null, of: due });
    let here = true;
    post("templates/preview", JSON.parse(due), { key: "" }).then(
      (data) => here && setFound({ data, error: null, of: due }),
      (error) => here && setFound((before) => ({ ...before, error, of: due })),
    );
    return () => (here = false);
  }, [due]);
  const setContact = (one) => setChosen({ listId, contact: one });
  return { data: found.data, error: found.error, busy: found.of !== wanted, contact, setContact };
}

// The request as text, so that it can be compared; empty while nothing is written.
function asked({ subject, body, text, defaults }, contact, listId) {
  if (!subject && !body) return "";
  const about = contact ? { list_id: listId, contact_id: contact.contact_id } : { contact: { email: "reader@example.com" } };
  const said = { subject: subject?.trim() ? subject : "No subject yet", body: body?.trim() ? body : "No text yet" };
  return JSON.stringify({ ...said, ...(text && { text }), ...(defaults && { defaults }), ...about });
}

export function MailView({ preview, listId }) {
  const [wanted, setForm] = useState("html");
  const { data, error, contact } = preview;
  const textAlone = Boolean(data) && !data.html;
  const form = textAlone ? "text" : wanted;
  return html`<section class="stack tight" aria-label="Preview">
    <div class="row apart"><h2>Preview</h2>
      <div class="segmented" role="group" aria-label="Part of the mail">
        <button type="button" aria-pressed=${form === "html"} disabled=${textAlone} onClick=${() => setForm("html")}>HTML</button>
        <button type="button" aria-pressed=${form === "text"} onClick=${() => setForm("text")}>Plain text</button>
      </div>
    </div>
    <${Contacts} listId=${listId} chosen=${contact} onChoose=${preview.setContact} />
    ${data?.missing?.length > 0 &&
    html`<${Notice} look="warn" title=${`${count(data.missing.length, "variable")} without a value for this contact`}>
      <p class="chips">${data.missing.map((name) => html`<span class="chip missing">${name}</span>`)}</p>
      <p class="small">A campaign with a variable that some row lacks is refused before the first mail. Give a default, <code>{{ name | default("friend") }}</code>, or use another column.</p>
    <//>`}
    <${Wrong} error=${error} />
    <div class="mail">
      <div class="mail-head"><strong>${data?.subject || "No subject yet"}</strong>
        <dl><dt>To</dt><dd>${contact?.email || "reader@example.com"}</dd></dl></div>
      ${form === "html" ? html`<${Frame} mail=${data?.html || NOTHING} busy=${preview.busy} />` : html`<pre tabindex="0" aria-label="Plain text of the mail" aria-busy=${preview.busy}>${data?.text || ""}</pre>`}
    </div>
    <p class="hint">${textAlone ? "Plain text alone: the message has no HTML." : "Pictures from the web are not fetched here, and links do nothing."}</p>
  </section>`;
}

// The frame has an origin of its own, so it is handed each new mail as a message once it says that it is ready,
// and says in its turn when the mail stands; until then it is busy.
function Frame({ mail, busy }) {
  const frame = useRef(null);
  const turn = useRef(0);
  const [ready, setReady] = useState(0);
  const [shown, setShown] = useState(false);
  // before the browser does anything else: the frame says only once that it is ready
  useLayoutEffect(() => {
    const heard = ({ source, data }) => {
      if (source !== frame.current?.contentWindow) return;
      if (data?.ready) setReady((times) => times + 1);
      if (data?.shown === turn.current) setShown(true);
    };
    addEventListener("message", heard);
    return () => removeEventListener("message", heard);
  }, []);
  useLayoutEffect(() => {
    if (!ready) return;
    turn.current += 1;
    setShown(false);
    frame.current.contentWindow.postMessage({ html: mail, turn: turn.current }, "*");
  }, [mail, ready]);
  return html`<iframe ref=${frame} src=${FRAME} sandbox="allow-scripts" title="Preview of the mail" tabindex="0" aria-busy=${busy || !shown}></iframe>`;
}

function Contacts({ listId, chosen, onChoose }) {
  const [query, setQuery] = useState("");
  const asked = useLater(query, 300);
  const found = useLoad(
    () => (listId ? get(`contact-lists/${listId}/contacts`, { query: asked, limit: 20 }) : Promise.resolve({ items: [] })),
    [listId, asked],
  );
  const items = found.data?.items || [];
  useEffect(() => {
    if (!found.data && !found.error) return;
    const there = items.some((one) => one.contact_id === chosen?.contact_id);
    if (!there && !(asked && chosen)) onChoose(items[0] || null);
  }, [found.data, found.error]);
  if (!listId) return html`<p class="hint">Choose a list, and the preview is made with one of its contacts.</p>`;
  return html`<div class="toolbar">
    <${Field} label="Find a contact" type="search" value=${query} onInput=${setQuery} />
    <${Field} label="Shown for" as="select" value=${chosen?.contact_id || ""} onInput=${(id) => onChoose(items.find((one) => one.contact_id === id))}>
      ${items.map((one) => html`<option value=${one.contact_id} selected=${one.contact_id === chosen?.contact_id}>${one.email}</option>`)}
    <//>
  </div>`;
}

export function Variables({ fields, onPick }) {
  if (!fields?.length) return null;
  return html`<div class="stack tight"><span class="hint" id="variables">Columns of the list; press one to put it into the message.</span>
    <div class="chips" role="group" aria-labelledby="variables">${fields.map((name) => html`<button type="button" onClick=${() => onPick(name)}>{{ ${name} }}</button>`)}</div></div>`;
}

export function insertAt(area, text, name) {
  const word = `{{ ${name} }}`;
  const at = area?.selectionStart ?? text.length;
  const end = area?.selectionEnd ?? at;
  requestAnimationFrame(() => {
    area?.focus();
    area?.setSelectionRange(at + word.length, at + word.length);
  });
  return text.slice(0, at) + word + text.slice(end);
}

export function TestSend({ campaign, before, onClose }) {
  const [to, setTo] = useState("");
  const [sent, setSent] = useState(null);
  const send = async () => {
    if (before) await before();
    const addresses = to.split(/[\s,;]+/).filter(Boolean);
    setSent(await post(`campaigns/${campaign.campaign_id}/test`, { to: addresses }));
  };
  return html`<${Dialog} title="Send a test" submit=${sent ? "" : "Send"} disabled=${!to.trim()} onClose=${onClose} onSubmit=${send}>
    ${sent
      ? html`<${Notice} look=${sent.failed.length ? "warn" : "good"} title=${`${count(sent.sent.length, "test mail")} sent`}>
          ${sent.failed.length > 0 && html`<ul>${sent.failed.map((one) => html`<li>${one.to}: ${plain(one.reason)}</li>`)}</ul>`}
          <p>Look at them in the mail programs that your readers use.</p><//>`
      : html`<p class="quiet">Made with a real contact of the list. The subject begins with [Test], and nothing of it counts in the campaign.</p>
          <${Field} label="Addresses" hint="Up to five, with commas between." type="text" inputmode="email" autocomplete="email" value=${to} onInput=${setTo} />`}
  <//>`;
}
