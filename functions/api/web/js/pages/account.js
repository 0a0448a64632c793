// The health of the sending account: quota, rate, identities, reputation.
import { get } from "../api.js";
import { html } from "../core.js";
import { Head, Icon, Loaded, Notice, Page, useLoad } from "../ui.js";
import { clock, number, percent, plain } from "../words.js";

// Where SES begins to look at an account, and where campaigns here pause by themselves.
const LIMITS = { bounce: [0.04, 0.05], complaint: [0.0008, 0.001] };

export default function Account() {
  const found = useLoad(() => get("account"), [], { every: 10_000 });
  return html`<${Page}>
    <${Head} title="Account" sub="What the mail provider allows, and what it thinks of us." />
    <${Loaded} from=${found}>${(one) => html`<${View} account=${one} />`}<//>
  <//>`;
}

function View({ account }) {
  const { reputation = {}, identities = [] } = account;
  const unlimited = account.daily_quota < 0;
  return html`
    ${account.stopped && html`<${Notice} look="bad" title="Nothing may be sent"><p>${plain(account.stopped)}</p><//>`}
    ${!account.production && html`<${Notice} look="warn" title="The account is in the sandbox"><p>Only verified addresses can be mailed. Ask the provider for production access.</p><//>`}
    <dl class="tiles">
      <div><dt>Rate</dt><dd class="value">${number(account.rate)}/s</dd><dd class="sub">of ${number(account.max_rate)}/s, with a margin</dd></div>
      <div><dt>Sent in 24 hours</dt><dd class="value">${number(account.sent_today)}</dd><dd class="sub">${unlimited ? "no daily limit" : `of ${number(account.daily_quota)}`}</dd></div>
      <div><dt>Standing</dt><dd class="value">${plain((account.enforcement || "").toLowerCase())}</dd><dd class="sub">${account.region}</dd></div>
      <div><dt>Last checked</dt><dd class="value">${account.asked_at ? clock(account.asked_at) : "not yet"}</dd></div>
    </dl>
    ${!unlimited && html`<section class="card"><div class="stack tight"><label for="quota">Daily quota used</label>
      <progress id="quota" max=${account.daily_quota} value=${account.sent_today}></progress>
      <span class="hint">${percent(account.sent_today / account.daily_quota)}; campaigns pause when it is used up and go on by themselves.</span></div></section>`}
    <div class="columns">
      <section class="card"><h2>Reputation</h2>
        <p class="quiet">Of ${number(reputation.sent)} mails of the newest campaigns. Campaigns pause by themselves before the provider pauses the account.</p>
        <${Rate} title="Bounces" rate=${reputation.bounce_rate} limits=${LIMITS.bounce} />
        <${Rate} title="Complaints" rate=${reputation.complaint_rate} limits=${LIMITS.complaint} />
      </section>
      <section class="card"><h2>Identities</h2>
        ${identities.length === 0 ? html`<p class="quiet">None was found.</p>` : html`<ul class="stack">${identities.map((one) => html`<li key=${one.name} class="stack tight"><strong>${one.name}</strong>
          <div class="row"><${Has} yes=${one.verified} name="Verified" not="Not verified" /><${Has} yes=${one.dkim} name="DKIM" not="DKIM not set up" />${one.mail_from && html`<${Has} yes=${one.mail_from} name="MAIL FROM" not="MAIL FROM not set up" />`}</div></li>`)}</ul>`}
      </section>
    </div>`;
}

function Rate({ title, rate = 0, limits }) {
  const look = rate >= limits[0] ? "bad" : rate >= limits[0] / 2 ? "warn" : "good";
  const word = { bad: "Too high", warn: "Watch it", good: "Good" }[look];
  const id = `rate-${title}`;
  return html`<div class="stack tight"><div class="row apart"><label for=${id}><strong>${title}</strong> ${percent(rate, 2)}</label><span class=${`badge ${look}`}>${word}</span></div>
    <progress id=${id} max=${limits[1]} value=${Math.min(rate, limits[1])}></progress><span class="hint">Campaigns pause at ${percent(limits[0], 2)}; the provider reviews an account from ${percent(limits[1], 2)}.</span></div>`;
}

// Some answers are words (SUCCESS, PENDING), some are true or false.
const Has = ({ yes, name, not }) => {
  const good = yes === true || /^(success|verified|ok)$/i.test(String(yes));
  return html`<span class=${`badge plain ${good ? "good" : "warn"}`}><${Icon} name=${good ? "ok" : "warn"} />${good ? name : not}</span>`;
};
