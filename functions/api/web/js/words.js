// What things are called and how numbers look. Every page takes its words from here.
const NUMBER = new Intl.NumberFormat("en");
const DAY = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });
const DATE = new Intl.DateTimeFormat("en", { dateStyle: "medium" });
const SHORT = new Intl.DateTimeFormat("en", { timeStyle: "short" });
const HOUR = new Intl.DateTimeFormat("en", { timeStyle: "medium" });

export const number = (value) => NUMBER.format(value ?? 0);
export const count = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;
export const when = (seconds) => (seconds ? DAY.format(seconds * 1000) : "");
export const hour = (seconds) => (seconds ? SHORT.format(seconds * 1000) : "");
export const day = (seconds) => (seconds ? DATE.format(seconds * 1000) : "");
export const clock = (seconds) => HOUR.format(seconds * 1000);
export const percent = (share, digits = 1) =>
  `${(100 * (share || 0)).toFixed(share && share < 0.001 ? 2 : digits)} %`;
export const plain = (word) => {
  const text = String(word ?? "").replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
};
// A service's sentence, with a capital; a name or an address at its beginning stays as it is.
export const sentence = (text) => {
  const said = String(text ?? "").replace(/' is undefined\b/, "' has no value");
  return /^[a-z]+ /.test(said) ? said.charAt(0).toUpperCase() + said.slice(1) : said;
};
export const money = (dollars) => (dollars < 0.01 ? "under $0.01" : `$${dollars.toFixed(2)}`);

export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "not known";
  if (seconds < 60) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
  return `${Math.round(seconds / 86_400)} days`;
}

export function bytes(size) {
  if (size < 1000) return `${size} bytes`;
  if (size < 1_000_000) return `${(size / 1000).toFixed(1)} kB`;
  return `${(size / 1_000_000).toFixed(1)} MB`;
}

// In the order of the bar; each recipient is in exactly one.
export const STATES = [
  ["accepted", "Accepted", "taken by the mail provider"],
  ["sending", "Sending", "being handed over now"],
  ["pending", "Waiting", "not sent yet"],
  ["retry", "Will be tried again", "the provider said not now"],
  ["unknown", "Unknown", "may or may not have been taken"],
  ["failed", "Failed", "refused for good"],
  ["suppressed", "Suppressed", "must not be mailed"],
  ["cancelled", "Cancelled", "not sent, by a person's word"],
];
export const STATE_NAMES = Object.fromEntries(STATES.map(([name, title]) => [name, title]));

export const STATUSES = {
  draft: ["Draft", ""],
  scheduled: ["Scheduled", "live"],
  planning: ["Checking", "live"],
  refused: ["Refused", "bad"],
  running: ["Sending", "live"],
  paused: ["Paused", "warn"],
  complete: ["Complete", "good"],
  complete_with_unknown: ["Complete, some unknown", "warn"],
  cancelled: ["Cancelled", ""],
};
export const MOVING = new Set(["planning", "running", "scheduled"]);
export const OVER = new Set(["complete", "complete_with_unknown", "cancelled"]);
export const EDITABLE = new Set(["draft", "refused"]);
