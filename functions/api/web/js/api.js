// Ask the HTTP API: bearer token, problem details, idempotency keys, pages, files.
import { accessToken } from "./auth.js";

const PATIENCE = [400, 1500];

// What the API refused, and why; `errors` names fields (RFC 9457).
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `The service answered ${status}.`);
    this.status = status;
    this.title = body.title || "";
    this.errors = body.errors || [];
    this.body = body;
  }
}

export const get = (path, query) => ask("GET", path, { query });
// The same key for every attempt of one press of a button: what was done once is not done again.
export const post = (path, body, { query, key = crypto.randomUUID(), type } = {}) =>
  ask("POST", path, { body, query, key, type });
export const put = (path, body) => ask("PUT", path, { body });
export const patch = (path, body) => ask("PATCH", path, { body });
export const remove = (path, query) => ask("DELETE", path, { query });

// Follow every page of a list, up to `most` items.
export async function all(path, query = {}, most = 1000) {
  const items = [];
  let cursor = "";
  do {
    const page = await get(path, { ...query, limit: Math.min(most, 500), cursor });
    items.push(...page.items);
    cursor = page.cursor;
  } while (cursor && items.length < most);
  return items;
}

// Save a CSV of the API as a file; long ones come in parts, whose heading rows are left out but for the first.
export async function download(path, query, name) {
  const parts = [];
  let cursor = "";
  do {
    const answer = await send("GET", path, { query: { ...query, cursor } });
    const text = await answer.text();
    parts.push(parts.length ? text.slice(text.indexOf("\n") + 1) : text);
    cursor = answer.headers.get("X-Next-Cursor") || "";
  } while (cursor);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(parts, { type: "text/csv" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// Send a file to the address that the API gave for it; `onProgress` gets bytes.
export function upload({ url, method, headers, fields }, file, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, url);
    for (const [name, value] of Object.entries(headers || {})) {
      if (name.toLowerCase() !== "content-length") request.setRequestHeader(name, value);
    }
    request.upload.onprogress = (event) => onProgress(event.loaded);
    request.onload = () =>
      request.status < 300 ? resolve() : reject(new Error(`The upload was refused (${request.status}).`));
    request.onerror = () => reject(new Error("The upload broke off. Please try again."));
    request.send(fields ? asForm(fields, file) : file);
  });
}

function asForm(fields, file) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("file", file);
  return form;
}

async function ask(method, path, options) {
  const answer = await send(method, path, options);
  const text = await answer.text();
  return text && answer.headers.get("Content-Type")?.includes("json") ? JSON.parse(text) : text;
}

async function send(method, path, options) {
  for (let attempt = 0; ; attempt += 1) {
    const last = attempt >= PATIENCE.length || (method !== "GET" && !options.key);
    try {
      const answer = await once(method, path, options);
      if (answer.ok) return answer;
      if (last || ![429, 503].includes(answer.status)) throw await problemOf(answer);
    } catch (error) {
      // fetch throws a TypeError when no answer came at all
      if (last || !(error instanceof TypeError)) throw error;
    }
    await new Promise((done) => setTimeout(done, PATIENCE[attempt]));
  }
}

async function once(method, path, options, fresh = false) {
  const headers = { Authorization: `Bearer ${await accessToken({ fresh })}`, Accept: "application/json" };
  if (options.body !== undefined) headers["Content-Type"] = options.type || "application/json";
  if (options.key) headers["Idempotency-Key"] = options.key;
  const body = options.type || options.body === undefined ? options.body : JSON.stringify(options.body);
  const answer = await fetch(address(path, options.query), { method, headers, body, credentials: "omit" });
  return answer.status === 401 && !fresh ? once(method, path, options, true) : answer;
}

function address(path, query = {}) {
  const url = new URL(`v1/${path}`, document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    if (value !== "" && value !== undefined && value !== null) url.searchParams.set(name, value);
  }
  return url;
}

async function problemOf(answer) {
  return new Problem(answer.status, await answer.json().catch(() => ({})));
}
