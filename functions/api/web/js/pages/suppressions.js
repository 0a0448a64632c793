// Addresses that must not be mailed, whatever a list says.
import { download, get, post, remove } from "../api.js";
import { html, useState } from "../core.js";
import { Action, Confirm, Dialog, Empty, Field, Head, Loaded, Notice, Page, Pager, say, useLater, usePages } from "../ui.js";
import { count, number, plain, when } from "../words.js";

const LOOKS = { unsubscribed: "", complained: "bad", bounced: "warn", manual: "", imported: "" };

export default function Suppressions({ can }) {
  const [text, setText] = useState("");
  const asked = useLater(text, 350);
  const page = usePages((cursor) => get("suppressions", { query: asked, cursor, limit: 50 }), [asked]);
  const [asking, setAsking] = useState(null);
  const close = () => setAsking(null);
  const drop = async (one, erase) => {
    await remove(`suppressions/${one.address_hash}`, erase ? { erase: "true" } : {});
    say(erase ? "The address is erased; it stays suppressed." : "They may be mailed again.");
    await page.reload();
  };
  return html`<${Page}>
    <${Head} title="Suppressions" sub="Addresses that are never mailed: unsubscribed, bounced, complained, or added by hand. Looked at before every send.">
      <${Action} onPress=${() => download("suppressions/export", {}, "suppressions.csv")}>Save as CSV<//>
      ${can("editor") && html`<button onClick=${() => setAsking({ what: "import" })}>Import</button><button class="primary" onClick=${() => setAsking({ what: "add" })}>Add an address</button>`}
    <//>
    <section class="card flush">
      <div class="bar-top toolbar"><${Field} label="Find an address" type="search" value=${text} onInput=${setText} /></div>
      <${Loaded} from=${page}>${(found) => found.items.length === 0
        ? html`<${Empty} icon="stop" title=${asked ? "Not on the list" : "Nobody is suppressed"}>${asked ? "No address fits that." : "Whoever unsubscribes, complains or bounces for good is added here by itself. Import brings the list of the tool you used before."}<//>`
        : html`<div class="table cards"><table>
            <thead><tr><th>Address</th><th>Why</th><th>Source</th><th>Since</th><th><span class="sr-only">Actions</span></th></tr></thead>
            <tbody>${found.items.map((one) => html`<tr key=${one.address_hash}>
              <th scope="row">${one.email || html`<span class="quiet">erased</span> <code>${one.address_hash.slice(0, 8)}</code>`}</th>
              <td data-label="Why"><span class=${`badge ${LOOKS[one.reason] ?? ""}`}>${plain(one.reason)}</span></td>
              <td data-label="Source"><${Source} of=${one.source} /></td>
              <td data-label="Since" class="nowrap">${when(one.at)}</td>
              <td class="actions">${can("admin") && html`<button class="small plain" aria-label=${`Remove ${one.email || one.address_hash}`} onClick=${() => setAsking({ what: "remove", one })}>Remove</button>`}</td></tr>`)}</tbody>
          </table></div><${Pager} page=${page} />`}<//>
    </section>
    ${asking?.what === "add" && html`<${Add} onClose=${close} onDone=${page.reload} />`}
    ${asking?.what === "import" && html`<${Import} onClose=${close} onDone=${page.reload} />`}
    ${asking?.what === "remove" && html`<${Confirm} title="Mail this address again?" verb="Remove" word=${asking.one.reason === "complained" || asking.one.reason === "unsubscribed" ? asking.one.email : ""} onClose=${close} onConfirm=${() => drop(asking.one, false)}>
      <p><strong>${asking.one.email || asking.one.address_hash}</strong> is here because it ${WHY[asking.one.reason] || "was added"}. Mailing somebody against their word harms your name with every mailbox provider.</p>
      ${asking.one.email && html`<div><${Action} look="small" onPress=${async () => { await drop(asking.one, true); close(); }}>Only erase the address, keep it suppressed<//></div>`}<//>`}
  <//>`;
}

// What a campaign put here leads to it.
const Source = ({ of }) =>
  /^campaign_[\w-]+$/.test(of) ? html`<a href=${`#/campaigns/${of}`}>A campaign</a>` : html`${plain(of) || "–"}`;

const WHY = { unsubscribed: "unsubscribed", complained: "complained", bounced: "bounced for good", manual: "was added by hand", imported: "was imported" };

function Add({ onClose, onDone }) {
  const [email, setEmail] = useState("");
  const save = async () => {
    await post("suppressions", { email, reason: "manual" });
    say("They are not mailed any more.");
    await onDone();
    onClose();
  };
  return html`<${Dialog} title="Never mail this address" submit="Add" disabled=${!email} onClose=${onClose} onSubmit=${save}>
    <${Field} label="Address" type="email" value=${email} onInput=${setEmail} /><//>`;
}

function Import({ onClose, onDone }) {
  const [file, setFile] = useState(null);
  const [done, setDone] = useState(null);
  const send = async () => {
    setDone(await post("suppressions", await file.text(), { type: "text/csv" }));
    await onDone();
  };
  return html`<${Dialog} title="Import suppressions" submit=${done ? "" : "Import"} disabled=${!file} onClose=${onClose} onSubmit=${send}>
    ${done
      ? html`<${Notice} look=${done.rejected ? "warn" : "good"} title=${`${count(done.accepted, "address", "addresses")} added`}>
          ${done.rejected > 0 && html`<p>${number(done.rejected)} rejected:</p><ul>${done.rejected_rows.slice(0, 20).map((row) => html`<li>line ${row.line}: ${row.reason}</li>`)}</ul>`}<//>`
      : html`<div class="field"><label for="suppressed">CSV file</label><span class="hint">A column email; reason, source and at are kept if they are there. At most 4 MB.</span>
          <input id="suppressed" type="file" accept=".csv,.txt,text/csv" onChange=${(event) => setFile(event.currentTarget.files[0])} /></div>`}
  <//>`;
}
