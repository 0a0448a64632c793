// Import contacts: choose a file, say what its columns are, watch it, look at what was rejected.
import { download, get, post, upload } from "../api.js";
import { html, useEffect, useState } from "../core.js";
import { go } from "../router.js";
import { Action, Check, Field, Head, Icon, Loaded, Notice, Page, Spoken, Wrong, errorOf, useLoad } from "../ui.js";
import { bytes, count, number } from "../words.js";

const STEPS = ["File", "Columns", "Import"];

export default function Import({ id, can }) {
  return html`<${Page} narrow>${id ? html`<${Under} id=${id} can=${can} />` : html`<${Choose} />`}<//>`;
}

const HEAD = { title: "Import contacts", back: { href: "#/contacts", title: "Contacts" } };
const Top = ({ step }) => html`<${Head} ...${HEAD} />
  <ol class="steps">${STEPS.map((name, i) => html`<li class=${i < step ? "done" : ""} aria-current=${i === step ? "step" : undefined}>${name}</li>`)}</ol>`;

function Choose() {
  const [file, setFile] = useState(null);
  const [name, setName] = useState("");
  const [over, setOver] = useState(false);
  const [sent, setSent] = useState(null);
  const [error, setError] = useState(null);
  const take = (found) => {
    if (!found) return;
    setFile(found);
    setName(name || found.name.replace(/\.[^.]+$/, ""));
  };
  const begin = async () => {
    setError(null);
    const made = await post("contact-lists/imports", { name, filename: file.name, size: file.size });
    setSent(0);
    try {
      await upload(made.upload, file, setSent);
    } finally {
      setSent(null);
    }
    go(`/contacts/import/${made.import_id}`);
  };
  return html`<${Top} step=${0} />
    <${Wrong} error=${error} except=${["name"]} />
    <section class="card">
      <div class=${over ? "drop over" : "drop"} onDragOver=${(event) => { event.preventDefault(); setOver(true); }} onDragLeave=${() => setOver(false)}
        onDrop=${(event) => { event.preventDefault(); setOver(false); take(event.dataTransfer.files[0]); }}>
        <${Icon} name="upload" />
        <label for="file"><strong>${file ? file.name : "Drop a CSV file here, or choose one"}</strong></label>
        <p class="hint">${file ? bytes(file.size) : "The first row names the columns. Comma, semicolon, tab or bar; UTF-8 or UTF-16."}</p>
        <input id="file" type="file" accept=".csv,.tsv,.txt,text/csv" onChange=${(event) => take(event.currentTarget.files[0])} />
      </div>
      <${Field} label="Name of the list" name="name" value=${name} error=${errorOf(error, "name")} onInput=${setName} />
      ${sent !== null && html`<div class="stack tight"><label for="sent">Uploading ${bytes(sent)} of ${bytes(file.size)}</label><progress id="sent" max=${file.size} value=${sent}></progress></div>`}
      <footer class="row end"><${Action} look="primary" disabled=${!file || !name} onPress=${begin} onError=${setError}>Upload<//></footer>
    </section>`;
}

function Under({ id, can }) {
  const [every, setEvery] = useState(0);
  const found = useLoad(async () => {
    const state = await get(`contact-lists/imports/${id}`);
    setEvery(state.status === "running" ? 800 : 0);
    return state;
  }, [id], { every });
  return html`<${Loaded} from=${found} head=${HEAD}>${(state) =>
    ["awaiting_upload", "uploaded"].includes(state.status)
      ? html`<${Columns} id=${id} state=${state} onStarted=${(now) => { found.show(now); setEvery(800); }} />`
      : html`<${Progress} state=${state} can=${can} />`}<//>`;
}

function Columns({ id, state, onStarted }) {
  const [error, setError] = useState(null);
  const [strict, setStrict] = useState(false);
  const [mapping, setMapping] = useState(null);
  const preview = useLoad(() => get(`contact-lists/imports/${id}/preview`), [id]);
  useEffect(() => {
    if (preview.data && !mapping) setMapping({ ...preview.data.suggested_mapping });
  }, [preview.data]);
  const start = async () => {
    setError(null);
    const used = Object.fromEntries(Object.entries(mapping).map(([column, field]) => [column, field || null]));
    onStarted(await post(`contact-lists/imports/${id}/start`, { mapping: used, all_or_nothing: strict }));
  };
  const emails = mapping ? Object.values(mapping).filter((field) => field === "email").length : 0;
  return html`<${Top} step=${1} /><${Wrong} error=${error} />
    <${Loaded} from=${preview}>${(file) => html`
      <section class="card flush">
        <div class="bar-top stack tight"><h2>What are the columns of ${state.filename || state.name}?</h2>
          <p class="quiet">Read as ${file.encoding.toUpperCase()}, with ${DELIMITERS[file.delimiter] || `“${file.delimiter}”`} between the columns. A column without a name is left out.</p></div>
        <div class="table cards"><table>
          <thead><tr><th>Column in the file</th><th>Its first rows</th><th>Name in messages</th></tr></thead>
          <tbody>${file.columns.map((column, i) => html`<tr key=${column}>
            <th scope="row">${column}</th>
            <td data-label="First rows">${file.sample.slice(0, 3).map((row) => row[i]).filter(Boolean).join(", ") || html`<span class="quiet">empty</span>`}</td>
            <td data-label="Name"><input aria-label=${`Name in messages for the column ${column}`} list="names" value=${mapping?.[column] ?? ""}
              onInput=${(event) => setMapping({ ...mapping, [column]: event.currentTarget.value.trim() })} /></td></tr>`)}</tbody>
        </table></div>
        <datalist id="names"><option value="email" /><option value="first_name" /><option value="last_name" /><option value="company" /></datalist>
      </section>
      ${mapping && emails !== 1 && html`<${Notice} look="warn"><p>${emails ? "Only one column can be the address: name the others differently." : "Name one column email: it holds the addresses."}</p><//>`}
      <section class="card">
        <${Check} label="All or nothing" hint="One rejected row stops the whole import. Otherwise good rows are taken, and rejected ones are listed with line and reason." checked=${strict} onInput=${setStrict} />
        <footer class="row end"><${Action} look="primary" disabled=${emails !== 1} onPress=${start} onError=${setError}>Import<//></footer>
      </section>`}<//>`;
}

const DELIMITERS = { ",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars" };

function Progress({ state, can }) {
  const { status, rejected = {} } = state;
  const lost = (rejected.invalid || 0) + (rejected.duplicate || 0);
  const words = `${count(state.rows || 0, "row")} read, ${number(state.accepted)} accepted, ${number(lost)} rejected`;
  return html`<${Top} step=${status === "done" ? 3 : 2} />
    <${Spoken} text=${status === "running" ? words : `Import ${status}: ${words}`} every=${4000} />
    ${status === "failed" && html`<${Notice} look="bad" title="Nothing was imported"><p>${state.reason}</p><p><a href="#/contacts/import">Try another file</a></p><//>`}
    ${status === "done" && html`<${Notice} look="good" title="Imported"><p>${state.name} is ready: you can write to ${state.accepted === 1 ? "its contact" : "its contacts"} now.</p><//>`}
    <section class="card">
      <p class="hero"><strong>${number(state.accepted)}</strong><span class="quiet">of ${count(state.rows || 0, "row")} accepted</span></p>
      ${status === "running" && html`<div class="stack tight"><label for="read">${bytes(state.bytes_read || 0)} of ${bytes(state.size || 0)} read</label><progress id="read" max=${state.size || 1} value=${state.bytes_read || 0}></progress></div>`}
      <dl class="legend"><div><dt>Accepted</dt><dd>${number(state.accepted)}</dd></div><div><dt>Invalid</dt><dd>${number(rejected.invalid)}</dd></div><div><dt>Duplicates</dt><dd>${number(rejected.duplicate)}</dd></div></dl>
      ${status === "done" && html`<footer class="row end">
        ${lost > 0 && html`<${Action} onPress=${() => download(`contact-lists/${state.list_id}/rejected`, {}, `${state.list_id}-rejected.csv`)}>Save the rejected rows<//>`}
        <a class="button" href=${`#/contacts/${state.list_id}`}>Look at the list</a>
        ${can("editor") && html`<a class="button primary" href=${`#/campaigns/new?list_id=${state.list_id}`}>Write to them</a>`}</footer>`}
    </section>
    ${status === "done" && lost > 0 && html`<${Rejected} listId=${state.list_id} lost=${lost} />`}`;
}

function Rejected({ listId, lost }) {
  const found = useLoad(() => get(`contact-lists/${listId}/rejected`), [listId]);
  const rows = typeof found.data === "string" ? parse(found.data).slice(1, 101) : [];
  if (!rows.length) return null;
  return html`<section class="card flush" aria-labelledby="rejected"><div class="bar-top"><h2 id="rejected">Rejected rows${lost > rows.length ? ` (the first ${rows.length})` : ""}</h2></div>
    <div class="table"><table><thead><tr><th class="right">Line</th><th>Reason</th></tr></thead>
      <tbody>${rows.map(([line, reason]) => html`<tr key=${line}><td class="right">${line}</td><td>${reason}</td></tr>`)}</tbody></table></div></section>`;
}

// Two columns, quoted as RFC 4180 says.
function parse(text) {
  return text.split(/\r?\n/).filter(Boolean).map((line) => {
    const at = line.indexOf(",");
    const rest = line.slice(at + 1);
    return [line.slice(0, at), rest[0] === '"' ? rest.slice(1, rest.lastIndexOf('"')).replaceAll('""', '"') : rest];
  });
}
