"""Work off the files of a guard report: what ``guard_report`` does.

The application puts the files and a list of them into the bucket, then sends the task::

    reports/{report_id}/report.json
        {"title": "Gate 4, night",
         "files": [{"key": "reports/5/files/a.jpg", "name": "a.jpg", "type": "image/jpeg"}],
         "supervisors": [{"user_id": 7, "email": "..."}]}
    reports/{report_id}/thumbnails/    what is made: 000-a.jpg, at most 512 pixels a side
    reports/{report_id}/result.json    what came of it: done, partial or failed, and each file

A file that is broken, missing, too large or not what it says is an error of that file and nothing
else: trying again would not mend it. What may pass (S3 away) is tried again with the whole task,
which writes the same things again. Supervisors are told by tasks of their own, whose ids are made
from this one's: however often the report runs, each of them is mailed once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

from sendmill.errors import NotFound, PermanentError
from sendmill.tasks.builtin.file_store import FileStore
from sendmill.tasks.builtin.pictures import PICTURES, check_kind, read_picture
from sendmill.tasks.context import TaskContext
from sendmill.tasks.errors import PermanentFailure, Retry

MAX_FILES = 200
MAX_FILE_BYTES = 25_000_000
_MAX_LIST_BYTES = 1_000_000
_REPORT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
TEMPLATE = "sendmill/guard_report.html"

Status = Literal["done", "partial", "failed"]
# Sends a task by its name, with the id that it is to have and its arguments.
Send = Callable[[str, str, Mapping[str, Any]], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFile:
    """Hold one file of a report as its list names it; ``bucket`` empty is the tasks' own."""

    key: str
    name: str
    type: str = ""
    bucket: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileResult:
    """Say what came of one file; ``error`` is for people."""

    key: str
    name: str
    status: Literal["done", "failed"]
    type: str = ""
    bytes: int = 0
    width: int = 0
    height: int = 0
    thumbnail: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Hold the list of a report."""

    id: str
    title: str
    files: Sequence[ReportFile]
    supervisors: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportWorker:
    """Hold what the work on reports needs; ``now`` is an ISO time for the result."""

    files: FileStore
    send: Send
    now: Callable[[], str]

    def process(self, report_id: str, run: TaskContext) -> Status:
        """Work off a report, write the result, tell the supervisors; return the status.

        Raises PermanentFailure for a list that nobody can act on, Retry while it is missing.
        """
        report = self._report(report_id)
        found = [self._file(report, place, file) for place, file in enumerate(report.files)]
        status = status_of(found)
        self.files.write(
            f"reports/{report.id}/result.json",
            _json(self._result(report, run, status, found)),
            "application/json",
        )
        for place, supervisor in enumerate(report.supervisors):
            self.send(
                "send_notification_email",
                f"{run.task_id}-supervisor-{place}",
                _letter(report, status, found, supervisor),
            )
        return status

    def _report(self, report_id: str) -> Report:
        if not _REPORT_ID.match(report_id):
            raise PermanentFailure("report_id must be 1 to 64 of A-Z a-z 0-9 _ -")
        key = f"reports/{report_id}/report.json"
        try:
            data = self.files.read(key, limit=_MAX_LIST_BYTES)
        except NotFound as error:
            # the application may still be writing it
            raise Retry(f"there is no {key} yet") from error
        return parse_report(report_id, data)

    def _file(self, report: Report, place: int, file: ReportFile) -> FileResult:
        kind, size = "", 0
        try:
            data = self.files.read(file.key, bucket=file.bucket, limit=MAX_FILE_BYTES)
            size = len(data)
            kind = check_kind(data, file.type)
            if kind not in PICTURES:
                return _done(file, kind, size)
            picture = read_picture(data)
        except PermanentError as error:
            return FileResult(
                key=file.key,
                name=file.name,
                status="failed",
                type=kind,
                bytes=size,
                error=str(error),
            )
        made = thumbnail_key(report.id, place, file.name)
        self.files.write(made, picture.thumbnail, "image/jpeg")
        return _done(file, kind, size, made, picture.width, picture.height)

    def _result(
        self, report: Report, run: TaskContext, status: Status, found: Sequence[FileResult]
    ) -> Mapping[str, Any]:
        return {
            "report_id": report.id,
            "task_id": run.task_id,
            "status": status,
            "finished_at": self.now(),
            "counts": counts_of(found),
            "files": [asdict(one) for one in found],
        }


def parse_report(report_id: str, data: bytes) -> Report:
    """Return the report of a list; raises PermanentFailure naming what is wrong."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise PermanentFailure(f"report.json of {report_id} is no JSON") from error
    if not isinstance(found, dict):
        raise PermanentFailure(f"report.json of {report_id} must be an object")
    files, supervisors = found.get("files", []), found.get("supervisors", [])
    if not isinstance(files, list) or len(files) > MAX_FILES:
        raise PermanentFailure(f"files must be a list of at most {MAX_FILES}")
    if not isinstance(supervisors, list) or not all(isinstance(one, dict) for one in supervisors):
        raise PermanentFailure("supervisors must be a list of objects with user_id or email")
    return Report(
        id=report_id,
        title=str(found.get("title") or f"Report {report_id}")[:200],
        files=[_report_file(report_id, place, one) for place, one in enumerate(files)],
        supervisors=supervisors,
    )


def status_of(found: Sequence[FileResult]) -> Status:
    """Return what the files come to together; a report without files is done."""
    failed = sum(one.status == "failed" for one in found)
    if not failed:
        return "done"
    return "failed" if failed == len(found) else "partial"


def counts_of(found: Sequence[FileResult]) -> Mapping[str, int]:
    """Return how many files there are of each outcome."""
    done = sum(one.status == "done" for one in found)
    return {"files": len(found), "done": done, "failed": len(found) - done}


def thumbnail_key(report_id: str, place: int, name: str) -> str:
    """Return where a thumbnail goes: the place in the list keeps two files of one name apart."""
    stem = _UNSAFE.sub("-", PurePosixPath(name).stem).strip(".-")[:60] or "file"
    return f"reports/{report_id}/thumbnails/{place:03}-{stem}.jpg"


def _report_file(report_id: str, place: int, found: object) -> ReportFile:
    if not isinstance(found, dict) or not isinstance(found.get("key"), str) or not found["key"]:
        raise PermanentFailure(f"files[{place}] must be an object with a key")
    given = {name: found.get(name) or "" for name in ("key", "name", "type", "bucket")}
    if not all(isinstance(text, str) for text in given.values()):
        raise PermanentFailure(f"files[{place}]: key, name, type and bucket must be text")
    own = f"reports/{report_id}/"
    if not given["bucket"] and not given["key"].startswith(own):
        raise PermanentFailure(f"files[{place}]: the key must begin with {own} or name a bucket")
    given["name"] = (given["name"] or PurePosixPath(given["key"]).name)[:200]
    return ReportFile(**given)


def _done(
    file: ReportFile, kind: str, size: int, thumbnail: str = "", width: int = 0, height: int = 0
) -> FileResult:
    return FileResult(
        key=file.key,
        name=file.name,
        status="done",
        type=kind,
        bytes=size,
        width=width,
        height=height,
        thumbnail=thumbnail,
    )


def _letter(
    report: Report, status: Status, found: Sequence[FileResult], to: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return the arguments of the notification that tells one supervisor."""
    return {
        "user_id": to.get("user_id") or "supervisor",
        "email": str(to.get("email") or ""),
        "subject": f"Report {report.id}: {status}",
        "template_name": TEMPLATE,
        "context": {
            "report_id": report.id,
            "title": report.title,
            "status": status,
            "counts": dict(counts_of(found)),
            "failed": [
                {"name": one.name, "error": one.error} for one in found if one.status == "failed"
            ],
        },
    }


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
