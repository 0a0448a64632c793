// Before a campaign starts: what is ready, what is not, and how to fix it; then start, schedule or approve.
import { get, post } from "../api.js";
import { html, useState } from "../core.js";
import { TestSend } from "../mail.js";
import { go } from "../router.js";
import { Action, Badge, Check, Dialog, Empty, Field, Head, Icon, Loaded, Notice, Page, Wrong, say, useLoad } from "../ui.js";
import { EDITABLE, count, duration, money, number, plain, sentence, when } from "../words.js";

const ICONS = { ok: "ok", warning: "warn", error: "bad" };
const ORDER = ["error", "warning", "ok"];

const HEAD = { title: "Checks", back: { href: "#/campaigns", title: "Campaigns" } };

export default function Preflight({ id, can, me }) {
  const all = useLoad(async () => {
    const [campaign, checks] = await Promise.all([get(`campaigns/${id}`), get(`campaigns/${id}/preflight`)]);
    return { campaign, ...checks };
  }, [id]);
  return html`<${Page}><${Loaded} from=${all} head=${HEAD}>${(found) => html`<${Checks} id=${id} all=${all} can=${can} me=${me} ...${found} />`}<//><//>`;
}

function Checks({ id, campaign, checks, estimate, ready, all, can, me }) {
  const [accepted, setAccepted] = useState([]);
  const [asking, setAsking] = useState("");
  const [error, setError] = useState(null);
  const sorted = [...checks].sort((a, b) => ORDER.indexOf(a.level) - ORDER.indexOf(b.level));
  const errors = checks.filter((one) => one.level === "error");
  const warnings = checks.filter((one) => one.level === "warning");
  const open = warnings.filter((one) => !accepted.includes(one.id));
  const blocked = errors.length > 0 || !ready || open.length > 0;
  const editable = EDITABLE.has(campaign.status);
  const tick = (check, on) => setAccepted(on ? [...accepted, check] : accepted.filter((one) => one !== check));

  const start = async () => {
    setError(null);
    await post(`campaigns/${id}/start`, { accept_warnings: accepted });
    say("The campaign is starting.");
    go(`/campaigns/${id}`);
  };
  const approve = async () => {
    try {
      // what this page shows, and nothing that was changed since
      await post(`campaigns/${id}/approve`, { digest: campaign.approval.digest });
      say("Approved.");
    } finally {
      all.reload();
    }
  };

  return html`
    <${Head} title=${campaign.campaign_name} sub=${campaign.subject} back=${{ href: "#/campaigns", title: "Campaigns" }}>
      <${Badge} status=${campaign.status} />
      ${editable && can("editor") && html`<a class="button" href=${`#/campaigns/${id}/edit`}>Edit</a>`}
      ${can("editor") && html`<button onClick=${() => setAsking("test")}>Send a test</button>`}
    <//>
    ${campaign.reason && html`<${Notice} look="bad" title="It was refused before the first mail"><p>${sentence(campaign.reason)}</p><//>`}
    <dl class="tiles">
      <div><dt>Recipients</dt><dd class="value">${number(estimate.recipients)}</dd></div>
      <div><dt>Time to finish</dt><dd class="value">${duration(estimate.seconds)}</dd></div>
      <div><dt>Cost</dt><dd class="value">${money(estimate.cost_usd)}</dd><dd class="sub">estimated</dd></div>
      <div><dt>Left of today's quota</dt><dd class="value">${estimate.quota_left === null || estimate.quota_left < 0 ? "no limit" : number(Math.floor(estimate.quota_left))}</dd></div>
    </dl>
    <section class="card flush" aria-labelledby="checks">
      <div class="bar-top row apart"><div><h2 id="checks">Before it starts</h2><span class="quiet" role="status">${summary(errors, open)}</span></div>
        <${Action} look="small" onPress=${all.reload}>Check again<//></div>
      ${sorted.length === 0 && html`<${Empty} icon="ok" title="Nothing to check">This campaign has started already.<//>`}
      <ul class="checks">${sorted.map((one) => html`<li key=${one.id} class=${one.level} data-check=${one.id}>
        <${Icon} name=${ICONS[one.level]} /><h3>${one.title}</h3>
        <span class=${`badge plain ${{ ok: "good", warning: "warn", error: "bad" }[one.level]}`}>${{ ok: "Ready", warning: "Warning", error: "Must be fixed" }[one.level]}</span>
        <p class="quiet">${sentence(one.detail)}</p>
        ${one.level !== "ok" && one.fix && html`<p class="fix"><strong>What to do:</strong> ${one.fix}</p>`}
        ${one.level === "warning" && can("sender") && html`<div class="fix"><${Check} label="Go ahead anyway" checked=${accepted.includes(one.id)} onInput=${(on) => tick(one.id, on)} /></div>`}
      </li>`)}</ul>
    </section>
    <${Wrong} error=${error} />
    <${Approval} campaign=${campaign} can=${can} me=${me} onApprove=${approve} />
    ${can("sender") && editable &&
    html`<div class="row end">
      <button disabled=${blocked} onClick=${() => setAsking("schedule")}>Schedule</button>
      <button class="primary" disabled=${blocked} onClick=${() => setAsking("start")}>Start sending</button>
    </div>`}
    ${!can("sender") && editable && html`<${Notice}><p>Starting a campaign takes the role sender. Ask a sender to look at this page.</p><//>`}
    ${!editable && html`<p><a href=${`#/campaigns/${id}`}>See how it is going</a></p>`}
    ${asking === "test" && html`<${TestSend} campaign=${campaign} onClose=${() => setAsking("")} />`}
    ${asking === "start" && html`<${Dialog} title=${`Mail ${count(estimate.recipients, "recipient")}?`} submit="Start sending" onClose=${() => setAsking("")} onSubmit=${start}>
      <p>Every row is checked once more, then the first mails leave within seconds. You can pause or cancel; what has left cannot be taken back.</p><//>`}
    ${asking === "schedule" && html`<${Schedule} id=${id} accepted=${accepted} onClose=${() => setAsking("")} />`}`;
}

function summary(errors, open) {
  if (errors.length) return `${count(errors.length, "problem")} to fix before it can start`;
  if (open.length) return `${count(open.length, "warning")} to accept or fix`;
  return "Ready to start";
}

function Approval({ campaign, can, me, onApprove }) {
  const { approval } = campaign;
  if (!approval?.needed && !approval?.approved) return null;
  if (approval.approved) return html`<${Notice} look="good" title="Approved"><p>${when(approval.at)}, by ${approval.by === me.subject ? "you" : approval.by}. Any edit withdraws it.</p><//>`;
  const mine = [campaign.created_by, campaign.edited_by, campaign.started_by].includes(me.subject);
  return html`<${Notice} title="A second person has to approve it">
    <p>${mine ? "You wrote or changed this campaign, so somebody else with the role sender has to look at it and approve." : "Look at the message and the list, then approve. Any edit withdraws the approval."}</p>
    ${!mine && can("sender") && html`<div><${Action} look="primary" onPress=${onApprove}>Approve<//></div>`}
  <//>`;
}

function Schedule({ id, accepted, onClose }) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const [at, setAt] = useState("");
  const [late, setLate] = useState("60");
  const save = async () => {
    const start_at = Math.floor(new Date(at).getTime() / 1000);
    await post(`campaigns/${id}/schedule`, { start_at, max_late_seconds: Number(late) * 60, accept_warnings: accepted });
    say(`It starts ${when(start_at)}.`);
    go(`/campaigns/${id}`);
  };
  return html`<${Dialog} title="Start later" submit="Schedule" disabled=${!at} onClose=${onClose} onSubmit=${save}>
    <${Field} label="Start" type="datetime-local" hint=${`In the time of ${plain(zone)}.`} value=${at} onInput=${setAt} />
    <${Field} label="At most this many minutes late" type="number" min="2" hint="After that it waits for a person instead of mailing at a wrong time." value=${late} onInput=${setLate} />
  <//>`;
}
