"""Tasks that an application puts on the queue: what they do, and what becomes of bad ones."""

from __future__ import annotations

import io
import json
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from email import message_from_string, policy
from typing import Any
from uuid import uuid4

import pytest
from PIL import Image
from unit.test_task_pictures import bomb, encoded

from integration.harness import eventually
from sendmill.tasks import send_notification_email
from sendmill.tasks.clients import forget_clients
from sendmill.tasks.config import override
from sendmill.tasks.receipts.recent import RecentTask, RecentTasks
from sendmill.tasks.schedule import LONGEST_DELAY, schedule_name
from sendmill.tasks.uuid7 import derived_id
from stack import Stack, local_environment

pytestmark = pytest.mark.integration


def send(stack: Stack, task: str, **payload: Any) -> str:
    """Put a task on the queue as any language could; return its id."""
    task_id = str(uuid4())
    put(stack, json.dumps({"id": task_id, "task_name": task, "payload": payload}))
    return task_id


def put(stack: Stack, *bodies: str) -> None:
    stack.client("sqs").send_message_batch(
        QueueUrl=stack.outputs["task_queue_url"],
        Entries=[{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)],
    )


def recent(stack: Stack) -> dict[str, RecentTask]:
    table = RecentTasks(stack.client("dynamodb"), stack.outputs["task_receipts_table"])
    return {found.task_id: found for found in table.list(now=time.time(), limit=1000)}


def until_over(stack: Stack, task_id: str) -> RecentTask:
    return eventually(
        lambda: recent(stack).get(task_id),
        lambda found: found is not None and found.status in ("succeeded", "dead"),
        what=f"task {task_id} over",
    )


def text_of(stack: Stack, mail: dict[str, Any]) -> str:
    """Return the plain part of a mail that was delivered."""
    raw = stack.mailbox("GET", f"/messages/{mail['message_id']}")
    part = message_from_string(raw, policy=policy.default).get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def dead_letters(stack: Stack, *wanted: str) -> dict[str, dict[str, str]]:
    """Return the reasons of the dead letters that hold one of these texts, once all are there."""

    def look() -> dict[str, dict[str, str]]:
        answer = stack.client("sqs").receive_message(
            QueueUrl=stack.outputs["task_dlq_url"],
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            VisibilityTimeout=0,
        )
        return {
            text: {name: one["StringValue"] for name, one in letter["MessageAttributes"].items()}
            for letter in answer.get("Messages", [])
            for text in wanted
            if text in letter["Body"]
        }

    return eventually(look, lambda found: set(found) == set(wanted), what="the dead letters")


@pytest.fixture
def files(mailbox: Stack) -> Iterator[Any]:
    """The bucket of the tasks, and no dead letters of others."""
    mailbox.client("sqs").purge_queue(QueueUrl=mailbox.outputs["task_dlq_url"])
    bucket = mailbox.outputs["task_files_bucket"]
    yield Files(mailbox.client("s3"), bucket)


class Files:
    """Put and get files of one bucket."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3, self._bucket = s3, bucket

    def put(self, key: str, data: bytes) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=data)

    def get(self, key: str) -> bytes:
        found: bytes = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return found

    def keys(self, prefix: str) -> list[str]:
        found = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=prefix)
        return [one["Key"] for one in found.get("Contents", [])]


def test_a_notification_arrives_with_the_template_of_the_bucket(
    mailbox: Stack, files: Files
) -> None:
    files.put("templates/emails/welcome.html", b"<p>Hello {{ user.first_name }}, {{ n }}</p>")
    address = f"{uuid4().hex}@example.com"
    known = {"email": address, "first_name": "Jürgen"}
    files.put("users/123.json", json.dumps(known).encode())
    task_id = send(
        mailbox,
        "send_notification_email",
        user_id=123,
        subject="Welcome!",
        template_name="emails/welcome.html",
        context={"n": 1},
    )
    over = until_over(mailbox, task_id)
    assert (over.status, over.attempts, over.error) == ("succeeded", 1, "")
    (mail,) = mailbox.delivered(to=address)
    assert mail["subject"] == "Welcome!"
    assert text_of(mailbox, mail) == "Hello Jürgen, 1\n"


def test_a_guard_report_with_a_corrupt_picture_and_a_bomb_is_partial_and_its_supervisor_knows(
    mailbox: Stack, files: Files
) -> None:
    report_id = uuid4().hex
    pictures = {
        "gate.jpg": encoded("JPEG", (1600, 1200)),
        "door.png": encoded("PNG", (300, 600)),
        "corrupt.jpg": encoded("JPEG")[:400],
        "bomb.png": bomb(20_000),
    }
    for name, data in pictures.items():
        files.put(f"reports/{report_id}/files/{name}", data)
    listed = [{"key": f"reports/{report_id}/files/{name}", "name": name} for name in pictures]
    supervisor = f"{report_id}@example.com"
    described = {"title": "Gate 4", "files": listed, "supervisors": [{"email": supervisor}]}
    files.put(f"reports/{report_id}/report.json", json.dumps(described).encode())

    task_id = send(mailbox, "process_guard_report", report_id=report_id)
    over = until_over(mailbox, task_id)
    assert (over.status, over.attempts) == ("succeeded", 1), "a bad file is tried once"
    result = json.loads(files.get(f"reports/{report_id}/result.json"))
    assert (result["status"], result["counts"]) == (
        "partial",
        {"files": 4, "done": 2, "failed": 2},
    )
    sizes = {}
    for one in result["files"][:2]:
        with Image.open(io.BytesIO(files.get(one["thumbnail"]))) as small:
            sizes[one["name"]] = small.size
    assert sizes == {"gate.jpg": (512, 384), "door.png": (256, 512)}
    assert [one["status"] for one in result["files"]] == ["done", "done", "failed", "failed"]
    assert "broken" in result["files"][2]["error"]
    assert "at most 64 megapixels" in result["files"][3]["error"]
    (mail,) = eventually(lambda: mailbox.delivered(to=supervisor), bool, what="the mail")
    assert mail["subject"] == f"Report {report_id}: partial"
    assert "corrupt.jpg: the picture is broken" in text_of(mailbox, mail)
    assert until_over(mailbox, f"{task_id}-supervisor-0").status == "succeeded"

    send_again = json.dumps(
        {"id": task_id, "task_name": "guard_report", "payload": {"report_id": report_id}}
    )
    put(mailbox, send_again)
    marker = send(mailbox, "generate_report", title="after", formats=["csv"], rows=[{"a": 1}])
    until_over(mailbox, marker)
    assert len(mailbox.delivered(to=supervisor)) == 1


def test_a_report_is_written_and_the_link_that_is_mailed_opens_it(
    mailbox: Stack, files: Files
) -> None:
    reader = f"{uuid4().hex}@example.com"
    files.put("reports/hours.json", b'[{"name": "Ada", "hours": 8}, {"name": "=1+1", "hours": 7}]')
    task_id = send(
        mailbox,
        "generate_report",
        title="Hours",
        source="reports/hours.json",
        notify=[{"email": reader}],
    )
    assert until_over(mailbox, task_id).status == "succeeded"
    (mail,) = eventually(lambda: mailbox.delivered(to=reader), bool, what="the mail")
    words = text_of(mailbox, mail).split()
    links = [word.strip("<>") for word in words if word.startswith("<http")]
    assert [link.partition("?")[0].rpartition(".")[2] for link in links] == ["csv", "html", "pdf"]
    contents = []
    for link in links:
        with urllib.request.urlopen(link, timeout=30) as answer:
            contents.append(answer.read())
    assert b"'=1+1,7" in contents[0]
    assert b"<td>Ada</td>" in contents[1]
    assert contents[2].startswith(b"%PDF-")


def test_a_task_that_fails_three_times_is_a_dead_letter_with_its_reason(
    mailbox: Stack, files: Files
) -> None:
    address = f"{uuid4().hex}@example.com"
    mailbox.mailbox("PUT", "/faults", [{"match": {"to": f"^{address}$"}, "action": "throttle"}])
    task_id = send(
        mailbox,
        "send_notification_email",
        user_id=1,
        email=address,
        subject="s",
        template_name="sendmill/guard_report.html",
        context={
            "title": "t",
            "report_id": 1,
            "status": "done",
            "counts": {"done": 0, "files": 0, "failed": 0},
        },
    )
    said = dead_letters(mailbox, task_id)[task_id]
    assert said["reason"] == "attempts_exhausted"
    assert said["attempts"] == "3"
    assert said["task"] == "send_notification_email"
    assert "throttled" in said["error"]
    assert (recent(mailbox)[task_id].status, recent(mailbox)[task_id].attempts) == ("dead", 3)
    assert mailbox.delivered(to=address) == []

    # and as the API shows it, which also sends it back: the worker put it there, not SQS
    shown = mailbox.request("GET", "/v1/tasks")
    queue = next(one for one in shown["queues"] if one["name"] == "tasks")
    assert queue["dead_letters"] >= 1
    task = next(one for one in shown["recent"] if one["task_id"] == task_id)
    assert (task["status"], task["attempts"]) == ("dead", 3)
    assert "throttled" in task["error"]
    letters = eventually(
        lambda: mailbox.request("GET", "/v1/dead-letters?queue=tasks")["items"],
        bool,
        what="the dead letter of the task",
    )
    assert any("attempts_exhausted: " in letter["reason"] for letter in letters)
    mailbox.mailbox("DELETE", "/faults")
    # whoever looked has hidden the letter for a few seconds, also from a move
    eventually(
        lambda: mailbox.request("POST", "/v1/tasks/redrive", {"queue": "tasks"})["redrive"],
        lambda move: move["moved"] >= 1,
        what="the move",
    )
    eventually(lambda: mailbox.delivered(to=address), bool, what="the mail of a redriven task")
    confirm = {"confirm": mailbox.outputs["task_dlq_url"].rpartition("/")[2]}
    purged = mailbox.request("POST", "/v1/dead-letters/purge?queue=tasks", confirm)
    assert purged == {"purged": True}


def test_poison_and_unknown_tasks_are_dead_letters_and_their_neighbours_run(
    mailbox: Stack, files: Files
) -> None:
    mark = uuid4().hex
    good = [str(uuid4()) for _ in range(6)]
    payload = {"title": mark, "formats": ["csv"], "rows": [{"a": 1}]}
    bodies = [
        json.dumps({"id": task_id, "task_name": "generate_report", "payload": payload})
        for task_id in good
    ]
    poison = f"no json {mark}"
    unknown = json.dumps({"id": f"u-{mark}", "task_name": "nobody_knows_me", "payload": {}})
    wrong = json.dumps({"id": f"w-{mark}", "task_name": "guard_report", "payload": {"nope": 1}})
    put(mailbox, *bodies[:3], poison, unknown, wrong, *bodies[3:])
    said = dead_letters(mailbox, poison, f"u-{mark}", f"w-{mark}")
    assert {text: one["reason"] for text, one in said.items()} == {
        poison: "poison",
        f"u-{mark}": "unknown_task",
        f"w-{mark}": "invalid_arguments",
    }
    for task_id in good:
        assert until_over(mailbox, task_id).status == "succeeded"


def test_a_periodic_task_fires_as_terraform_scheduled_it(stack: Stack, files: Files) -> None:
    scheduler = stack.client("scheduler")
    group = f"{stack.outputs['function_names']['task_processor'].rpartition('-task')[0]}-tasks"
    deployed = scheduler.get_schedule(Name="daily-figures", GroupName=group)
    assert deployed["State"] == "DISABLED"
    before = set(files.keys("exports/"))
    soon = datetime.now(UTC) + timedelta(seconds=1)
    name = f"once-{uuid4().hex[:8]}"
    made_as = scheduler.create_schedule(
        Name=name,
        GroupName=group,
        ScheduleExpression=f"at({soon:%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=deployed["Target"],
    )
    try:
        made = eventually(
            lambda: set(files.keys("exports/")) - before,
            lambda found: any(key.endswith("/daily-figures.csv") for key in found),
            what="the report of the tick",
        )
    finally:
        scheduler.delete_schedule(Name=name, GroupName=group)
    assert len(made) == 1
    moments = (f"{soon + timedelta(seconds=n):%Y-%m-%dT%H:%M:%SZ}" for n in range(90))
    ids = {derived_id("schedule", made_as["ScheduleArn"], moment) for moment in moments}
    assert len(ids & set(recent(stack))) == 1, "its id is made of its schedule and its time"
    assert b"alive" in files.get(made.pop())


class LateClock(datetime):
    """A sender whose clock is a quarter of an hour late."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        return datetime.now(tz) - timedelta(seconds=LONGEST_DELAY)


def test_a_task_that_is_due_later_than_sqs_can_delay_waits_as_a_schedule_and_runs_once(
    mailbox: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in local_environment(mailbox.port).items():
        monkeypatch.setenv(name, value)
    # all is real but the sender's clock: what is due in three seconds is out of SQS's reach for it
    monkeypatch.setattr("sendmill.tasks.sending.datetime", LateClock)
    address, task_id = f"{uuid4().hex}@example.com", f"later:{uuid4()}"
    group, name = mailbox.outputs["task_schedule_group"], schedule_name(task_id)
    due = datetime.now(UTC) + timedelta(seconds=3)
    forget_clients()
    with override(
        use_async=True,
        queues={"default": mailbox.outputs["task_queue_url"]},
        scheduler_role_arn=mailbox.outputs["task_schedule_role_arn"],
        scheduler_group=group,
        scheduler_dlq_url=mailbox.outputs["task_schedule_dlq_url"],
    ):
        for _ in range(2):  # a sender that did not hear the answer asks again
            sent = send_notification_email(
                user_id=1,
                email=address,
                subject="Later",
                template_name="sendmill/report_ready.html",
                context={"title": "x", "rows": 0, "minutes": 5, "links": []},
                task_id=task_id,
                run_at=due,
            )
            assert (sent.mode, sent.message_id) == ("queued", None)
    made = mailbox.client("scheduler").get_schedule(Name=name, GroupName=group)
    assert made["ScheduleExpression"] == f"at({due:%Y-%m-%dT%H:%M:%S})"
    assert made["ActionAfterCompletion"] == "DELETE"
    assert made["Target"]["DeadLetterConfig"]["Arn"].endswith("-tasks-schedule-dlq")
    assert task_id not in recent(mailbox)
    assert until_over(mailbox, task_id).status == "succeeded"
    (letter,) = mailbox.delivered(to=address)
    assert letter["subject"] == "Later"
