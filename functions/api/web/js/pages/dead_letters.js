// Messages that were tried three times and set aside: look, put back, throw away.
import { get, post } from "../api.js";
import { html, useState } from "../core.js";
import { go, link } from "../router.js";
import { Action, Confirm, Empty, Field, Head, Loaded, Notice, Page, say, useLoad } from "../ui.js";
import { number, plain, when } from "../words.js";

export default function DeadLetters({ query, can }) {
  const queue = query.queue || "email";
  const found = useLoad(() => get("dead-letters", { queue, limit: 100 }), [queue], { every: 5000 });
  const queues = useLoad(async () => (await get("tasks")).queues, []);
  const [purging, setPurging] = useState(false);
  const word = queues.data?.find(({ name }) => name === queue)?.dead_letter_name;
  const redrive = async () => {
    await post("dead-letters/redrive", {}, { query: { queue } });
    say("They are put back on their queue.");
    await found.reload();
  };
  const purge = async (confirm) => {
    await post("dead-letters/purge", { confirm }, { query: { queue } });
    say("Purged.");
    await found.reload();
  };
  return html`<${Page}>
    <${Head} title="Dead letters" sub="Messages that failed three times. Nothing is lost: fix the cause, then put them back.">
      ${found.data?.items.length > 0 && html`
        ${word && can("admin") && html`<button class="danger" onClick=${() => setPurging(true)}>Purge</button>`}
        ${can("sender") && html`<${Action} look="primary" onPress=${redrive}>Put all back<//>`}`}
    <//>
    <div class="toolbar"><${Field} label="Queue" as="select" value=${queue} onInput=${(value) => go(link("/dead-letters", { queue: value }).slice(1))}>
      ${(queues.data || [{ name: queue }]).map(({ name }) => html`<option value=${name} selected=${name === queue}>${plain(name)}</option>`)}<//></div>
    <${Loaded} from=${found}>${(data) => html`
      <${Move} move=${data.redrive} />
      <section class="card flush">${data.items.length === 0
        ? html`<${Empty} icon="letters" title="No dead letters">Every message was dealt with. When one fails three times it waits here for fourteen days.<//>`
        : html`<div class="table cards"><table>
            <thead><tr><th>Message</th><th>Why</th><th class="right">Tried</th><th>Since</th></tr></thead>
            <tbody>${data.items.map((one) => html`<tr key=${one.message_id}><th scope="row"><${What} letter=${one} /></th>
              <td data-label="Why">${plain(one.reason) || "–"}</td>
              <td class="right" data-label="Tried">${number(one.receives)}</td>
              <td data-label="Since" class="nowrap">${when(one.sent_at)}</td></tr>`)}</tbody></table></div>`}
      </section>`}<//>
    ${purging && html`<${Purge} queue=${queue} word=${word} onClose=${() => setPurging(false)} onConfirm=${purge} />`}
  <//>`;
}

const What = ({ letter }) => letter.campaign_id
  ? html`<a class="title-link" href=${`#/campaigns/${letter.campaign_id}`}>${letter.campaign_id}</a><span class="sub quiet mono">${letter.message_id}</span>`
  : html`<span class="mono">${letter.message_id}</span>`;

function Move({ move }) {
  if (!move?.status || ["none", ""].includes(move.status.toLowerCase())) return null;
  return html`<${Notice} look=${move.status === "FAILED" ? "bad" : "info"} title=${`Last time put back: ${plain(move.status.toLowerCase())}`}>
    <p>${number(move.moved)} of ${number(move.to_move)} messages.</p><//>`;
}

function Purge({ queue, word, onClose, onConfirm }) {
  return html`<${Confirm} title="Throw these messages away?" verb="Purge" word=${word} onClose=${onClose} onConfirm=${() => onConfirm(word)}>
    <p>${queue === "email" ? "Their recipients stay in the ledger, and the sweep puts those who still wait on the queue again." : "The tasks are gone for good."}</p><//>`;
}
