// Who is in which state, and why: search, filter, take away as a file.
import { download, get } from "../api.js";
import { html, useState } from "../core.js";
import { go, link } from "../router.js";
import { Action, Empty, Field, Head, Loaded, Page, Pager, useLater, useLoad, usePages } from "../ui.js";
import { STATES, STATE_NAMES, plain, when } from "../words.js";
import { Tabs } from "./campaign.js";

export default function Recipients({ id, query }) {
  const { state = "", reason = "" } = query;
  const [text, setText] = useState("");
  const asked = useLater(text, 350);
  const campaign = useLoad(() => get(`campaigns/${id}`), [id]);
  const page = usePages((cursor) => get(`campaigns/${id}/recipients`, { state, reason, query: asked, cursor, limit: 50 }), [id, state, reason, asked]);
  const move = (part) => go(link(`/campaigns/${id}/recipients`, { state, reason, ...part }).slice(1));
  return html`<${Page}>
    <${Head} title=${campaign.data?.campaign_name || "Recipients"} sub=${campaign.data?.subject} back=${{ href: "#/campaigns", title: "Campaigns" }}>
      <${Action} onPress=${() => download(`campaigns/${id}/recipients/export`, { state }, `${id}-recipients.csv`)}>Save as CSV<//>
    <//>
    <${Tabs} id=${id} here="recipients" />
    <section class="card flush">
      <div class="bar-top toolbar">
        <${Field} label="State" as="select" value=${state} onInput=${(value) => move({ state: value, reason: "" })}>
          <option value="">All</option>${STATES.map(([name, title]) => html`<option value=${name} selected=${name === state}>${title}</option>`)}
        <//>
        <${Field} label="Find an address" type="search" value=${text} onInput=${setText} />
        ${reason && html`<button onClick=${() => move({ reason: "" })}>Only: ${plain(reason)} ✕</button>`}
      </div>
      <${Loaded} from=${page}>${(found) => found.items.length === 0
        ? html`<${Empty} icon="people" title="Nobody here">${page.next ? "None on this page; there are more." : "No recipient fits these filters."}<//><${Pager} page=${page} />`
        : html`<div class="table cards"><table>
            <thead><tr><th>Address</th><th>State</th><th>Reason</th><th>Delivery</th><th>Last change</th></tr></thead>
            <tbody>${found.items.map((one) => html`<tr key=${one.recipient_id}>
              <th scope="row">${one.email}${one.line ? html`<span class="sub quiet">line ${one.line}</span>` : ""}</th>
              <td data-label="State"><span><span class=${`dot c-${one.state}`}></span>${STATE_NAMES[one.state]}</span></td>
              <td data-label="Reason">${plain(one.reason) || "–"}</td>
              <td data-label="Delivery">${plain(one.news) || "–"}</td>
              <td data-label="Last change" class="nowrap">${when(one.updated_at)}</td></tr>`)}</tbody>
          </table></div><${Pager} page=${page} />`}<//>
    </section>
  <//>`;
}
