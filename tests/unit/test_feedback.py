"""Events reach the ledger in any order and number, and the end is the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import (
    HASH_KEY,
    NOW,
    Clock,
    MemoryCampaigns,
    MemoryLedger,
    MemorySuppressions,
    MemoryWatermarks,
    make_campaign,
    make_row,
)
from sendmill.contact import address_hash
from sendmill.dispatch import Job, Op, wanted_change
from sendmill.errors import StoreUnavailable
from sendmill.feedback import ROUNDS, Listener
from sendmill.ledger import News, Row, State, Transition, claim, give_up, record
from sendmill.outcome import accepted
from sendmill.suppression import Reason, make_suppression

SET = "sendmill-test"
ADA = make_row("ada@example.com", state=State.ACCEPTED, attempt=1, owner="w1")
BOB = make_row("bob@example.com", state=State.ACCEPTED, attempt=1, owner="w1")


class World:
    """A ledger with rows, a list, a watermark, and who listens."""

    def __init__(self, *rows: Row) -> None:
        self.ledger = MemoryLedger(MemoryCampaigns(make_campaign()), *rows)
        self.suppressions = MemorySuppressions(self.ledger)
        self.watermarks = MemoryWatermarks()
        self.clock = Clock()
        self.listener = Listener(
            ledger=self.ledger,
            suppressions=self.suppressions,
            watermarks=self.watermarks,
            hash_key=HASH_KEY,
            clock=self.clock,
            configuration_set=SET,
        )

    def hear(self, *bodies: str) -> list[str]:
        return [one.outcome for one in self.listener.listen(bodies, owner="listener")]

    def row(self, row: Row) -> Row:
        return self.ledger.rows[row.campaign_id, row.rid]


def event(kind: str, row: Row = ADA, *, attempt: int = 1, at: int = NOW, **parts: Any) -> str:
    when = datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
    recipient = {"emailAddress": row.contact.email}
    own: dict[str, Any] = {
        "Bounce": {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [recipient],
            "timestamp": when,
        },
        "Complaint": {
            "complainedRecipients": [recipient],
            "complaintFeedbackType": "abuse",
            "timestamp": when,
        },
        "DeliveryDelay": {"delayType": "MailboxFull", "delayedRecipients": [recipient]},
        "Reject": {"reason": "Bad content"},
    }.get(kind, {})
    name = {"DeliveryDelay": "deliveryDelay", "Rendering Failure": "failure"}.get(
        kind, kind.lower()
    )
    tags = {
        "ses:configuration-set": [SET],
        "campaign_id": [row.campaign_id],
        "recipient_id": [row.rid],
        "attempt": [str(attempt)],
    }
    mail = {"timestamp": when, "messageId": f"ses-{attempt}", "tags": tags}
    return json.dumps({"eventType": kind, "mail": mail, name: {**own, **parts}})


@pytest.mark.parametrize(
    ("kind", "news", "counted"),
    [
        ("Send", News.SENT, {}),
        ("DeliveryDelay", News.DELAYED, {}),
        ("Delivery", News.DELIVERED, {"delivered": 1}),
        ("Bounce", News.BOUNCED, {"bounced": 1}),
        ("Complaint", News.COMPLAINED, {"complained": 1}),
        ("Reject", News.BOUNCED, {"bounced": 1}),
        ("Rendering Failure", News.BOUNCED, {"bounced": 1}),
    ],
)
def test_an_event_advances_the_news_and_counts_it(
    kind: str, news: News, counted: dict[str, int]
) -> None:
    world = World(ADA)
    assert world.hear(event(kind)) == [str(news)]
    assert world.row(ADA).news is news
    assert world.ledger.campaigns.counters("spring") == {"accepted": 1, **counted}
    world.ledger.check_sums()


def test_a_doubled_event_says_nothing_new() -> None:
    world = World(ADA)
    assert world.hear(event("Bounce"), event("Bounce")) == ["bounced", "nothing_new"]
    assert world.hear(event("Bounce")) == ["nothing_new"]
    assert world.ledger.campaigns.counters("spring") == {"accepted": 1, "bounced": 1}


def test_a_delivery_that_comes_after_its_bounce_changes_nothing() -> None:
    world = World(ADA)
    world.hear(event("Bounce"))
    assert world.hear(event("Delivery"), event("Send")) == ["nothing_new", "nothing_new"]
    assert world.row(ADA).news is News.BOUNCED


def test_all_events_of_a_mail_in_one_batch_are_one_write() -> None:
    world = World(ADA, BOB)
    world.hear(
        event("Send"), event("Delivery"), event("Send", BOB), event("Complaint"), event("Bounce")
    )
    assert len(world.ledger.applied) == 2
    assert world.row(ADA).news is News.COMPLAINED
    assert world.ledger.campaigns.counters("spring") == {"accepted": 2, "complained": 1}
    world.ledger.check_sums()


@pytest.mark.parametrize("state", [State.SENDING, State.UNKNOWN, State.RETRY])
@pytest.mark.parametrize("kind", ["Send", "Delivery", "Bounce", "Complaint"])
def test_any_event_proves_that_the_mail_was_taken(state: State, kind: str) -> None:
    row = make_row(state=state, attempt=1, owner="w1")
    world = World(row)
    world.hear(event(kind, row))
    found = world.row(row)
    assert (found.state, found.message_id) == (State.ACCEPTED, "ses-1")
    world.ledger.check_sums()


def test_an_event_before_our_own_record_is_not_lost() -> None:
    claimed = claim(make_row(), owner="w1", lease=NOW + 60, now=NOW).after
    world = World(claimed)
    world.hear(event("Send", claimed))
    late = record(claimed, accepted("ses-1"), now=NOW, jitter=0.5)
    assert world.ledger.apply([late], owner="w1") == [True]
    assert world.row(claimed).news is News.SENT
    assert world.ledger.campaigns.counters("spring") == {"accepted": 1}
    world.ledger.check_sums()


def test_an_event_of_an_attempt_that_was_never_made_is_not_believed() -> None:
    world = World(ADA)
    assert world.hear(event("Delivery", attempt=2)) == ["nothing_new"]
    assert world.row(ADA) == ADA


def test_an_event_of_an_earlier_attempt_settles_the_row() -> None:
    row = make_row(state=State.RETRY, attempt=3)
    world = World(row)
    world.hear(event("Send", row, attempt=1))
    assert world.row(row).state is State.ACCEPTED


def test_who_was_given_up_and_got_the_mail_is_not_among_the_failed() -> None:
    """A person ends the wait for an event that comes an hour later; then the failed are retried."""
    row = make_row(state=State.UNKNOWN, attempt=1)
    given_up = give_up(row, reason="given up by a person", now=NOW).after
    world = World(given_up)
    world.hear(event("Send", row))
    after = world.row(row)
    assert (after.state, after.reason) == (State.ACCEPTED, "")
    assert world.ledger.campaigns.counters("spring") == {"accepted": 1}
    assert wanted_change(after, Job(op=Op.RETRY_FAILED, campaign_id="spring")) is None


@pytest.mark.parametrize("state", [State.PENDING, State.SUPPRESSED, State.CANCELLED, State.FAILED])
def test_an_event_for_a_row_that_was_not_sent_changes_no_row(state: State) -> None:
    row = make_row(state=state)
    world = World(row)
    assert world.hear(event("Delivery", row)) == ["nothing_new"]
    assert world.row(row) == row


def test_a_permanent_bounce_suppresses_the_address() -> None:
    world = World(ADA)
    world.hear(event("Bounce"))
    (entry,) = world.suppressions.entries.values()
    assert entry == make_suppression(
        "ada@example.com", Reason.BOUNCED, hash_key=HASH_KEY, at=NOW, source="spring"
    )
    assert world.ledger.suppressed == {address_hash(HASH_KEY, "ada@example.com"): "bounced"}


@pytest.mark.parametrize("kind", ["Transient", "Undetermined"])
def test_a_soft_bounce_is_counted_and_suppresses_nobody(kind: str) -> None:
    world = World(ADA)
    world.hear(event("Bounce", bounceType=kind, bounceSubType="MailboxFull"))
    assert world.suppressions.entries == {}
    assert world.row(ADA).reason == f"{kind.lower()}_mailboxfull"
    assert world.ledger.campaigns.counters("spring") == {"accepted": 1, "soft_bounced": 1}


def test_a_mail_that_bounces_for_ever_after_all_is_counted_once() -> None:
    world = World(ADA)
    world.hear(event("Delivery"), event("Bounce", bounceType="Transient"))
    world.hear(event("Bounce"))
    assert world.ledger.campaigns.counters("spring") == {"accepted": 1, "bounced": 1}
    assert world.suppressions.reasons() == {"ada@example.com": "bounced"}


def test_a_complaint_suppresses_more_strongly_than_a_bounce() -> None:
    world = World(ADA)
    world.hear(event("Bounce"), event("Complaint"))
    assert world.suppressions.reasons() == {"ada@example.com": "complained"}
    world.hear(event("Bounce"))
    assert world.suppressions.reasons() == {"ada@example.com": "complained"}


def test_not_spam_takes_a_complaint_back_and_nothing_else() -> None:
    world = World(ADA, BOB)
    world.hear(event("Complaint"), event("Bounce", BOB))
    pardon = {"complaintFeedbackType": "not-spam"}
    world.hear(
        event("Complaint", at=NOW + 60, **pardon), event("Complaint", BOB, at=NOW + 60, **pardon)
    )
    assert world.suppressions.reasons() == {"bob@example.com": "bounced"}
    assert world.ledger.campaigns.counters("spring")["complained"] == 1


def test_not_spam_that_is_older_than_the_complaint_changes_nothing() -> None:
    world = World(ADA)
    world.hear(event("Complaint"))
    world.hear(event("Complaint", at=NOW - 60, complaintFeedbackType="not-spam"))
    assert world.suppressions.reasons() == {"ada@example.com": "complained"}


def test_every_recipient_of_an_event_is_suppressed_and_whom_we_mailed() -> None:
    world = World(ADA)
    named = [{"emailAddress": "a@example.net"}, {"emailAddress": "b@example.net"}]
    world.hear(event("Bounce", bouncedRecipients=named))
    assert set(world.suppressions.reasons()) == {
        "ada@example.com",
        "a@example.net",
        "b@example.net",
    }


def test_the_suppression_stands_before_the_news() -> None:
    world = World(ADA)
    world.ledger.before_apply = lambda _: _look(world)
    world.hear(event("Complaint"))
    assert world.row(ADA).news is News.COMPLAINED


def _look(world: World) -> None:
    assert world.suppressions.reasons() == {"ada@example.com": "complained"}


def test_an_unknown_recipient_changes_nothing() -> None:
    world = World(ADA)
    stranger = replace(BOB, rid="a" * 26)
    assert world.hear(event("Bounce", stranger)) == ["unknown_recipient"]
    assert world.suppressions.entries == {}
    assert world.ledger.applied == []


def test_a_complaint_about_a_row_that_is_gone_still_suppresses_its_address() -> None:
    world = World()
    named = [{"emailAddress": "ada@example.com"}, {"emailAddress": "eve@example.net"}]
    assert world.hear(event("Complaint", complainedRecipients=named)) == ["unknown_recipient"]
    assert world.suppressions.reasons() == {"ada@example.com": "complained"}


def test_a_damaged_event_is_kept_and_its_neighbours_are_heard() -> None:
    world = World(ADA)
    found = world.listener.listen(
        [event("Send"), '{"eventType": "Bounce"}', "greeting"], owner="listener"
    )
    assert [(one.outcome, one.malformed) for one in found] == [
        ("sent", False),
        ("malformed", True),
        ("no_event", False),
    ]


def test_a_row_that_moves_meanwhile_is_read_again() -> None:
    sending = make_row(state=State.SENDING, attempt=1, owner="w1")
    world = World(sending)

    def overtake(_: Sequence[Transition]) -> None:
        world.ledger.before_apply = lambda _: None
        recorded = record(sending, accepted("ses-1"), now=NOW, jitter=0.5)
        assert world.ledger.apply([recorded], owner="w1") == [True]

    world.ledger.before_apply = overtake
    assert world.hear(event("Delivery", sending)) == ["delivered"]
    assert world.ledger.campaigns.counters("spring") == {"accepted": 1, "delivered": 1}
    world.ledger.check_sums()


def test_a_row_that_never_stands_still_gives_the_batch_back() -> None:
    world = World(ADA)
    key = (ADA.campaign_id, ADA.rid)
    rounds: list[int] = []

    def move(_: Sequence[Transition]) -> None:
        rounds.append(1)
        world.ledger.rows[key] = replace(world.ledger.rows[key], owner=f"w{len(rounds) + 1}")

    world.ledger.before_apply = move
    with pytest.raises(StoreUnavailable):
        world.hear(event("Delivery"))
    assert len(rounds) == ROUNDS


@pytest.mark.parametrize("away", ["ledger", "suppressions"])
def test_a_store_that_is_away_gives_the_batch_back(away: str) -> None:
    world = World(ADA)
    getattr(world, away).unavailable = True
    with pytest.raises(StoreUnavailable):
        world.hear(event("Bounce"))
    assert world.row(ADA) == ADA
    assert world.watermarks.at == {}
    getattr(world, away).unavailable = False
    assert world.hear(event("Bounce")) == ["bounced"]


def test_send_events_move_the_watermark_forwards_only() -> None:
    world = World(ADA)
    world.hear(event("Send", at=NOW - 100), event("Delivery", at=NOW - 10))
    assert world.watermarks.at == {SET: NOW - 100}
    world.hear(event("Send", at=NOW - 200))
    assert world.watermarks.at == {SET: NOW - 100}


def test_the_watermark_never_runs_ahead_of_the_clock() -> None:
    world = World(ADA)
    world.hear(event("Send", at=NOW + 10_000))
    assert world.watermarks.at == {SET: NOW}


def test_the_watermark_waits_for_the_rows() -> None:
    world = World(ADA)
    world.ledger.before_apply = lambda _: world.watermarks.at and pytest.fail("too early")
    world.hear(event("Send"))
    assert world.watermarks.at == {SET: NOW}


KINDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Send", {}),
    ("DeliveryDelay", {}),
    ("Delivery", {}),
    ("Bounce", {}),
    ("Bounce", {"bounceType": "Transient"}),
    ("Complaint", {}),
    ("Reject", {}),
)
STATES = (State.SENDING, State.UNKNOWN, State.RETRY, State.ACCEPTED)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), states=st.lists(st.sampled_from(STATES), min_size=1, max_size=4))
def test_any_order_and_number_of_events_comes_to_the_same_end(
    data: st.DataObject, states: list[State]
) -> None:
    rows = [
        make_row(f"p{n}@example.com", state=state, attempt=2, owner="w1")
        for n, state in enumerate(states)
    ]
    one_event = st.tuples(
        st.sampled_from(rows), st.sampled_from(KINDS), st.integers(min_value=1, max_value=3)
    )
    events = data.draw(st.lists(one_event, min_size=1, max_size=12))
    doubled = [*events, *data.draw(st.lists(st.sampled_from(events), max_size=6))]
    ends = []
    for order in (events, data.draw(st.permutations(doubled))):
        world = World(*rows)
        bodies = [
            event(kind, row, attempt=attempt, **parts) for row, (kind, parts), attempt in order
        ]
        while bodies:
            size = data.draw(st.integers(min_value=1, max_value=10))
            world.hear(*bodies[:size])
            bodies = bodies[size:]
        world.ledger.check_sums()
        ends.append(
            (
                {row.rid: (world.row(row).state, world.row(row).news) for row in rows},
                world.ledger.campaigns.counters("spring"),
                world.suppressions.reasons(),
                world.watermarks.at,
            )
        )
    assert ends[0] == ends[1]
