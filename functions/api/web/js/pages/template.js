// Write a template; look at it with a real contact.
import { all, get, post, put, remove } from "../api.js";
import { html, useState } from "../core.js";
import { MailView, Variables, insertAt, usePreview } from "../mail.js";
import { go } from "../router.js";
import { Action, Confirm, Field, Head, Loaded, Page, Wrong, errorOf, say, useDraft, useLoad } from "../ui.js";
import { when } from "../words.js";

const START = { name: "", subject: "", body: "", text: "", defaults: "" };
const SHOWN = ["name", "subject", "body", "text"];

const HEAD = { title: "Template", back: { href: "#/templates", title: "Templates" } };

export default function Template({ id, can }) {
  const fresh = id === "new";
  const found = useLoad(async () => {
    const lists = await all("contact-lists", {}, 200);
    if (fresh) return { lists, template: null, versions: [] };
    const [template, versions] = await Promise.all([get(`templates/${id}`), get(`templates/${id}/versions`)]);
    return { lists, template, versions: versions.items };
  }, [id]);
  return html`<${Page}><${Loaded} from=${found} head=${HEAD}>${(data) => html`<${Form} key=${data.template?.version} all=${found} can=${can} ...${data} />`}<//><//>`;
}

function Form({ template, versions, lists, can }) {
  const key = template ? `${template.template_id}.${template.version}` : "template";
  const [draft, change, forget] = useDraft(key, template ? asDraft(template) : START);
  const [error, setError] = useState(null);
  const [listId, setListId] = useState(lists[0]?.list_id || "");
  const [asking, setAsking] = useState(false);
  const preview = usePreview({ ...draft, defaults: pairs(draft.defaults) }, listId);
  const save = async () => {
    setError(null);
    const body = { name: draft.name, subject: draft.subject, body: draft.body, text: draft.text || undefined, defaults: pairs(draft.defaults) };
    await (template ? put(`templates/${template.template_id}`, body) : post("templates", body));
    forget();
    say("Saved.");
    go("/templates");
  };
  const wrong = (field) => errorOf(error, field);
  const locked = !can("editor");
  return html`
    <${Head} title=${template ? template.name : "New template"} sub=${template && `Version ${template.version}, ${when(template.created_at)}`} back=${{ href: "#/templates", title: "Templates" }}>
      ${template && can("editor") && html`<button class="danger" onClick=${() => setAsking(true)}>Delete</button><a class="button" href=${`#/campaigns/new?template_id=${template.template_id}`}>Use in a campaign</a>`}
    <//>
    <${Wrong} error=${error} except=${SHOWN} />
    <div class="compose">
      <form class="card" onSubmit=${(event) => event.preventDefault()}>
        <${Field} label="Name" name="name" disabled=${locked} value=${draft.name} error=${wrong("name")} onInput=${(name) => change({ name })} />
        <${Field} label="Subject" name="subject" disabled=${locked} value=${draft.subject} error=${wrong("subject")} onInput=${(subject) => change({ subject })} />
        <${Field} label="Message" name="body" as="textarea" class="code" rows="14" disabled=${locked} value=${draft.body} error=${wrong("body")} onInput=${(body) => change({ body })} />
        <${Variables} fields=${lists.find((one) => one.list_id === listId)?.fields} onPick=${(name) => change({ body: insertAt(document.querySelector("textarea[name=body]"), draft.body, name) })} />
        <${Field} label="Values where a contact has none" name="defaults" as="textarea" class="code" rows="3" disabled=${locked} hint="One a line, as first_name = friend." value=${draft.defaults} error=${wrong("defaults")} onInput=${(defaults) => change({ defaults })} />
        <${Field} label="Plain text" name="text" as="textarea" class="code" rows="4" disabled=${locked} hint="Optional; made from the message when empty." value=${draft.text} error=${wrong("text")} onInput=${(text) => change({ text })} />
        ${!locked && html`<div class="row end"><${Action} look="primary" onPress=${save} onError=${setError}>${template ? "Save as a new version" : "Save"}<//></div>`}
        ${versions.length > 1 && html`<footer class="small quiet">Versions: ${versions.map((one) => `${one.version} (${when(one.created_at)})`).join(", ")}</footer>`}
      </form>
      <div class="preview-side stack">
        ${lists.length > 0 && html`<${Field} label="Look at it with the list" as="select" value=${listId} onInput=${setListId}>${lists.map((one) => html`<option value=${one.list_id} selected=${one.list_id === listId}>${one.name}</option>`)}<//>`}
        <${MailView} preview=${preview} listId=${listId} />
      </div>
    </div>
    ${asking && html`<${Confirm} title="Delete this template?" verb="Delete the template" onClose=${() => setAsking(false)} onConfirm=${async () => { await remove(`templates/${template.template_id}`); go("/templates"); }}>
      <p>Campaigns that were made with it keep their message.</p><//>`}`;
}

const asDraft = (one) => ({ ...START, name: one.name, subject: one.subject, body: one.body, text: one.text || "", defaults: Object.entries(one.defaults || {}).map(([name, value]) => `${name} = ${value}`).join("\n") });

function pairs(text) {
  const lines = text.split("\n").map((line) => line.split(/=(.*)/s)).filter(([name, value]) => name.trim() && value !== undefined);
  return Object.fromEntries(lines.map(([name, value]) => [name.trim(), value.trim()]));
}
