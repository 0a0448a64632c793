// Write a campaign: whom it goes to, what it says, and beside it what a real contact will read.
import { all, get, patch, post } from "../api.js";
import { html, useState } from "../core.js";
import { Variables, MailView, TestSend, insertAt, usePreview } from "../mail.js";
import { go } from "../router.js";
import { Action, Field, Head, Loaded, Notice, Page, Wrong, errorOf, say, useDraft, useLoad } from "../ui.js";
import { number } from "../words.js";

const START = { name: "", list_id: "", template_id: "", subject: "", body: "", from_email: "", reply_to: "", service: "ses" };
const SHOWN = ["name", "list_id", "subject", "body", "template_id", "config"];

export default function Compose({ id, query, can }) {
  const existing = useLoad(() => (id ? get(`campaigns/${id}`) : Promise.resolve(null)), [id]);
  const choices = useLoad(async () => ({ lists: await all("contact-lists") }), []);
  const head = headOf(id);
  return html`<${Page}>
    <${Loaded} from=${existing} head=${head}>${(campaign) => html`<${Loaded} from=${choices} head=${head}>${(found) =>
      html`<${Form} campaign=${campaign} query=${query} can=${can} ...${found} />`}<//>`}<//>
  <//>`;
}

const headOf = (existing) => ({ title: existing ? "Edit the campaign" : "New campaign", back: { href: "#/campaigns", title: "Campaigns" } });

function Form({ campaign, lists, query, can }) {
  const [draft, change, forget] = useDraft(campaign ? campaign.campaign_id : "new", campaign ? asDraft(campaign) : { ...START, ...query });
  const [error, setError] = useState(null);
  const [testing, setTesting] = useState(false);
  const [own, setOwn] = useState(!draft.template_id);
  const list = lists.find((one) => one.list_id === draft.list_id);
  const found = useLoad(() => (own ? Promise.resolve([]) : all("templates")), [own]);
  const templates = found.data || [];
  const template = templates.find((one) => one.template_id === draft.template_id);
  const written = !own && template ? template : draft;
  const preview = usePreview(written, draft.list_id);

  const save = async () => {
    setError(null);
    const content = asBody(draft, own);
    const saved = campaign ? await patch(`campaigns/${campaign.campaign_id}`, content) : await post("campaigns", content);
    forget();
    return saved.campaign_id;
  };
  const next = async () => {
    const saved = await save();
    say("The draft is saved.");
    go(`/campaigns/${saved}/preflight`);
  };
  const failed = (problem) => {
    setError(problem);
    requestAnimationFrame(() => document.querySelector("[aria-invalid=true]")?.focus());
  };
  const wrong = (field) => errorOf(error, field);

  return html`
    <${Head} ...${headOf(campaign)} />
    <${Wrong} error=${error} except=${SHOWN} />
    <div class="compose">
      <form class="stack" onSubmit=${(event) => event.preventDefault()}>
        <section class="card">
          <${Field} label="Name" name="name" hint="For you alone; recipients do not see it." required value=${draft.name} error=${wrong("name")} onInput=${(name) => change({ name })} />
          ${lists.length
            ? html`<${Field} label="Contacts" name="list_id" as="select" value=${draft.list_id} error=${wrong("list_id")} onInput=${(list_id) => change({ list_id })}>
                <option value="">Choose a list</option>
                ${lists.map((one) => html`<option value=${one.list_id} selected=${one.list_id === draft.list_id}>${one.name} (${number(one.accepted)})</option>`)}
              <//>`
            : html`<${Notice} look="warn" title="There is no list of contacts yet"><p><a href="#/contacts/import">Import one</a>; what you wrote here is kept.</p><//>`}
          <${Field} label="From" name="from_email" type="email" hint="Empty for the address that the environment sends from." value=${draft.from_email} error=${wrong("config.from_email")} onInput=${(from_email) => change({ from_email })} />
          <${Field} label="Replies go to" name="reply_to" type="email" hint="Optional." value=${draft.reply_to} error=${wrong("config.reply_to")} onInput=${(reply_to) => change({ reply_to })} />
        </section>
        <section class="card">
          <div class="row apart"><h2>Message</h2>
            <div class="segmented" role="group" aria-label="Where the message comes from">
              <button type="button" aria-pressed=${own} onClick=${() => setOwn(true)}>Own text</button>
              <button type="button" aria-pressed=${!own} onClick=${() => setOwn(false)}>Template</button>
            </div>
          </div>
          ${own
            ? html`<${Field} label="Subject" name="subject" value=${draft.subject} error=${wrong("subject")} onInput=${(subject) => change({ subject })} />
                <${Field} label="Message" name="body" as="textarea" class="code" rows="14" spellcheck="true"
                  hint="HTML, or plain text. A plain-text part is made from it." value=${draft.body} error=${wrong("body")} onInput=${(text) => change({ body: text })} />
                <${Variables} fields=${list?.fields} onPick=${(name) => change({ body: insertAt(document.querySelector("textarea[name=body]"), draft.body, name) })} />`
            : html`<${Templates} from=${found} value=${draft.template_id} error=${wrong("template_id")} onInput=${(template_id) => change({ template_id })} />`}
        </section>
        <div class="row end">
          ${campaign && can("sender") && html`<button type="button" onClick=${() => setTesting(true)}>Send a test</button>`}
          <${Action} onPress=${async () => { const saved = await save(); say("The draft is saved."); if (!campaign) go(`/campaigns/${saved}/edit`); }} onError=${failed}>Save draft<//>
          <${Action} look="primary" onPress=${next} onError=${failed}>Save and check<//>
        </div>
      </form>
      <div class="preview-side stack"><${MailView} preview=${preview} listId=${draft.list_id} /></div>
    </div>
    ${testing && html`<${TestSend} campaign=${campaign} before=${save} onClose=${() => setTesting(false)} />`}`;
}

function Templates({ from, value, error, onInput }) {
  return html`<${Loaded} from=${from}>${(templates) => html`<${Choice} templates=${templates} value=${value} error=${error} onInput=${onInput} />`}<//>`;
}

function Choice({ templates, value, error, onInput }) {
  if (!templates.length) return html`<${Notice} title="There is no template yet"><p><a href="#/templates/new">Write one</a>, or use a text of your own.</p><//>`;
  return html`<${Field} label="Template" name="template_id" as="select" value=${value} error=${error} onInput=${onInput}>
    <option value="">Choose a template</option>
    ${templates.map((one) => html`<option value=${one.template_id} selected=${one.template_id === value}>${one.name} (version ${one.version})</option>`)}
  <//>`;
}

function asDraft(campaign) {
  const { config = {} } = campaign;
  return {
    ...START,
    name: campaign.campaign_name,
    list_id: campaign.list_id,
    template_id: campaign.template_id || "",
    subject: campaign.subject,
    body: campaign.body || "",
    from_email: config.from_email || "",
    reply_to: config.reply_to || "",
    service: config.email_service || "ses",
  };
}

function asBody(draft, own) {
  const config = { email_service: draft.service };
  if (draft.from_email) config.from_email = draft.from_email;
  if (draft.reply_to) config.reply_to = draft.reply_to;
  const text = own ? { subject: draft.subject, body: draft.body } : { template_id: draft.template_id };
  return { name: draft.name, list_id: draft.list_id, config, ...text };
}
