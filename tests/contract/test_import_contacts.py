"""The importer's contract with SQS: what it reads, and what it asks to see again."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from cloud import BUCKET, CAMPAIGNS, Cloud, Context

from fakes import NOW
from sendmill.importing import Cursor, Import, ImportStatus
from sendmill.store import ImportBook, ListStore

Load = Callable[[str], ModuleType]
MakeEvent = Callable[[str], dict[str, Any]]
DATA = b"email,name\nada@example.com,Ada\nnobody,Bob\n"
# Powertools warns where an invocation counted nothing.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")


@pytest.fixture
def importer(load: Load) -> ModuleType:
    return load("import_contacts")


@pytest.fixture
def lists(cloud: Cloud) -> ListStore:
    return ListStore(cloud.dynamodb, CAMPAIGNS, cloud.s3, BUCKET)


@pytest.fixture
def running(cloud: Cloud, lists: ListStore) -> Import:
    etag = cloud.s3.put_object(Bucket=BUCKET, Key="uploads/import_1/file", Body=DATA)["ETag"]
    found = Import(
        id="import_1",
        etag=etag,
        list_id="list_1",
        name="Members",
        filename="members.csv",
        size=len(DATA),
        status=ImportStatus.RUNNING,
        created_at=NOW,
        encoding="utf-8",
        delimiter=",",
        columns=("email", "name"),
        cursor=Cursor(),
    )
    ImportBook(cloud.dynamodb, CAMPAIGNS, lists).add(found)
    return found


def messages(event: MakeEvent, *bodies: object) -> dict[str, Any]:
    found = event("sqs_dispatch")
    (plain,) = found["Records"]
    found["Records"] = [
        {**plain, "messageId": f"m{n}", "body": body if isinstance(body, str) else json.dumps(body)}
        for n, body in enumerate(bodies)
    ]
    return found


def test_a_message_makes_a_list_of_an_upload_and_again_makes_nothing_new(
    importer: ModuleType,
    event: MakeEvent,
    context: Context,
    running: Import,
    lists: ListStore,
    log: io.StringIO,
) -> None:
    for _ in range(2):
        answer = importer.handler(messages(event, {"import_id": "import_1"}), context)
        assert json.dumps(answer) == '{"batchItemFailures": []}'
        found = lists.get("list_1")
        assert found is not None
        assert (found.rows, found.accepted, found.invalid) == (2, 1, 1)
    assert "@" not in log.getvalue()
    said = [json.loads(line) for line in log.getvalue().splitlines()]
    runs = [line for line in said if line["message"] == "import_run"]
    assert [(line["status"], line["rows"]) for line in runs] == [("done", 2), ("held_or_over", 0)]


def test_a_run_near_its_end_leaves_a_message_for_the_next(
    importer: ModuleType, event: MakeEvent, cloud: Cloud, running: Import, lists: ListStore
) -> None:
    data = b"email,name\n" + b"".join(b"u%d@example.com,U\n" % n for n in range(501))
    etag = cloud.s3.put_object(Bucket=BUCKET, Key="uploads/import_1/file", Body=data)["ETag"]
    book = ImportBook(cloud.dynamodb, CAMPAIGNS, lists)
    book.add(Import(**{**_values(running), "size": len(data), "etag": etag}))
    importer.handler(messages(event, {"import_id": "import_1"}), Context(seconds=20))
    assert cloud.received("IMPORT") == [{"import_id": "import_1"}]
    assert lists.get("list_1") is None
    importer.handler(messages(event, {"import_id": "import_1"}), Context(seconds=20))
    found = lists.get("list_1")
    assert found is not None
    assert found.accepted == 501


def test_messages_that_nobody_can_act_on_and_a_bucket_that_is_away_are_seen_again(
    importer: ModuleType, event: MakeEvent, context: Context, cloud: Cloud, running: Import
) -> None:
    def away(**_: object) -> None:
        raise cloud.s3.exceptions.ClientError({"Error": {"Code": "SlowDown"}}, "GetObject")

    importer.s3.meta.events.register("before-call.s3.GetObject", away)
    bodies = ("no json", {"import_id": "import_x"}, {"other": 1}, {"import_id": "import_1"})
    answer = importer.handler(messages(event, *bodies), context)
    failed = [one["itemIdentifier"] for one in answer["batchItemFailures"]]
    assert failed == ["m0", "m1", "m2", "m3"]
    # let go at once: the message that comes again finds it free
    importer.s3.meta.events.unregister("before-call.s3.GetObject", away)
    answer = importer.handler(messages(event, {"import_id": "import_1"}), context)
    assert answer == {"batchItemFailures": []}


def test_an_upload_that_is_gone_fails_the_import_with_words(
    importer: ModuleType,
    event: MakeEvent,
    context: Context,
    cloud: Cloud,
    running: Import,
    lists: ListStore,
) -> None:
    cloud.s3.delete_object(Bucket=BUCKET, Key="uploads/import_1/file")
    answer = importer.handler(messages(event, {"import_id": "import_1"}), context)
    assert answer == {"batchItemFailures": []}
    over = ImportBook(cloud.dynamodb, CAMPAIGNS, lists).get("import_1")
    assert over is not None
    assert (over.status, over.reason) == (
        ImportStatus.FAILED,
        "the upload was changed or deleted: import it again",
    )


def _values(found: Import) -> dict[str, Any]:
    return {name: getattr(found, name) for name in Import.__dataclass_fields__}
