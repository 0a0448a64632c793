// Shows a mail that the console hands over. This page has an origin of its own (the header's `sandbox`) and
// the mail stands in one more frame, in which no script runs, no form is sent and nothing is fetched.
addEventListener("message", (event) => {
  if (event.source !== parent || typeof event.data?.html !== "string") return;
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "");
  frame.title = "The mail";
  frame.srcdoc = event.data.html;
  document.body.replaceChildren(frame);
});
parent.postMessage({ ready: true }, "*");
