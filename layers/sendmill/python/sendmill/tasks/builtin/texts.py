"""The templates that come with Sendmill; one of the same name in the bucket goes first."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, str] = {
    "sendmill/guard_report.html": """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ subject }}</title></head>
<body style="font-family: sans-serif; color: #1a1a1a">
<h1 style="font-size: 20px">{{ title }}</h1>
<p>{{ counts.done }} of {{ counts.files }} file{{ counts.files|pluralize }} of report
{{ report_id }}
{{ counts.files|pluralize:"was,were" }} processed. Status: <strong>{{ status }}</strong>.</p>
{% if failed %}<p>Not processed:</p>
<ul>{% for file in failed %}<li>{{ file.name }}: {{ file.error }}</li>{% endfor %}</ul>{% endif %}
</body></html>
""",
    "sendmill/report_ready.html": """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ subject }}</title></head>
<body style="font-family: sans-serif; color: #1a1a1a">
<h1 style="font-size: 20px">{{ title }}</h1>
<p>The report is ready: {{ rows }} row{{ rows|pluralize }}.
The link{{ links|length|pluralize }} below open{{ links|length|pluralize:"s," }} it for
{{ minutes }} minute{{ minutes|pluralize }}.</p>
<ul>{% for link in links %}<li><a href="{{ link.url }}">{{ link.name }}</a></li>{% endfor %}</ul>
</body></html>
""",
}
