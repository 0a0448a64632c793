// Background work: how long the queues are, what ran last, what failed.
import { get, post } from "../api.js";
import { html } from "../core.js";
import { Action, Empty, Head, Loaded, Page, say, useLoad } from "../ui.js";
import { duration, number, plain, when } from "../words.js";

const LOOKS = { done: "good", succeeded: "good", failed: "bad", running: "live", retry: "warn" };

export default function Tasks({ can }) {
  const found = useLoad(() => get("tasks"), [], { every: 3000 });
  const redrive = async (queue) => {
    await post("tasks/redrive", { queue });
    say("Put back on their queue.");
    await found.reload();
  };
  return html`<${Page}>
    <${Head} title="Tasks" sub="Queues of mails and background tasks, as they are now." />
    <${Loaded} from=${found}>${(data) => html`
      <section class="card flush" aria-labelledby="queues"><div class="bar-top"><h2 id="queues">Queues</h2></div>
        <div class="table cards"><table>
          <thead><tr><th>Queue</th><th class="right">Waiting</th><th class="right">In work</th><th class="right">Delayed</th><th class="right">Dead letters</th><th><span class="sr-only">Actions</span></th></tr></thead>
          <tbody>${data.queues.map((one) => html`<tr key=${one.name}>
            <th scope="row">${plain(one.name)}</th>
            <td class="right" data-label="Waiting">${number(one.waiting)}</td>
            <td class="right" data-label="In work">${number(one.in_flight)}</td>
            <td class="right" data-label="Delayed">${number(one.delayed)}</td>
            <td class="right" data-label="Dead letters">${one.dead_letters ? html`<span class="badge bad">${number(one.dead_letters)}</span>` : "0"}</td>
            <td class="actions">${one.dead_letters > 0 && can("sender") && html`<${Action} look="small" onPress=${() => redrive(one.name)}>Put back<//>`}</td></tr>`)}</tbody>
        </table></div></section>
      <section class="card flush" aria-labelledby="recent"><div class="bar-top"><h2 id="recent">Recent tasks</h2></div>
        ${data.recent.length === 0
          ? html`<${Empty} icon="tasks" title="No task has run yet">Tasks are put on the queue by your application; see the documentation of tasks.<//>`
          : html`<div class="table cards"><table>
              <thead><tr><th>Task</th><th>Status</th><th class="right">Attempts</th><th>Started</th><th>Error</th></tr></thead>
              <tbody>${data.recent.map((one) => html`<tr key=${one.task_id}>
                <th scope="row">${one.task}<span class="sub quiet mono">${one.task_id}</span></th>
                <td data-label="Status"><span class=${`badge ${LOOKS[one.status] ?? ""}`}>${plain(one.status)}</span></td>
                <td class="right" data-label="Attempts">${number(one.attempts)}</td>
                <td data-label="Started" class="nowrap">${when(one.started_at)}${one.finished_at > one.started_at ? html`<span class="sub">took ${duration(one.finished_at - one.started_at)}</span>` : ""}</td>
                <td data-label="Error">${one.error || "–"}</td></tr>`)}</tbody></table></div>`}
      </section>`}<//>
  <//>`;
}
