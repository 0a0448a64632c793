// Lists of contacts.
import { get } from "../api.js";
import { html } from "../core.js";
import { Empty, Head, Loaded, Page, Pager, usePages } from "../ui.js";
import { number, when } from "../words.js";

export default function Lists({ can }) {
  const page = usePages((cursor) => get("contact-lists", { cursor, limit: 25 }), []);
  const load = can("editor") && html`<a class="button primary" href="#/contacts/import">Import contacts</a>`;
  return html`<${Page}>
    <${Head} title="Contacts" sub="Lists as they were imported. A campaign keeps the list it was started with.">${load}<//>
    <${Loaded} from=${page}>${(found) =>
      found.items.length
        ? html`<section class="card flush"><div class="table cards"><table>
            <thead><tr><th>List</th><th class="right">Contacts</th><th class="right">Rejected</th><th>Columns</th><th>Imported</th></tr></thead>
            <tbody>${found.items.map((one) => html`<tr key=${one.list_id}>
              <th scope="row"><a class="title-link" href=${`#/contacts/${one.list_id}`}>${one.name}</a></th>
              <td class="right" data-label="Contacts">${number(one.accepted)}</td>
              <td class="right" data-label="Rejected">${number(one.rejected.invalid + one.rejected.duplicate)}</td>
              <td data-label="Columns">${one.fields.slice(0, 6).join(", ") || "–"}${one.fields.length > 6 ? ` and ${one.fields.length - 6} more` : ""}</td>
              <td data-label="Imported" class="nowrap">${when(one.created_at)}</td></tr>`)}</tbody>
          </table></div><${Pager} page=${page} /></section>`
        : html`<section class="card"><${Empty} icon="people" title="No contacts yet" action=${load}>
            Import a CSV file whose first row names the columns. One of them holds the addresses; the others can be used in messages.<//></section>`}<//>
  <//>`;
}
