"""Write rows as CSV, HTML and PDF and mail links to them: what ``generate_report`` does.

The rows travel in the task, or stand in a file of the bucket (``source``, JSON or CSV). What is
made goes to ``exports/{task id}/``, so that a task that runs twice writes the same files again.
The links are signed by the function's own credentials and open the files for a few minutes, for
anybody who has them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sendmill.errors import NotFound
from sendmill.tasks.builtin.file_store import FileStore
from sendmill.tasks.builtin.files import Send
from sendmill.tasks.builtin.notification import Notification, Sender
from sendmill.tasks.builtin.pdf import as_pdf
from sendmill.tasks.builtin.people import UserId
from sendmill.tasks.builtin.tables import Table, as_csv, as_html, table_from_rows, table_from_source
from sendmill.tasks.context import TaskContext
from sendmill.tasks.errors import PermanentFailure, Retry

FORMATS = ("csv", "html", "pdf")
MAX_SOURCE_BYTES = 25_000_000
MAX_NOTIFIED = 20
TEMPLATE = "sendmill/report_ready.html"
FONT = "templates/pdf.ttf"
_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
}
_UNSAFE = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Hold what is asked for; ``notify`` are objects with ``user_id`` or ``email``."""

    title: str
    formats: Sequence[str]
    rows: Sequence[Mapping[str, Any]] | None = None
    source: str = ""
    columns: Sequence[str] = ()
    notify: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportWriter:
    """Hold what writing reports needs; ``now`` is an ISO time to be shown."""

    files: FileStore
    send: Send
    now: Callable[[], str]

    def write(self, order: Order, run: TaskContext) -> list[str]:
        """Write the files, have links to them mailed; return the keys.

        Raises PermanentFailure for what nobody can act on, Retry while the source is missing.
        """
        table = self._table(check_order(order))
        name = _UNSAFE.sub("-", order.title).strip("-").lower()[:60] or "report"
        keys = [f"exports/{_folder(run.task_id)}/{name}.{form}" for form in order.formats]
        for form, key in zip(order.formats, keys, strict=True):
            self.files.write(key, self._written(form, table), _TYPES[form])
        for place, person in enumerate(order.notify):
            self.send(
                "send_report_links",
                f"{run.task_id}-reader-{place}",
                {
                    "user_id": person.get("user_id") or "reader",
                    "email": str(person.get("email") or ""),
                    "title": table.title,
                    "rows": len(table.rows),
                    "keys": keys,
                },
            )
        return keys

    def _table(self, order: Order) -> Table:
        if order.rows is not None:
            return table_from_rows(order.title, list(order.rows), columns=order.columns)
        try:
            data = self.files.read(order.source, limit=MAX_SOURCE_BYTES)
        except NotFound as error:
            raise Retry(f"there is no {order.source} yet") from error
        return table_from_source(order.title, data, name=order.source, columns=order.columns)

    def _written(self, form: str, table: Table) -> bytes:
        if form == "csv":
            return as_csv(table)
        if form == "html":
            return as_html(table, made_at=self.now())
        return as_pdf(table, made_at=self.now(), font_file=self._font()).data

    def _font(self) -> bytes | None:
        try:
            return self.files.read(FONT, limit=MAX_SOURCE_BYTES)
        except NotFound:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkMailer:
    """Hold what mailing links needs."""

    files: FileStore
    notifier: Sender
    link_seconds: int

    def mail(
        self,
        run: TaskContext,
        *,
        user_id: UserId,
        email: str,
        title: str,
        rows: int,
        keys: Sequence[str],
    ) -> str:
        """Mail one reader links that are signed now, so that none dies while it waits."""
        if not all(key.startswith("exports/") for key in keys):
            raise PermanentFailure("links are made for files in exports/ alone")
        links = [
            {
                "name": key.rpartition("/")[2],
                "url": self.files.link(key, seconds=self.link_seconds, name=key.rpartition("/")[2]),
            }
            for key in keys
        ]
        notification = Notification(
            user_id=user_id,
            email=email,
            subject=f"{title} is ready",
            template_name=TEMPLATE,
            context={
                "title": title,
                "rows": rows,
                "minutes": self.link_seconds // 60,
                "links": links,
            },
        )
        return self.notifier.notify(run, notification)


def check_order(order: Order) -> Order:
    """Return the order if it can be carried out; raises PermanentFailure."""
    unknown = [form for form in order.formats if form not in FORMATS]
    if unknown or not order.formats:
        raise PermanentFailure(
            f"formats must be some of {', '.join(FORMATS)} (got {unknown})"[:200]
        )
    if (order.rows is None) == (not order.source):
        raise PermanentFailure("a report needs rows or a source, and not both")
    if len(order.notify) > MAX_NOTIFIED:
        raise PermanentFailure(f"notify holds at most {MAX_NOTIFIED} (got {len(order.notify)})")
    if not all(isinstance(one, Mapping) for one in order.notify):
        raise PermanentFailure("notify must be a list of objects with user_id or email")
    return order


def _folder(task_id: str) -> str:
    """Return a folder that nobody guesses from the task's id, which other systems may log."""
    return hashlib.sha256(task_id.encode()).hexdigest()[:32]
