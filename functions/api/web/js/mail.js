// What a contact will read: a preview in a frame where nothing runs, with a real contact, and test mails.
import { get, post } from "./api.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "./core.js";
import { Dialog, Field, Notice, Wrong, useLater, useLoad } from "./ui.js";
import { count, plain } from "./words.js";

const FRAME = new URL("../preview.html", import.meta.url);

export function usePreview(written, listId) {
  const [contact, setContact] = useState(null);
  const { subject, body, text, defaults } = useLater(written, 350);
  const [found, setFound] = useState({ data: null, error: null });
  useEffect(() => {
    if (!subject && !body) return setFound({ data: null, error: null });
    let here = true;
    const ask = { subject: subject?.trim() ? subject : "No subject yet", body: body?.trim() ? body : "No text yet", ...(text && { text }), ...(defaults && { defaults }), ...about(contact, listId) };
    post("templates/preview", ask, { key: "" }).then(
      (data) => here && setFound({ data, error: null }),
      (error) => here && setFound((before) => ({ ...before, error })),
    );
    return () => (here = false);
  }, [subject, body, text, JSON.stringify(defaults), listId, contact?.contact_id]);
  return { ...found, contact, setContact };
}

const about = (contact, listId) =>
  contact ? { list_id: listId, contact_id: contact.contact_id } : { contact: { email: "reader@example.com" } };

export function MailView({ preview, listId }) {
  const [form, setForm] = useState("html");
  const { data, error, contact } = preview;
  return html`<section class="stack tight" aria-label="Preview">
    <div class="row apart"><h2>Preview</h2>
      <div class="segmented" role="group" aria-label="Part of the mail">
        <button type="button" aria-pressed=${form === "html"} onClick=${() => setForm("html")}>HTML</button>
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
      <div class="mail-head"><strong>${data?.subject || "Subject"}</strong>
        <dl><dt>To</dt><dd>${contact?.email || "reader@example.com"}</dd></dl></div>
      ${form === "html" ? html`<${Frame} mail=${data?.html || ""} />` : html`<pre tabindex="0" aria-label="Plain text of the mail">${data?.text || ""}</pre>`}
    </div>
    <p class="hint">Pictures from the web are not fetched here, and links do nothing.</p>
  </section>`;
}

// The frame has an origin of its own, so it is handed each new mail as a message once it says that it is ready,
// and says in its turn when the mail stands; until then it is busy.
function Frame({ mail }) {
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
  return html`<iframe ref=${frame} src=${FRAME} sandbox="allow-scripts" title="Preview of the mail" tabindex="0" aria-busy=${!shown}></iframe>`;
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
    if (!items.some((one) => one.contact_id === chosen?.contact_id) && !asked) onChoose(items[0] || null);
  }, [found.data]);
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
