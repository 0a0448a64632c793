// A campaign as it goes: states that add up, rate against quota, mails over time, failures and what to do.
import { get, post, remove } from "../api.js";
import { StateBar, TimePlot } from "../chart.js";
import { html, useState } from "../core.js";
import { go, link } from "../router.js";
import { Action, Badge, Confirm, Dialog, Head, Loaded, Notice, Page, Spoken, Wrong, say, useLoad } from "../ui.js";
import { EDITABLE, MOVING, OVER, STATES, count, day, duration, hour, number, percent, plain, sentence, when } from "../words.js";

const HEAD = { title: "Campaign", back: { href: "#/campaigns", title: "Campaigns" } };

export default function Campaign({ id, can }) {
  const [every, setEvery] = useState(1500);
  const live = useLoad(async () => {
    const campaign = await get(`campaigns/${id}`);
    const failures = campaign.states.failed || campaign.states.unknown || campaign.states.suppressed || campaign.states.retry
      ? (await get(`campaigns/${id}/failures`)).items
      : [];
    setEvery(MOVING.has(campaign.status) ? 1500 : 5000);
    return { campaign, failures };
  }, [id], { every });
  return html`<${Page}><${Loaded} from=${live} head=${HEAD}>${(found) => html`<${View} id=${id} can=${can} live=${live} ...${found} />`}<//><//>`;
}

function View({ id, campaign, failures, live, can }) {
  const { states, total, news, rejected } = campaign;
  const sum = STATES.reduce((so, [name]) => so + (states[name] || 0), 0);
  const settled = (states.accepted || 0) + (states.failed || 0) + (states.suppressed || 0) + (states.cancelled || 0);
  const quota = campaign.quota || {};
  return html`
    <${Head} title=${campaign.campaign_name} sub=${campaign.subject} back=${{ href: "#/campaigns", title: "Campaigns" }}>
      <${Badge} status=${campaign.status} /><${Verbs} id=${id} campaign=${campaign} can=${can} onDone=${live.reload} />
    <//>
    <${Tabs} id=${id} here="campaign" />
    <${Why} campaign=${campaign} />
    <section class="card" aria-labelledby="progress">
      <h2 class="sr-only" id="progress">Progress</h2>
      <p class="hero"><strong>${number(states.accepted)}</strong><span class="quiet">of ${number(total)} accepted by the mail provider</span></p>
      <${StateBar} states=${states} total=${total} />
      <dl class="legend">${STATES.filter(([name]) => states[name] || ["accepted", "pending", "failed"].includes(name)).map(([name, title, meaning]) => html`<div key=${name} title=${meaning}>
        <dt><span class=${`dot c-${name}`}></span><a href=${link(`/campaigns/${id}/recipients`, { state: name })}>${title}</a></dt><dd data-state=${name}>${number(states[name])}</dd>
      </div>`)}</dl>
      <footer class="small quiet">${sums({ sum, total, rejected, rows: campaign.rows })}</footer>
    </section>
    <${Spoken} text=${`${plain(campaign.status)}: ${number(settled)} of ${number(total)} settled`} />
    <dl class="tiles">
      <div><dt>Rate now</dt><dd class="value">${(campaign.rate_per_second || 0).toFixed(1)}/s</dd>${quota.rate > 0 && html`<dd class="sub">of ${quota.rate.toFixed(1)}/s allowed</dd>`}</div>
      <${Remaining} campaign=${campaign} />
      <div><dt>Delivered</dt><dd class="value">${number(news.delivered)}</dd><dd class="sub">as the readers' servers say</dd></div>
      <div><dt>Bounced</dt><dd class="value">${number(news.bounced)}</dd><dd class="sub">${percent(news.bounced / Math.max(1, states.accepted || 0))}</dd></div>
      <div><dt>Complaints</dt><dd class="value">${number(news.complained)}</dd><dd class="sub">${percent(news.complained / Math.max(1, states.accepted || 0), 2)}</dd></div>
      <div><dt>Quota left today</dt><dd class="value">${quota.left === undefined || quota.left === null || quota.left < 0 ? "no limit" : number(Math.floor(quota.left))}</dd></div>
    </dl>
    ${campaign.timeline?.length > 1 && html`<section class="card" aria-labelledby="time"><h2 id="time">Mails per second</h2><${TimePlot} points=${campaign.timeline} limit=${quota.rate} /></section>`}
    <${Failures} id=${id} items=${failures} campaign=${campaign} can=${can} onDone=${live.reload} />`;
}

function Remaining({ campaign }) {
  const { status, eta_seconds: eta, timeline = [], changed_at: changed } = campaign;
  if (OVER.has(status)) {
    const at = timeline.at(-1)?.at || changed;
    return html`<div><dt>${status === "cancelled" ? "Cancelled" : "Finished"}</dt><dd class="value">${hour(at)}</dd><dd class="sub">${day(at)}</dd></div>`;
  }
  const left = status !== "running" ? plain(status) : eta >= 0 ? duration(eta) : "not known";
  return html`<div><dt>Time left</dt><dd class="value">${left}</dd></div>`;
}

export const Tabs = ({ id, here }) => html`<nav class="tabs" aria-label="Campaign">
  <a href=${`#/campaigns/${id}`} aria-current=${here === "campaign" ? "page" : undefined}>Progress</a>
  <a href=${`#/campaigns/${id}/recipients`} aria-current=${here === "recipients" ? "page" : undefined}>Recipients</a>
  <a href=${`#/campaigns/${id}/preflight`}>Checks</a>
</nav>`;

function sums({ sum, total, rejected, rows }) {
  const left = (rejected?.invalid || 0) + (rejected?.duplicate || 0);
  const same = sum === total ? `The states add up to all ${count(total, "recipient")}.` : `${number(sum)} of ${number(total)} recipients have a state so far.`;
  return left ? `${same} ${count(left, "row")} of the file's ${number(rows)} ${left === 1 ? "was" : "were"} rejected at the import.` : same;
}

function Why({ campaign }) {
  const { status, reason } = campaign;
  if (status === "planning") return html`<${Notice} title="Every row is being checked"><p>The first mail leaves when all of them can be written.</p><//>`;
  if (status === "refused") return html`<${Notice} look="bad" title="Refused before the first mail"><p>${sentence(reason)}</p><p><a href=${`#/campaigns/${campaign.campaign_id}/edit`}>Edit the message</a>, then start again.</p><//>`;
  if (status === "paused") return html`<${Notice} look="warn" title="Paused"><p>${plain(reason)}. Those still waiting are mailed once it is resumed.</p><//>`;
  if (status === "scheduled") return html`<${Notice} title="Scheduled"><p>It starts ${when(campaign.schedule?.start_at)}.</p><//>`;
  if (status === "complete_with_unknown") return html`<${Notice} look="warn" title="Complete, except for some"><p>For these recipients the provider's answer was lost and no event came. Decide below whether they count as mailed.</p><//>`;
  return null;
}

function Verbs({ id, campaign, can, onDone }) {
  const [asking, setAsking] = useState("");
  const { status } = campaign;
  const act = async (verb, said) => {
    await post(`campaigns/${id}/${verb}`, {});
    say(said);
    await onDone();
  };
  const clone = async () => go(`/campaigns/${(await post(`campaigns/${id}/clone`, {})).campaign_id}/edit`);
  const drop = async () => {
    await remove(`campaigns/${id}`);
    go("/campaigns");
  };
  const stoppable = ["running", "paused", "planning", "scheduled"].includes(status);
  return html`
    ${EDITABLE.has(status) && can("editor") && html`<a class="button" href=${`#/campaigns/${id}/edit`}>Edit</a><a class="button primary" href=${`#/campaigns/${id}/preflight`}>Check and start</a>`}
    ${status === "running" && can("sender") && html`<${Action} onPress=${() => act("pause", "Paused.")}>Pause<//>`}
    ${status === "paused" && can("sender") && html`<${Action} look="primary" onPress=${() => act("resume", "Going on.")}>Resume<//>`}
    ${OVER.has(status) && can("editor") && html`<${Action} onPress=${clone}>Copy to a new draft<//>`}
    ${status === "draft" && can("editor") && html`<button class="danger" onClick=${() => setAsking("delete")}>Delete</button>`}
    ${stoppable && can("sender") && html`<button class="danger" onClick=${() => setAsking("cancel")}>Cancel</button>`}
    ${asking === "cancel" && html`<${Confirm} title="Cancel this campaign?" verb="Cancel the campaign" onClose=${() => setAsking("")} onConfirm=${() => act("cancel", "Cancelled.")}>
      <p>${count((campaign.states.pending || 0) + (campaign.states.retry || 0), "recipient")} who wait will not be mailed. Mails that have left stay sent. This cannot be taken back.</p><//>`}
    ${asking === "delete" && html`<${Confirm} title="Delete this draft?" verb="Delete the draft" onClose=${() => setAsking("")} onConfirm=${drop}><p>Nobody was mailed. The draft is gone for good.</p><//>`}`;
}

function Failures({ id, items, campaign, can, onDone }) {
  const [unknown, setUnknown] = useState(false);
  const [error, setError] = useState(null);
  const retry = async (reason) => {
    setError(null);
    await post(`campaigns/${id}/retry`, reason ? { reason } : {});
    say("They are tried again.");
    await onDone();
  };
  const resolve = async (how) => {
    await post(`campaigns/${id}/resolve`, { how });
    say(how === "fail" ? "They count as failed." : "They are mailed again.");
    setUnknown(false);
    await onDone();
  };
  if (!items.length) return null;
  const retryable = items.filter((one) => one.retryable && one.state === "failed");
  const may = can("sender") && retryable.length > 0;
  return html`<section class="card flush" aria-labelledby="failures">
    <div class="bar-top row apart"><h2 id="failures">Who did not get it, and why</h2>
      ${may && html`<${Action} look="small" onPress=${() => retry("")} onError=${setError}>Retry all ${number(retryable.reduce((so, one) => so + one.count, 0))}<//>`}</div>
    <${Wrong} error=${error} />
    <div class="table cards"><table>
      <thead><tr><th>Reason</th><th class="right">Recipients</th><th>What to do</th><th><span class="sr-only">Actions</span></th></tr></thead>
      <tbody>${items.map((one) => html`<tr key=${one.state + one.reason}>
        <th scope="row"><a class="title-link" href=${link(`/campaigns/${id}/recipients`, { state: one.state, reason: one.reason })}>${plain(one.reason || "no reason given")}</a><span class="sub quiet"><span class=${`dot c-${one.state}`}></span>${plain(one.state)}</span></th>
        <td class="right" data-label="Recipients">${number(one.count)}</td>
        <td data-label="What to do">${one.advice}</td>
        <td class="actions">
          ${one.state === "failed" && one.retryable && can("sender") && html`<${Action} look="small" onPress=${() => retry(one.reason)} onError=${setError}>Retry<//>`}
          ${one.state === "unknown" && can("sender") && html`<button class="small" onClick=${() => setUnknown(true)}>Decide</button>`}
        </td></tr>`)}</tbody>
    </table></div>
    ${unknown && html`<${Dialog} title="Were they mailed?" onClose=${() => setUnknown(false)}>
      <p>For ${count(campaign.states.unknown || 0, "recipient")} the provider's answer was lost. Mailing them again may mail some of them twice.</p>
      <div class="stack tight">
        <${Action} onPress=${() => resolve("fail")}>Count them as failed<//>
        <${Action} look="danger" onPress=${() => resolve("resend")}>Mail them again<//>
      </div><//>`}
  </section>`;
}
