// Every campaign, newest first.
import { get } from "../api.js";
import { StateBar } from "../chart.js";
import { html } from "../core.js";
import { go, link } from "../router.js";
import { Badge, Empty, Field, Head, Loaded, Page, Pager, usePages } from "../ui.js";
import { EDITABLE, STATUSES, number, when } from "../words.js";

export default function Campaigns({ query, can }) {
  const status = query.status || "";
  const page = usePages((cursor) => get("campaigns", { status, cursor, limit: 25 }), [status]);
  const write = can("editor") && html`<a class="button primary" href="#/campaigns/new">New campaign</a>`;
  return html`<${Page}>
    <${Head} title="Campaigns" sub="One message to one list of contacts.">${write}<//>
    <${Loaded} from=${page}>${(found) =>
      found.items.length || status
        ? html`<section class="card flush">
            <div class="bar-top toolbar">
              <${Field} label="Status" as="select" value=${status} onInput=${(value) => go(link("/campaigns", { status: value }).slice(1))}>
                <option value="">All</option>
                ${Object.entries(STATUSES).map(([name, [title]]) => html`<option value=${name} selected=${name === status}>${title}</option>`)}
              <//>
            </div>
            <div class="table cards"><table>
              <thead><tr><th>Campaign</th><th>Status</th><th class="right">Recipients</th><th>Progress</th><th>Created</th></tr></thead>
              <tbody>${found.items.map((one) => html`<${Row} key=${one.campaign_id} campaign=${one} />`)}</tbody>
            </table></div>
            ${found.items.length === 0 && html`<${Empty} icon="mail" title="None with this status">Choose another status above.<//>`}
            <${Pager} page=${page} />
          </section>`
        : html`<section class="card"><${Empty} icon="mail" title="No campaign yet"
            action=${can("editor") && html`<div class="row"><a class="button primary" href="#/contacts/import">Import contacts</a><a class="button" href="#/campaigns/new">Write a campaign</a></div>`}>
            A campaign needs two things: a list of contacts, and a message. Begin with the contacts; the message can use every column of their file.
          <//></section>`}
    <//>
  <//>`;
}

function Row({ campaign }) {
  const { campaign_id: id, states, total } = campaign;
  const sent = states.accepted || 0;
  const begun = !EDITABLE.has(campaign.status) && campaign.status !== "scheduled";
  const path = EDITABLE.has(campaign.status) ? `#/campaigns/${id}/preflight` : `#/campaigns/${id}`;
  return html`<tr>
    <th scope="row"><a class="title-link" href=${path}>${campaign.campaign_name}</a><span class="sub quiet">${campaign.subject}</span></th>
    <td data-label="Status"><${Badge} status=${campaign.status} /></td>
    <td class="right" data-label="Recipients">${number(total)}</td>
    <td data-label="Progress">${begun ? html`<div class="stack tight"><${StateBar} mini states=${states} total=${total} /><span class="sub">${number(sent)} accepted${states.failed ? `, ${number(states.failed)} failed` : ""}</span></div>` : html`<span class="quiet">Not started</span>`}</td>
    <td data-label="Created" class="nowrap">${when(campaign.created_at)}</td>
  </tr>`;
}
