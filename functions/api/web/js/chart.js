// Two pictures: a bar whose parts add up, and mails over time. Each says the same in words beside it.
import { html, useEffect, useRef, useState } from "./core.js";
import { STATES, clock, number } from "./words.js";

export function StateBar({ states, total, mini }) {
  const parts = STATES.filter(([name]) => states[name]);
  const said = parts.map(([name, title]) => `${title} ${number(states[name])}`).join(", ");
  return html`<div class=${mini ? "states mini" : "states"} role="img" aria-label=${`${said || "Nobody yet"}, of ${number(total)}`}>
    ${parts.map(([name]) => html`<i key=${name} class=${`c-${name}`} style=${{ flexGrow: states[name] }}></i>`)}
  </div>`;
}

const HEIGHT = 200;
const LEFT = 48;
const BOTTOM = 24;
const TOP = 12;

// `points` are {at, accepted, failed}: how many by then. Drawn as mails per second between them.
export function TimePlot({ points, limit }) {
  const box = useRef(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => setWidth(Math.round(entry.contentRect.width)));
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  const rates = rateOf(points);
  return html`<div ref=${box}>${rates.length === 0
    ? html`<p class="quiet">The plot begins with the first mails.</p>`
    : width > 0 && html`<${Curve} rates=${rates} limit=${limit} width=${width} />`}</div>`;
}

function Curve({ rates, limit, width }) {
  const [first, last] = [rates[0].from, rates.at(-1).at];
  const highest = Math.max(...rates.map((one) => one.rate), 0.1);
  const showsLimit = limit > 0 && limit < highest * 4;
  const top = nice(Math.max(highest, showsLimit ? limit * 1.05 : 0));
  const x = (at) => LEFT + ((at - first) / Math.max(1, last - first)) * (width - LEFT);
  const y = (rate) => TOP + (1 - rate / top) * (HEIGHT - TOP - BOTTOM);
  // a step for each span that was counted: the ground under the curve is the mails
  const path = rates.map(({ from, at, rate }, i) => `${i ? "V" : `M${x(from).toFixed(1)} `}${y(rate).toFixed(1)}H${x(at).toFixed(1)}`).join("");
  const said = `Mails per second from ${clock(first)} to ${clock(last)}, at most ${highest.toFixed(1)}`;
  return html`<svg class="plot" viewBox=${`0 0 ${width} ${HEIGHT}`} role="img" aria-label=${said}>
    ${[0, top / 2, top].map(
      (rate) => html`<line class="grid" x1=${LEFT} x2=${width} y1=${y(rate)} y2=${y(rate)} />
        <text x=${LEFT - 8} y=${y(rate) + 4} text-anchor="end">${rate >= 10 ? number(Math.round(rate)) : Number(rate.toPrecision(2))}</text>`,
    )}
    <path class="area" d=${`${path}L${x(last)} ${y(0)}L${LEFT} ${y(0)}Z`} />
    <path class="curve" d=${path} />
    ${showsLimit &&
    html`<line class="cap" x1=${LEFT} x2=${width} y1=${y(limit)} y2=${y(limit)} />
      <text x=${width} y=${y(limit) - 5} text-anchor="end">limit ${limit.toFixed(1)}/s</text>`}
    <text x=${LEFT} y=${HEIGHT - 4}>${clock(first)}</text>
    <text x=${width} y=${HEIGHT - 4} text-anchor="end">${clock(last)}</text>
  </svg>`;
}

function rateOf(points) {
  const found = [];
  for (let i = 1; i < points.length; i += 1) {
    const seconds = points[i].at - points[i - 1].at;
    const mails = points[i].accepted + points[i].failed - points[i - 1].accepted - points[i - 1].failed;
    if (seconds > 0) found.push({ from: points[i - 1].at, at: points[i].at, rate: Math.max(0, mails / seconds) });
  }
  return found;
}

// The next round number above.
function nice(value) {
  const unit = 10 ** Math.floor(Math.log10(value));
  return unit * [1, 2, 5, 10].find((step) => step * unit >= value);
}
