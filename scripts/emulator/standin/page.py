"""The mailbox page. Everything a mail says is escaped; its HTML runs in a sandboxed frame."""

from __future__ import annotations

from html import escape

from standin.events import timestamp
from standin.mailbox import Delivered
from standin.wire import Response

SHOWN = 200
STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:0;color:#1b1b1b;background:#f5f6f7}
header{background:#1b3a57;color:#fff;padding:.8rem 1.2rem}h1{font-size:1.1rem;margin:0}
main{max-width:60rem;margin:1rem auto;padding:0 1rem}
details{background:#fff;border:1px solid #d5d9dd;border-radius:4px;margin:.4rem 0}
summary{cursor:pointer;padding:.55rem .8rem;display:flex;gap:1rem;flex-wrap:wrap}
summary b{flex:1 1 20rem}time,.to{color:#555}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem .8rem;margin:.2rem .8rem .8rem}
dt{color:#555}dd{margin:0;overflow-wrap:anywhere}
iframe{width:100%;height:24rem;border:0;border-top:1px solid #d5d9dd;background:#fff}
"""
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'"
# The framed mail: no script, no form, nothing fetched from outside, an origin of its own.
BODY_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def mailbox_page(mails: list[Delivered], *, total: int) -> str:
    """Return the list of mails, newest first, each with its headers and a frame for its body."""
    rows = "\n".join(_row(mail) for mail in mails) or "<p>No mail yet. Reload after a send.</p>"
    note = f", the newest {SHOWN} shown" if total > SHOWN else ""
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width'><title>Mailbox</title>"
        f"<style>{STYLE}</style><header><h1>Delivered mail: {total}{note}</h1></header>"
        f"<main>{rows}</main></html>"
    )


def html_response(html: str, *, policy: str = PAGE_POLICY) -> Response:
    """Return a page that may load nothing but what the policy allows."""
    return Response(
        body=html.encode(),
        content_type="text/html; charset=utf-8",
        headers={
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        },
    )


def body_response(text: str, html: str) -> Response:
    """Return a mail's HTML for the frame, or its text, escaped."""
    shown = html or f"<pre style='white-space:pre-wrap'>{escape(text)}</pre>"
    return html_response(shown, policy=BODY_POLICY)


def _row(mail: Delivered) -> str:
    recipients = ", ".join(mail.envelope.recipients)
    pairs = "".join(f"<dt>{escape(n)}<dd>{escape(v)}" for n, v in mail.mime_headers)
    tags = ", ".join(f"{name}={value}" for name, value in mail.envelope.tags.items())
    path = f"/_standin/messages/{escape(mail.message_id)}"
    return (
        f"<details><summary><b>{escape(mail.subject)}</b>"
        f"<span class=to>{escape(recipients)}</span>"
        f"<time>{escape(timestamp(mail.accepted_at))}</time></summary>"
        f"<dl>{pairs}<dt>tags<dd>{escape(tags)}<dt>source"
        f"<dd><a href='{path}'>{escape(mail.message_id)}.eml</a></dl>"
        f"<iframe sandbox loading=lazy title='Body of the mail' src='{path}/html'></iframe>"
        "</details>"
    )
