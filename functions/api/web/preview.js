// Shows a mail that the console hands over. This page has an origin of its own (the header's `sandbox`) and
// the mail stands in one more frame, in which no script runs, no form is sent and nothing is fetched.
addEventListener("message", (event) => {
  if (event.source !== parent || typeof event.data?.html !== "string") return;
  const { html, turn } = event.data;
  const shown = () => parent.postMessage({ shown: turn }, "*");
  if (!html) return document.body.replaceChildren(), shown();
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "");
  frame.title = "The mail";
  // most mail programs show a mail without fonts of its own in a sans-serif
  frame.srcdoc = `<!doctype html><style>:root{font:15px/1.5 system-ui,sans-serif}</style>${html}`;
  frame.addEventListener("load", shown);
  document.body.replaceChildren(frame);
});
parent.postMessage({ ready: true }, "*");
