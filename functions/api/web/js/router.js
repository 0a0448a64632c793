// Addresses after the `#`: a table of patterns, the page's own query, focus on the heading after each move.
import { useEffect, useState } from "./core.js";

export const go = (path) => (location.hash = `#${path}`);
export const link = (path, query) => {
  const words = new URLSearchParams(Object.entries(query || {}).filter(([, value]) => value));
  return `#${path}${words.size ? `?${words}` : ""}`;
};

export function useAddress() {
  const [address, setAddress] = useState(read);
  useEffect(() => {
    const moved = () => setAddress(read());
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  return address;
}

// Return what the first pattern that fits gives: `/campaigns/:id` fits `/campaigns/a`, with id = "a".
export function match(table, path) {
  const words = path.split("/");
  for (const [pattern, found] of table) {
    const names = pattern.split("/");
    const fits = names.length === words.length && names.every((n, i) => n[0] === ":" || n === words[i]);
    if (fits) {
      const pairs = names.map((n, i) => [n.slice(1), words[i], n[0]]).filter(([, , colon]) => colon === ":");
      return { found, values: Object.fromEntries(pairs.map(([n, value]) => [n, value])) };
    }
  }
  return { found: null, values: {} };
}

function read() {
  const [path, query] = (location.hash.slice(1) || "/campaigns").split("?");
  return { path, query: Object.fromEntries(new URLSearchParams(query)) };
}
