"""An import reads a file of any size once, in pieces, and shows its list when it is whole."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from cloud import BUCKET, CAMPAIGNS, Cloud

from fakes import NOW, Clock
from sendmill.contact_list import ContactList
from sendmill.errors import InvalidContactList, NotFound, StateConflict
from sendmill.import_run import HANDOVER_SECONDS, Importer
from sendmill.importing import MAX_UPLOAD_BYTES, Import, ImportDesk, ImportStatus
from sendmill.store import ImportBook, ListStore, UploadDepot

GOOD = "email,name\n" + "".join(f"user{n}@example.com,U{n}\n" for n in range(1200))
MIXED = (
    "email,name\n"
    + "".join(f"user{n}@example.com,U{n}\n" for n in range(700))
    + '"no\nbody",x\n'
    + "".join(f"other{n}@example.com,O{n}\n" for n in range(600))
    + "user3@example.com,again\n"
)


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Sent:
    """Hold what was queued."""

    ids: list[str] = field(default_factory=list)

    def send_import(self, import_id: str) -> None:
        """Keep an id."""
        self.ids.append(import_id)


@dataclass
class Bench:
    """Hold one function that imports, one API that asks it to, and what lies between them."""

    cloud: Cloud
    lists: ListStore
    book: ImportBook
    depot: UploadDepot
    clock: Clock
    queue: Sent = field(default_factory=Sent)
    made: int = 0
    rows_a_cursor: int = 400

    @property
    def desk(self) -> ImportDesk:
        """Return what the API has."""
        return ImportDesk(
            book=self.book,
            depot=self.depot,
            lists=self.lists,
            queue=self.queue,
            clock=self.clock,
            new_id=self._new_id,
        )

    def run(
        self, import_id: str, *, owner: str = "one", left: Callable[[], float] | None = None
    ) -> Any:
        """Run the function once."""
        importer = Importer(
            book=self.book,
            depot=self.depot,
            lists=self.lists,
            queue=self.queue,
            clock=self.clock,
            rows_a_cursor=self.rows_a_cursor,
        )
        return importer.run(import_id, owner=owner, seconds_left=left or (lambda: 300.0))

    def announce(self, data: bytes, **asked: Any) -> Import:
        """Announce and upload a file."""
        found, _ = self.desk.create({"name": "Members", "size": len(data), **asked})
        self.cloud.s3.put_object(Bucket=BUCKET, Key=f"uploads/{found.id}/file", Body=data)
        return found

    def start(self, data: bytes, **asked: Any) -> Import:
        """Announce, upload and start."""
        return self.desk.start(self.announce(data, **asked).id, {})

    def all(self, data: str | bytes, **asked: Any) -> Import:
        """Import a file to the end."""
        raw = data if isinstance(data, bytes) else data.encode()
        found = self.start(raw, **asked)
        over = self.run(found.id)
        assert isinstance(over, Import)
        return over

    def contacts(self, found: ContactList | None) -> list[tuple[int, str]]:
        """Return line and address of every contact of a list."""
        assert found is not None
        return [
            (row.line, row.contact.email)
            for part in range(found.parts)
            for row in self.lists.read_part(found.id, part, found.revision)
        ]

    def rejected(self, list_id: str) -> list[list[str]]:
        """Return the file of rejected rows."""
        page = self.lists.rejected_page(list_id, start=0, limit=10_000_000)
        assert page is not None
        return list(csv.reader(io.StringIO(page[0], newline="")))

    def objects(self) -> list[str]:
        """Return the name of every object."""
        found = self.cloud.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return sorted(one["Key"] for one in found)

    def _new_id(self, kind: str) -> str:
        self.made += 1
        return f"{kind}_{self.made}"


@pytest.fixture
def bench(cloud: Cloud, clock: Clock) -> Bench:
    cloud.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    lists = ListStore(cloud.dynamodb, CAMPAIGNS, cloud.s3, BUCKET)
    return Bench(
        cloud=cloud,
        lists=lists,
        book=ImportBook(cloud.dynamodb, CAMPAIGNS, lists),
        depot=UploadDepot(cloud.s3, BUCKET),
        clock=clock,
    )


def test_a_file_becomes_a_list_whose_rows_add_up(bench: Bench) -> None:
    over = bench.all(MIXED)
    assert (over.status, over.reason, over.finished_at) == (ImportStatus.DONE, "", NOW)
    found = bench.lists.get(over.list_id)
    assert found is not None
    assert (found.rows, found.accepted, found.invalid, found.duplicates) == (1302, 1300, 1, 1)
    assert (found.name, found.parts, found.fields) == ("Members", 3, ("name",))
    rows = bench.contacts(found)
    assert rows[0] == (2, "user0@example.com")
    assert rows[700] == (704, "other0@example.com")  # the rejected row before it has two lines
    assert len(set(rows)) == 1300
    assert bench.rejected(found.id) == [
        ["line", "reason"],
        ["702", bench.rejected(found.id)[1][1]],
        ["1304", "address is the same as in line 5"],
    ]
    assert "address must be valid" in bench.rejected(found.id)[1][1]


def test_nothing_of_the_upload_is_left_when_it_is_over(bench: Bench) -> None:
    over = bench.all(MIXED)
    versions = bench.cloud.s3.list_object_versions(Bucket=BUCKET, Prefix="uploads/")
    assert not versions.get("Versions")
    assert not versions.get("DeleteMarkers")
    assert bench.objects() == [
        *(f"lists/{over.list_id}/part-{n:06}.jsonl" for n in range(3)),
        f"lists/{over.list_id}/rejected.csv",
    ]
    items = bench.cloud.dynamodb.scan(TableName=CAMPAIGNS)["Items"]
    assert "@" not in json.dumps([item for item in items if "IMPORT#" in item["pk"]["S"]])


def test_all_or_nothing_imports_nothing_when_a_row_is_rejected_and_says_which(
    bench: Bench,
) -> None:
    over = bench.all(MIXED, all_or_nothing=True)
    assert over.status is ImportStatus.FAILED
    assert over.reason.startswith("2 of 1302 rows were rejected, so none was imported")
    assert bench.lists.get(over.list_id) is None
    assert [row[0] for row in bench.rejected(over.list_id)] == ["line", "702", "1304"]
    assert bench.objects() == [f"lists/{over.list_id}/rejected.csv"]
    assert bench.all(GOOD, all_or_nothing=True).status is ImportStatus.DONE


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("email\n", "at least one contact .got none"),
        ("email\nnobody\nno one\n", "got 2 rows, all of them rejected"),
        (GOOD + 'z@example.com,"open\nend\n', "line 1202: a quote that opens"),
        (GOOD + "z@example.com,\x00\n", "line 1202: .*NUL"),
    ],
)
def test_a_file_that_cannot_be_read_fails_with_the_reason_and_leaves_no_list(
    bench: Bench, data: str, said: str
) -> None:
    over = bench.all(data)
    assert over.status is ImportStatus.FAILED
    assert bench.lists.get(over.list_id) is None
    assert not [key for key in bench.objects() if "part-" in key or "uploads" in key]
    with pytest.raises(InvalidContactList, match=said):
        raise InvalidContactList(over.reason)


def test_a_late_byte_turns_the_whole_file_into_windows_1252_with_a_note(bench: Bench) -> None:
    # far enough behind the sample that the start could not know
    rows = "".join(f"user{n}@example.com,{'x' * 60}\n" for n in range(1200))
    over = bench.all(("email,name\n" + rows + "zoe@example.com,Zo\u00eb\n").encode("cp1252"))
    found = bench.lists.get(over.list_id)
    assert over.status is ImportStatus.DONE
    assert found is not None
    assert (found.accepted, found.parts) == (1201, 3)
    assert "Windows-1252" in found.note
    last = bench.lists.read_part(found.id, 2)[-1]
    assert last.contact.fields == {"name": "Zo\u00eb"}


def test_an_encoding_that_people_named_is_not_guessed_again(bench: Bench) -> None:
    rows = "".join(f"user{n}@example.com,{'x' * 60}\n" for n in range(1200))
    data = ("email,name\n" + rows + "zoe@example.com,Zo\u00eb\n").encode("cp1252")
    over = bench.all(data, encoding="utf-8")
    assert over.status is ImportStatus.FAILED
    assert over.reason.startswith("line 1202: the file must be UTF-8 (got byte 0xeb)")
    over = bench.all(data, encoding="Windows-1252")
    assert (over.status, over.note) == (ImportStatus.DONE, "")


def test_a_run_whose_time_is_up_hands_over_and_the_next_goes_on(bench: Bench) -> None:
    found = bench.start(MIXED.encode())
    runs = 0
    while bench.queue.ids:
        runs += 1
        over = bench.run(
            bench.queue.ids.pop(), owner=f"run {runs}", left=lambda: HANDOVER_SECONDS - 1
        )
    assert runs == 3  # a part each; the last ends the file
    assert over.status is ImportStatus.DONE
    assert (over.cursor.rows, over.cursor.accepted) == (1302, 1300)
    whole = bench.lists.get(found.list_id)
    assert len(bench.contacts(whole)) == 1300
    assert bench.rejected(found.list_id)[-1] == ["1304", "address is the same as in line 5"]


def test_progress_is_seen_while_a_run_is_on_its_way(bench: Bench) -> None:
    found = bench.start(MIXED.encode())
    bench.run(found.id, left=iter([300.0, 300.0, 1.0]).__next__)
    seen = bench.desk.get(found.id)
    assert seen.status is ImportStatus.RUNNING
    assert (seen.cursor.rows, seen.cursor.accepted, seen.cursor.parts) == (1001, 1000, 2)
    assert 0 < seen.cursor.offset < len(MIXED)
    assert bench.lists.get(found.list_id) is None


def test_a_kill_between_any_two_calls_changes_nothing(bench: Bench) -> None:
    data = (
        "email\n" + "".join(f"user{n}@example.com\n" for n in range(510)) + "x\nuser3@example.com\n"
    )
    expected = [(n + 2, f"user{n}@example.com") for n in range(510)]
    for kill_at in range(1, 100):
        found = bench.start(data.encode())
        survived = killed_at(bench, found.id, kill_at)
        standing = bench.lists.get(found.list_id)
        over = bench.desk.get(found.id).status is ImportStatus.DONE
        assert (standing is not None) == over  # never a list before the import is done
        bench.clock.advance(400)  # the lease has run out when the message comes again
        bench.run(found.id, owner="next")
        assert bench.contacts(bench.lists.get(found.list_id)) == expected
        assert [row[0] for row in bench.rejected(found.list_id)] == ["line", "512", "513"]
        assert not [key for key in bench.objects() if key.startswith("uploads/")]
        if survived:
            break
    assert survived
    assert kill_at > 12


def killed_at(bench: Bench, import_id: str, call: int) -> bool:
    """Run until just before the n-th call to a service; tell whether there was none."""
    left = call

    def die(**_: object) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise Killed

    clients = (bench.cloud.dynamodb, bench.cloud.s3)
    for client in clients:
        client.meta.events.register("before-call", die)
    try:
        bench.run(import_id, owner="killed")
    except Killed:
        return False
    else:
        return True
    finally:
        for client in clients:
            client.meta.events.unregister("before-call", die)


def test_a_message_that_comes_twice_makes_no_second_run(bench: Bench) -> None:
    found = bench.start(MIXED.encode())
    assert bench.book.claim(found.id, owner="first", lease=NOW + 60, now=NOW) is not None
    assert bench.run(found.id, owner="second") is None
    bench.clock.advance(61)
    assert bench.run(found.id, owner="second").status is ImportStatus.DONE


def test_a_run_that_lost_its_lease_writes_nothing_more(bench: Bench) -> None:
    found = bench.start(MIXED.encode())

    def overtaken() -> float:
        bench.clock.advance(1000)
        bench.book.claim(found.id, owner="other", lease=bench.clock.now + 60, now=bench.clock.now)
        return 300.0

    def left() -> Iterator[float]:
        yield 300.0
        yield overtaken()
        while True:
            yield 300.0

    times = left()
    assert bench.run(found.id, owner="slow", left=lambda: next(times)) is None
    assert bench.desk.get(found.id).status is ImportStatus.RUNNING
    assert bench.lists.get(found.list_id) is None


def test_contacts_are_added_to_a_list_that_stands_behind_its_own(bench: Bench) -> None:
    first = bench.all(GOOD)
    more = "email,name,city\nnew@example.com,N,X\nuser7@example.com,again,Y\nNEW@example.com,N,Z\n"
    over = bench.all(more, list_id=first.list_id)
    assert over.status is ImportStatus.DONE
    found = bench.lists.get(first.list_id)
    assert found is not None
    assert (found.revision, found.accepted, found.duplicates, found.rows) == (1, 1201, 2, 1203)
    assert (found.parts, found.fields, found.name) == (4, ("name", "city"), "Members")
    assert bench.contacts(found)[-1] == (2, "new@example.com")
    assert [row[1] for row in bench.rejected(found.id)[1:]] == [
        "address is in the list already",
        "address is the same as in line 2",
    ]
    # the revision before is as it was
    before = [bench.lists.read_part(found.id, part) for part in range(3)]
    assert sum(map(len, before)) == 1200


def test_two_imports_into_one_list_both_end_up_in_it(bench: Bench) -> None:
    first = bench.all(GOOD)
    slow = bench.start(b"email,name\nslow@example.com,S\n", list_id=first.list_id)
    bench.all("email,name\nfast@example.com,F\n", list_id=first.list_id)
    bench.run(slow.id)
    found = bench.lists.get(first.list_id)
    assert found is not None
    assert found.revision == 2
    assert [email for _, email in bench.contacts(found)[-2:]] == [
        "fast@example.com",
        "slow@example.com",
    ]


def test_a_failed_addition_leaves_the_list_alone(bench: Bench) -> None:
    first = bench.all(GOOD)
    before = bench.objects()
    over = bench.all(
        "email,name\nx@example.com,X\nnobody,Y\n", list_id=first.list_id, all_or_nothing=True
    )
    assert over.status is ImportStatus.FAILED
    assert bench.objects() == before
    found = bench.lists.get(first.list_id)
    assert found is not None
    assert (found.revision, found.accepted) == (0, 1200)


def test_a_mapping_may_be_said_with_the_start(bench: Bench) -> None:
    found = bench.announce(b"Kontakt;Vorname;X\nada@example.com;Ada;1\n")
    sample = bench.desk.sample(found)
    assert sample is not None
    assert sample.columns == ("Kontakt", "Vorname", "X")
    with pytest.raises(InvalidContactList, match="one column must be named email"):
        bench.desk.start(found.id, {})
    mapping = {"Kontakt": "email", "Vorname": "first_name", "X": None}
    bench.desk.start(found.id, {"mapping": mapping})
    bench.run(found.id)
    (row,) = bench.lists.read_part(found.list_id, 0)
    assert (row.contact.email, row.contact.fields) == ("ada@example.com", {"first_name": "Ada"})
    assert bench.desk.sample(bench.desk.get(found.id)) is None


def test_an_import_is_started_only_when_its_file_is_there_and_whole(bench: Bench) -> None:
    found, ticket = bench.desk.create({"name": "Members", "size": 10})
    assert (ticket.method, ticket.headers, ticket.expires_at) == (
        "PUT",
        {"Content-Length": "10"},
        NOW + 3600,
    )
    assert "content-length" in ticket.url
    with pytest.raises(StateConflict, match="has no file yet"):
        bench.desk.start(found.id, {})
    bench.cloud.s3.put_object(Bucket=BUCKET, Key=f"uploads/{found.id}/file", Body=b"email\n")
    with pytest.raises(InvalidContactList, match="the 10 bytes announced .got 6"):
        bench.desk.start(found.id, {})
    with pytest.raises(NotFound):
        bench.desk.start("import_none", {})


def test_starting_twice_runs_once_and_an_import_that_is_over_cannot_start(bench: Bench) -> None:
    found = bench.start(GOOD.encode())
    bench.desk.start(found.id, {"mapping": {"name": ""}})
    assert bench.queue.ids == [found.id, found.id]
    bench.run(found.id)
    assert bench.run(found.id) is None
    assert bench.lists.read_part(found.list_id, 0)[0].contact.fields == {"name": "U0"}
    with pytest.raises(StateConflict, match="is done"):
        bench.desk.start(found.id, {})


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"size": 0}, "size must be 1 to"),
        ({"size": MAX_UPLOAD_BYTES + 1}, f"size must be 1 to {MAX_UPLOAD_BYTES}"),
        ({"size": True}, "size must be"),
        ({"encoding": "ebcdic"}, "encoding must be one of"),
        ({"delimiter": "::"}, "delimiter must be one of"),
        ({"mapping": ["a"]}, "mapping must be an object"),
        ({"mapping": {"a": 1}}, "mapping must name a field"),
        ({"all_or_nothing": "yes"}, "all_or_nothing must be true or false"),
    ],
)
def test_what_is_asked_wrongly_is_named(bench: Bench, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidContactList, match=said):
        bench.desk.create({"name": "x", "size": 5, **asked})


def test_an_import_into_a_list_that_is_not_there_is_refused(bench: Bench) -> None:
    with pytest.raises(NotFound, match="contact list list_x does not exist"):
        bench.desk.create({"list_id": "list_x", "size": 5})


def test_rejected_rows_of_a_large_file_come_page_by_page(bench: Bench) -> None:
    rows = "".join(f"nobody{n},x\n" for n in range(2500))
    over = bench.all("email,name\nada@example.com,A\n" + rows)
    assert over.cursor.rejected == 3
    text, start = "", 0
    while True:
        page = bench.lists.rejected_page(over.list_id, start=start, limit=50_000)
        assert page is not None
        text += page[0]
        assert page[0].endswith("\n")
        start = page[1]
        if not start:
            break
    lines = [row[0] for row in csv.reader(io.StringIO(text, newline=""))]
    assert lines == ["line", *(str(n) for n in range(3, 2503))]
    assert bench.lists.rejected_page("list_none", start=0, limit=10) is None


class Discarded:
    """Take what a run writes, and keep none of it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.found: Import | None = None
        self.whole: ContactList | None = None

    def claim(self, import_id: str, **_: object) -> Import | None:
        """Give the import to whoever asks."""
        return self.found

    def save(self, found: Import, **_: object) -> bool:
        """Say that it was kept."""
        return True

    def finish(self, found: Import, whole: ContactList, *_: object, **__: object) -> bool:
        """Keep what it came to."""
        self.whole = whole
        return True

    def lines(self, found: Import) -> Any:
        """Return the text of the upload."""
        return io.TextIOWrapper(io.BytesIO(self.data), encoding="utf-8", newline="")

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


def test_the_memory_of_a_run_grows_by_what_finding_duplicates_costs_alone() -> None:
    def peak(rows: int) -> int:
        world = Discarded(
            b"email,name\n"
            + b"".join(b"user%d@example.com,%s\n" % (n, b"x" * 50) for n in range(rows))
        )
        world.found = Import(
            id="import_1",
            list_id="list_1",
            name="x",
            filename="",
            size=len(world.data),
            status=ImportStatus.RUNNING,
            created_at=NOW,
            encoding="utf-8",
            delimiter=",",
            columns=("email", "name"),
        )
        taker: Any = world
        importer = Importer(book=taker, depot=taker, lists=taker, queue=taker, clock=lambda: NOW)
        tracemalloc.start()
        try:
            importer.run("import_1", owner="one", seconds_left=lambda: 300.0)
            found = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert world.whole is not None
        assert world.whole.accepted == rows
        return found

    few, many = peak(2_000), peak(20_000)
    a_row = (many - few) / 18_000
    print(f"{few / 1e6:.1f} MB for 2,000 rows, {many / 1e6:.1f} for 20,000: {a_row:.0f} B a row")
    assert a_row < 150  # 300,000 rows take less than 45 MB besides what the process takes
