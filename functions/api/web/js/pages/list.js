// One list: search, add, edit, erase; the rejected rows of its file.
import { download, get, patch, post, remove } from "../api.js";
import { html, useState } from "../core.js";
import { go } from "../router.js";
import { Action, Confirm, Dialog, Empty, Field, Head, Loaded, Notice, Page, Pager, errorOf, say, useLater, useLoad, usePages } from "../ui.js";
import { count, number, when } from "../words.js";

const HEAD = { title: "List of contacts", back: { href: "#/contacts", title: "Contacts" } };

export default function List({ id, can }) {
  const list = useLoad(() => get(`contact-lists/${id}`), [id]);
  return html`<${Page}><${Loaded} from=${list} head=${HEAD}>${(found) => html`<${View} id=${id} list=${found} all=${list} can=${can} />`}<//><//>`;
}

function View({ id, list, all, can }) {
  const [text, setText] = useState("");
  const asked = useLater(text, 350);
  const page = usePages((cursor) => get(`contact-lists/${id}/contacts`, { query: asked, cursor, limit: 50 }), [id, asked]);
  const [asking, setAsking] = useState(null);
  const rejected = list.rejected.invalid + list.rejected.duplicate;
  const close = () => setAsking(null);
  const done = async (said) => {
    say(said);
    close();
    await Promise.all([page.reload(), all.reload()]);
  };
  const shown = list.fields.slice(0, 4);
  return html`
    <${Head} title=${list.name} sub=${`Imported ${when(list.created_at)}`} back=${{ href: "#/contacts", title: "Contacts" }}>
      ${can("editor") && html`<button onClick=${() => setAsking({ what: "name" })}>Rename</button>`}
      ${can("admin") && html`<button class="danger" onClick=${() => setAsking({ what: "delete" })}>Delete</button>`}
      ${can("editor") && html`<a class="button primary" href=${`#/campaigns/new?list_id=${id}`}>Write to them</a>`}
    <//>
    <dl class="tiles">
      <div><dt>Contacts</dt><dd class="value">${number(list.accepted)}</dd></div>
      <div><dt>Rows in the file</dt><dd class="value">${number(list.rows)}</dd></div>
      <div><dt>Invalid</dt><dd class="value">${number(list.rejected.invalid)}</dd></div>
      <div><dt>Duplicates</dt><dd class="value">${number(list.rejected.duplicate)}</dd></div>
    </dl>
    ${rejected > 0 && html`<${Notice} look="warn" title=${`${count(rejected, "row")} ${rejected === 1 ? "was" : "were"} rejected`}>
      <p>Their file names the line and the reason of each: correct those rows, then import them.</p>
      <div><${Action} look="small" onPress=${() => download(`contact-lists/${id}/rejected`, {}, `${id}-rejected.csv`)}>Save the rejected rows<//></div><//>`}
    <section class="card flush">
      <div class="bar-top row apart low"><div class="toolbar"><${Field} label="Find a contact" type="search" placeholder="Part of an address or a name" value=${text} onInput=${setText} /></div>
        ${can("editor") && html`<button onClick=${() => setAsking({ what: "edit", contact: { email: "", fields: {} } })}>Add a contact</button>`}</div>
      <${Loaded} from=${page}>${(found) => found.items.length === 0
        ? html`<${Empty} icon="people" title="Nobody here">${asked ? "No contact fits that." : "The list is empty."}<//>`
        : html`<div class="table cards"><table>
            <thead><tr><th>Address</th>${shown.map((name) => html`<th>${name}</th>`)}<th><span class="sr-only">Actions</span></th></tr></thead>
            <tbody>${found.items.map((one) => html`<tr key=${one.contact_id}>
              <th scope="row">${one.email}${one.line ? html`<span class="sub quiet">line ${one.line}</span>` : ""}</th>
              ${shown.map((name) => html`<td data-label=${name}>${one.fields[name] ?? ""}</td>`)}
              <td class="actions">${can("editor") && html`<button class="small plain" aria-label=${`Edit ${one.email}`} onClick=${() => setAsking({ what: "edit", contact: one })}>Edit</button>`}</td></tr>`)}</tbody>
          </table></div><${Pager} page=${page} />`}<//>
    </section>
    ${asking?.what === "name" && html`<${Rename} list=${list} onClose=${close} onDone=${done} />`}
    ${asking?.what === "edit" && html`<${Contact} list=${list} contact=${asking.contact} can=${can} onClose=${close} onDone=${done} />`}
    ${asking?.what === "delete" && html`<${Confirm} title="Delete this list?" verb="Delete the list" word=${list.name} onClose=${close}
      onConfirm=${async () => { await remove(`contact-lists/${id}`); go("/contacts"); }}><p>${count(list.accepted, "contact")} go with it. Campaigns that were started keep their recipients.</p><//>`}`;
}

function Rename({ list, onClose, onDone }) {
  const [name, setName] = useState(list.name);
  return html`<${Dialog} title="Rename the list" submit="Rename" onClose=${onClose}
    onSubmit=${async () => { await patch(`contact-lists/${list.list_id}`, { name }); await onDone("Renamed."); }}>
    <${Field} label="Name" value=${name} onInput=${setName} /><//>`;
}

function Contact({ list, contact, can, onClose, onDone }) {
  const [email, setEmail] = useState(contact.email);
  const [fields, setFields] = useState({ ...contact.fields });
  const [error, setError] = useState(null);
  const [erasing, setErasing] = useState(false);
  const path = `contact-lists/${list.list_id}/contacts`;
  const save = async () => {
    const body = { email, fields };
    try {
      await (contact.contact_id ? patch(`${path}/${contact.contact_id}`, body) : post(path, body));
    } catch (problem) {
      setError(problem);
      throw problem;
    }
    await onDone("Saved.");
  };
  const drop = async () => {
    await remove(`${path}/${contact.contact_id}`);
    await onDone("Removed from the list.");
  };
  const erase = async () => {
    let [lists, recipients, cursor] = [0, 0, ""];
    do {
      const found = await post("contacts/erase", { email: contact.email, confirm: contact.email, ...(cursor && { cursor }) });
      [lists, recipients, cursor] = [lists + found.lists, recipients + found.recipients, found.cursor];
    } while (cursor);
    await onDone(`Erased from ${count(lists, "list")} and ${count(recipients, "campaign row")}.`);
  };
  if (erasing) {
    return html`<${Confirm} title="Erase this person everywhere?" verb="Erase" word=${contact.email} onClose=${onClose} onConfirm=${erase}>
      <p>The address and its columns are removed from every list and every campaign. Only an unreadable mark stays, so that a later import does not mail them again. This cannot be taken back.</p><//>`;
  }
  return html`<${Dialog} title=${contact.contact_id ? "Edit the contact" : "Add a contact"} submit="Save" onClose=${onClose} onSubmit=${save}>
    <${Field} label="Address" type="email" value=${email} error=${errorOf(error, "email")} onInput=${setEmail} />
    ${list.fields.filter((name) => name !== "email").map((name) => html`<${Field} key=${name} label=${name} value=${fields[name] ?? ""} onInput=${(value) => setFields({ ...fields, [name]: value })} />`)}
    <p class="hint">An edit makes the list's next revision; running campaigns keep theirs.</p>
    ${contact.contact_id && html`<div class="row">
      <${Action} look="danger small" onPress=${drop} onError=${setError}>Remove from this list<//>
      ${can("admin") && html`<button type="button" class="danger small" onClick=${() => setErasing(true)}>Erase everywhere</button>`}</div>`}
  <//>`;
}
