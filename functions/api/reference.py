"""Show the OpenAPI document as one page without a script; imported when it is first asked for."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--accent:light-dark(#0b57a4,#7db8f5)}
body{font:1rem/1.5 system-ui,sans-serif;margin:0 auto;max-width:62rem;padding:1rem 1.5rem 4rem}
h1{margin-bottom:0}h2{margin:2.5rem 0 .5rem;text-transform:capitalize}
a{color:var(--accent)}code,pre{font:.875rem/1.5 ui-monospace,monospace}
details{border:1px solid var(--line);border-radius:.5rem;margin:.5rem 0}
summary{cursor:pointer;padding:.5rem .75rem;display:flex;gap:.75rem;flex-wrap:wrap}
summary:focus-visible{outline:3px solid var(--accent)}
summary b{min-width:4.5rem}summary span{opacity:.8}
details>div{padding:0 .75rem .75rem}pre{background:var(--soft);overflow:auto;padding:.75rem}
table{border-collapse:collapse;width:100%}td,th{border-top:1px solid var(--line);
padding:.25rem .5rem;text-align:left;vertical-align:top}
""".replace("\n", "")
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def page(document: Mapping[str, Any]) -> tuple[str, str]:
    """Return the page and the content security policy that lets its style and nothing else in."""
    info = document["info"]
    body = "".join(_topics(document))
    schemas = "".join(_schemas(document["components"]["schemas"]))
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{escape(info['title'])} API</h1><p>Version {escape(info['version'])} · "
        '<a href="/v1/openapi.json">OpenAPI document</a></p>'
        f"<p>{_marked(info['description'])}</p>{body}<h2>Objects</h2>{schemas}</main></body></html>"
    )
    return text, _POLICY


def _topics(document: Mapping[str, Any]) -> Iterator[str]:
    topics: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            topic = (operation.get("tags") or ["other"])[0]
            topics.setdefault(topic, []).append(_operation(method, path, operation))
    for topic, found in sorted(topics.items()):
        yield f"<h2>{escape(topic)}</h2>{''.join(found)}"


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    who = f"role: {operation['x-role']}" if "x-role" in operation else "no token"
    return (
        f'<details id="{escape(operation["operationId"])}"><summary><b>{method.upper()}</b>'
        f"<code>{escape(path)}</code><span>{escape(operation['summary'])} ({who})</span></summary>"
        f"<div><p>{_marked(operation.get('description', ''))}</p>"
        f"{_parameters(operation.get('parameters', []))}{_body(operation)}{_answers(operation)}"
        "</div></details>"
    )


def _parameters(found: list[Mapping[str, Any]]) -> str:
    if not found:
        return ""
    rows = "".join(
        f"<tr><td><code>{escape(one['name'])}</code></td><td>{escape(one['in'])}"
        f"{', required' if one.get('required') else ''}</td>"
        f"<td>{_marked(one.get('description', ''))}</td></tr>"
        for one in found
    )
    return f"<table><thead><tr><th>Parameter</th><th>In</th><th></th></tr></thead>{rows}</table>"


def _body(operation: Mapping[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    return "".join(f"<p>Body: {_kind(kind, said)}</p>" for kind, said in content.items())


def _answers(operation: Mapping[str, Any]) -> str:
    good = {code: one for code, one in operation["responses"].items() if code < "400"}
    bad = ", ".join(sorted(set(operation["responses"]) - set(good)))
    lines = "".join(
        f"<p>{code} {escape(one['description'])}: "
        f"{', '.join(_kind(*each) for each in one.get('content', {}).items()) or 'no content'}</p>"
        for code, one in good.items()
    )
    return f"{lines}<p>Problems: {bad}</p>"


def _kind(kind: str, said: Mapping[str, Any]) -> str:
    name = str(said.get("schema", {}).get("$ref", "")).rpartition("/")[2]
    link = f' <a href="#{escape(name)}">{escape(name)}</a>' if name else ""
    return f"<code>{escape(kind)}</code>{link}"


def _schemas(found: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in sorted(found.items()):
        text = escape(json.dumps(schema, indent=2, ensure_ascii=False))
        yield (
            f'<details id="{escape(name)}"><summary><b>{escape(name)}</b>'
            f"<span>{escape(schema.get('description', ''))}</span></summary>"
            f"<div><pre>{text}</pre></div></details>"
        )


def _marked(text: str) -> str:
    """Return text as HTML, with what stands between backticks as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))
