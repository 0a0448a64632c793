// Templates: messages kept for more than one campaign.
import { get } from "../api.js";
import { html } from "../core.js";
import { Empty, Head, Loaded, Page, Pager, usePages } from "../ui.js";
import { when } from "../words.js";

export default function Templates({ can }) {
  const page = usePages((cursor) => get("templates", { cursor, limit: 25 }), []);
  const write = can("editor") && html`<a class="button primary" href="#/templates/new">New template</a>`;
  return html`<${Page}>
    <${Head} title="Templates" sub="Messages for more than one campaign. Every change is a new version; a campaign keeps the one it was made with.">${write}<//>
    <${Loaded} from=${page}>${(found) =>
      found.items.length
        ? html`<section class="card flush"><div class="table cards"><table>
            <thead><tr><th>Template</th><th class="right">Version</th><th>Variables</th><th>Changed</th></tr></thead>
            <tbody>${found.items.map((one) => html`<tr key=${one.template_id}>
              <th scope="row"><a class="title-link" href=${`#/templates/${one.template_id}`}>${one.name}</a><span class="sub quiet">${one.subject}</span></th>
              <td class="right" data-label="Version">${one.version}</td>
              <td data-label="Variables">${(one.variables || []).join(", ") || "–"}</td>
              <td data-label="Changed" class="nowrap">${when(one.created_at)}</td></tr>`)}</tbody>
          </table></div><${Pager} page=${page} /></section>`
        : html`<section class="card"><${Empty} icon="template" title="No template yet" action=${write}>A newsletter that goes out every month is written once here, and then used by each of its campaigns.<//></section>`}<//>
  <//>`;
}
