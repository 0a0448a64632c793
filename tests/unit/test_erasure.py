"""Whoever is erased stands nowhere afterwards: in no list, revision, old version or row."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest
from cloud import BUCKET, CAMPAIGNS, RECIPIENTS, Cloud

from fakes import HASH_KEY, NOW, make_campaign, make_row
from sendmill.campaign import Status
from sendmill.contact import Contact, address_hash
from sendmill.contact_book import ContactBook
from sendmill.contact_list import Accepted, ContactList
from sendmill.dispatch import Job, Op, wanted_change
from sendmill.erasure import Eraser
from sendmill.errors import InvalidContact
from sendmill.ledger import State
from sendmill.store import (
    CampaignStore,
    ContactArchive,
    ListStore,
    RecipientStore,
    SuppressionStore,
)
from sendmill.suppression import SuppressionList

ADA = "Ada.Lovelace@example.com"
BOB = "bob@example.com"


class World:
    """Hold everything in which somebody may stand."""

    def __init__(self, cloud: Cloud) -> None:
        tokens = count(1)
        self.cloud = cloud
        versioned = {"Status": "Enabled"}
        cloud.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration=versioned)
        self.lists = ListStore(cloud.dynamodb, CAMPAIGNS, cloud.s3, BUCKET)
        self.campaigns = CampaignStore(cloud.dynamodb, CAMPAIGNS)
        self.rows = RecipientStore(cloud.dynamodb, RECIPIENTS, CAMPAIGNS)
        self.shelf = SuppressionStore(cloud.dynamodb, RECIPIENTS)
        self.book = ContactBook(
            lists=self.lists, campaigns=self.campaigns, new_token=lambda: f"t{next(tokens)}"
        )
        self.eraser = Eraser(
            book=self.book,
            archive=ContactArchive(cloud.s3, BUCKET),
            ledger=self.rows,
            campaigns=self.campaigns,
            suppressions=self.shelf,
            hash_key=HASH_KEY,
            clock=lambda: NOW,
        )

    def fill(self, list_id: str) -> None:
        """Keep a list of Ada, Bob and somebody who knows Ada."""
        people = [
            Contact(email=ADA, fields={"first_name": "Ada"}),
            Contact(email=BOB, fields={"first_name": "Bob", "boss": f"see {ADA.upper()}"}),
            Contact(email="eve@example.com", fields={"first_name": "Eve"}),
        ]
        rows = [Accepted(line=n + 2, contact=one) for n, one in enumerate(people)]
        self.lists.write_part(list_id, 0, rows)
        self.lists.write_part(list_id, 0, rows)  # an import that was done twice
        self.lists.add(
            ContactList(
                id=list_id,
                name=list_id,
                created_at=NOW,
                rows=3,
                accepted=3,
                invalid=0,
                duplicates=0,
                parts=1,
            )
        )

    def campaign(self, campaign_id: str, state: State, **changes: Any) -> None:
        """Keep a campaign that Ada and Bob are recipients of."""
        self.campaigns.add(make_campaign(campaign_id, total=2))
        rows = [
            make_row(ADA, campaign_id, state=state, **changes),
            make_row(BOB, campaign_id, state=State.ACCEPTED),
        ]
        self.rows.put_all(rows)

    def erase(self, cursor: str = "", left: float = 25.0) -> Any:
        """Erase Ada."""
        email = "ada.lovelace@EXAMPLE.com".replace("ada.lovelace", "Ada.Lovelace")
        return self.eraser.erase(email, confirm=email, cursor=cursor, seconds_left=lambda: left)

    def everything(self) -> str:
        """Return every item and every version of every object, in lower case."""
        found = [
            json.dumps(self.cloud.dynamodb.scan(TableName=table)["Items"])
            for table in (CAMPAIGNS, RECIPIENTS)
        ]
        versions = self.cloud.s3.list_object_versions(Bucket=BUCKET).get("Versions", [])
        for one in versions:
            body = self.cloud.s3.get_object(
                Bucket=BUCKET, Key=one["Key"], VersionId=one["VersionId"]
            )["Body"].read()
            found += [body.decode("utf-8", "replace"), body.decode("utf-16-le", "replace")]
        return "\n".join(found).lower()


@pytest.fixture
def world(cloud: Cloud) -> World:
    return World(cloud)


def test_nothing_that_is_kept_names_the_person_any_more(world: World) -> None:
    world.fill("list_1")
    world.fill("list_2")
    world.fill("list_gone")
    (entry,), _ = world.book.page("list_2", query="eve", limit=9)
    world.book.edit("list_2", entry.id, {"first_name": "Evelyn"})
    world.book.delete("list_gone")
    world.lists.write_part("list_half", 0, world.lists.read_part("list_1", 0))  # never shown
    put = world.cloud.s3.put_object
    put(Bucket=BUCKET, Key="uploads/import_1/file", Body=f"email\n{ADA}\n".encode())
    put(Bucket=BUCKET, Key="uploads/import_2/file", Body=f"email\n{ADA}\n".encode("utf-16"))
    put(Bucket=BUCKET, Key="uploads/import_3/file", Body=b"email\nsomebody@example.com\n")
    for state in (State.PENDING, State.FAILED, State.ACCEPTED, State.UNKNOWN):
        world.campaign(f"c_{state}", state, reason=f"smtp_550: <{ADA}> unknown")
    suppressions = SuppressionList(shelf=world.shelf, hash_key=HASH_KEY, clock=lambda: NOW)
    suppressions.add(ADA, reason="unsubscribed", source="test")
    assert "lovelace" in world.everything()

    found = world.erase()
    assert (found.recipients, found.cursor) == (4, "")
    assert found.lists >= 3
    assert "lovelace" not in world.everything()
    assert "bob@example.com" in world.everything()
    assert "somebody@example.com" in world.everything()
    key = address_hash(HASH_KEY, ADA)
    _, reasons = world.rows.read([], suppression_keys=[key])
    assert reasons == {key: "unsubscribed"}
    again = world.erase()
    assert (again.lists, again.recipients) == (0, 0)


def test_lists_and_their_counts_are_right_afterwards(world: World) -> None:
    world.fill("list_1")
    world.erase()
    found = world.book.get("list_1")
    assert (found.accepted, found.rows, found.revision) == (2, 2, 1)
    left, _ = world.book.page("list_1")
    assert [one.contact.email for one in left] == [BOB, "eve@example.com"]
    assert left[0].contact.fields["boss"] == ""
    # a campaign that was started before reads the revision before, without the person
    before = world.lists.read_part("list_1", 0, 0)
    assert [row.contact.email for row in before] == [BOB, "eve@example.com"]


@pytest.mark.parametrize(
    ("state", "after"),
    [
        (State.PENDING, State.CANCELLED),
        (State.RETRY, State.CANCELLED),
        (State.UNKNOWN, State.FAILED),
        (State.SENDING, State.SENDING),
        (State.ACCEPTED, State.ACCEPTED),
        (State.FAILED, State.FAILED),
    ],
)
def test_a_row_stays_for_the_sums_and_is_never_mailed_again(
    world: World, state: State, after: State
) -> None:
    world.campaign("spring", state, due=NOW)
    world.erase()
    found = [row for shard in range(16) for row in world.rows.in_shard("spring", shard)]
    rows = {row.contact.email: row for row in found}
    assert set(rows) == {"", BOB}
    assert rows[""].state is after
    for op in (Op.RETRY_FAILED, Op.RESOLVE, Op.CANCEL):
        job = Job(op=op, campaign_id="spring", argument="resend" if op is Op.RESOLVE else "")
        assert wanted_change(rows[""], job) is None


def test_an_erasure_whose_time_is_up_goes_on_at_its_cursor(world: World) -> None:
    for n in range(3):
        world.fill(f"list_{n}")
    world.campaign("spring", State.PENDING)
    cursor, rounds, lists = "", 0, 0
    while True:
        found = world.erase(cursor, left=1.0)
        lists, rounds, cursor = lists + found.lists, rounds + 1, found.cursor
        if not cursor:
            break
    assert (lists, rounds) == (3, 2)
    assert "lovelace" not in world.everything()


def test_a_running_campaign_does_not_meet_an_erased_person_again(world: World) -> None:
    world.fill("list_1")
    world.campaigns.add(make_campaign("late", status=Status.RUNNING, list_id="list_1", chunks=1))
    world.erase()
    emails = [row.contact.email for row in world.lists.read_part("list_1", 0, 0)]
    assert ADA not in emails


@pytest.mark.parametrize(
    ("email", "confirm", "cursor", "said"),
    [
        (ADA, BOB, "", "confirm must be the same address"),
        ("nobody", "nobody", "", "address must be valid"),
        (ADA, ADA, "x", "cursor must be"),
        (ADA, ADA, "objects:zz", "cursor must be"),
    ],
)
def test_what_is_asked_wrongly_is_named(
    world: World, email: str, confirm: str, cursor: str, said: str
) -> None:
    with pytest.raises(InvalidContact, match=said):
        world.eraser.erase(email, confirm=confirm, cursor=cursor, seconds_left=lambda: 20.0)
