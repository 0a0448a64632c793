"""One mail a recipient, whatever comes twice, at once, late or not at all.

Every test ends with the ledger's counters being the sum of its rows (the ``world`` fixture).
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import (
    CONFIG,
    CONTENT,
    HASH_KEY,
    NOW,
    Clock,
    MemoryCampaigns,
    MemoryLedger,
    ScriptedLimiter,
    ScriptedMailer,
    make_campaign,
    make_row,
)
from sendmill.campaign import Config, Content, Service, Status
from sendmill.contact import Contact, address_hash
from sendmill.delivery import (
    POSTPONE_SECONDS,
    RECORD_SECONDS,
    SEND_SECONDS,
    Deliverer,
    Handling,
    Receipt,
)
from sendmill.errors import StoreUnavailable
from sendmill.ledger import MAX_TRIES, Row, State
from sendmill.message import Message
from sendmill.outcome import Fate, Outcome, accepted
from sendmill.rate import Slot

LATER = Outcome(fate=Fate.LATER, reason="smtp_421")
SLOW = Outcome(fate=Fate.LATER, reason="throttled", throttled=True)
NEVER = Outcome(fate=Fate.NEVER, reason="smtp_550")
STOP = Outcome(fate=Fate.STOP, reason="identity_not_verified")
LOST = Outcome(fate=Fate.UNKNOWN, reason="answer_lost")
BUDGET = 60
LEASE = 90


def message(
    email: str = "ada@example.com", campaign_id: str = "spring", content: Content | None = None
) -> Message:
    contact = Contact(email=email, fields={"first_name": "Ada"})
    return Message(
        campaign_id=campaign_id, campaign_name="Spring", contact=contact, content=content
    )


@dataclass
class World:
    """A ledger, a provider and a clock, and workers who share them."""

    campaigns: MemoryCampaigns = field(default_factory=lambda: MemoryCampaigns(make_campaign()))
    mailer: ScriptedMailer = field(default_factory=ScriptedMailer)
    clock: Clock = field(default_factory=Clock)
    limiter: ScriptedLimiter = field(default_factory=ScriptedLimiter)
    waits: list[float] = field(default_factory=list)
    ledger: MemoryLedger = field(init=False)
    calls: int = 0

    def __post_init__(self) -> None:
        self.ledger = MemoryLedger(self.campaigns)

    def put(self, *rows: Row) -> None:
        """Let rows stand before the test begins."""
        self.ledger = MemoryLedger(self.campaigns, *rows)

    def wait(self, seconds: float) -> None:
        """Let the time pass for which a worker sleeps."""
        self.waits.append(seconds)
        self.clock.advance(seconds)

    def deliverer(self, mailer: ScriptedMailer | None = None) -> Deliverer:
        """Return a worker."""
        return Deliverer(
            ledger=self.ledger,
            campaigns=self.campaigns,
            mailer=mailer or self.mailer,
            hash_key=HASH_KEY,
            clock=self.clock,
            jitter=lambda: 1.0,
            limiter=self.limiter,
            sleep=self.wait,
        )

    def deliver(self, *messages: Message) -> list[Receipt]:
        """Let a worker deliver a batch."""
        self.calls += 1
        return self.deliverer().deliver(
            messages,
            owner=f"request-{self.calls}",
            budget_seconds=BUDGET,
            lease_seconds=LEASE,
        )


@pytest.fixture
def world() -> Iterator[World]:
    found = World()
    yield found
    found.ledger.check_sums()


def test_a_waiting_recipient_is_mailed_once_and_accepted(world: World) -> None:
    world.put(make_row())
    (receipt,) = world.deliver(message())
    assert (receipt.event, receipt.handling) == ("accepted", Handling.ACKNOWLEDGE)
    assert (receipt.campaign_id, receipt.rid, receipt.attempt) == ("spring", make_row().rid, 1)
    (mail,) = world.mailer.sent
    assert (mail.to, mail.rid, mail.attempt) == ("ada@example.com", make_row().rid, 1)
    assert mail.rendered.subject == "Hello Ada!"
    row = world.ledger.only()
    assert (row.state, row.message_id) == (State.ACCEPTED, receipt.message_id)
    assert world.campaigns.counters("spring") == {"accepted": 1}


def test_the_claim_stands_before_the_mail_leaves(world: World) -> None:
    world.put(make_row())
    seen: list[Row] = []
    world.mailer.during = lambda: seen.append(world.ledger.only())
    world.deliver(message())
    assert [(row.state, row.owner, row.attempt) for row in seen] == [
        (State.SENDING, "request-1", 1)
    ]
    assert seen[0].lease == NOW + LEASE


def test_two_messages_for_one_recipient_in_a_batch_are_one_mail(world: World) -> None:
    world.put(make_row())
    receipts = world.deliver(message(), message("ADA@example.com"), message())
    assert [receipt.event for receipt in receipts] == ["accepted"] * 3
    assert world.mailer.to() == ["ada@example.com"]


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (State.ACCEPTED, "already_accepted"),
        (State.FAILED, "already_failed"),
        (State.SUPPRESSED, "already_suppressed"),
        (State.CANCELLED, "already_cancelled"),
        (State.UNKNOWN, "already_unknown"),
    ],
)
def test_a_settled_recipient_is_not_mailed_again(world: World, state: State, event: str) -> None:
    world.put(make_row(state=state, attempt=1, owner="earlier"))
    (receipt,) = world.deliver(message())
    assert (receipt.event, receipt.handling) == (event, Handling.ACKNOWLEDGE)
    assert world.mailer.sent == []


def test_a_message_that_comes_again_after_acceptance_is_no_second_mail(world: World) -> None:
    for _ in range(3):
        (receipt,) = world.deliver(message(content=CONTENT))
        assert receipt.handling is Handling.ACKNOWLEDGE
    assert world.mailer.to() == ["ada@example.com"]


def test_two_workers_with_the_same_message_send_one_mail(world: World) -> None:
    world.put(make_row())
    both_have_read = threading.Barrier(2, timeout=5)
    waited = threading.local()

    def wait_once(_: object) -> None:
        if not getattr(waited, "done", False):
            waited.done = True
            both_have_read.wait()

    world.ledger.before_apply = wait_once
    receipts: dict[str, Receipt] = {}

    def work(name: str) -> None:
        (receipts[name],) = world.deliverer().deliver(
            [message()], owner=name, budget_seconds=BUDGET, lease_seconds=LEASE
        )

    threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert world.mailer.to() == ["ada@example.com"]
    assert sorted(receipt.event for receipt in receipts.values()) == ["accepted", "overtaken"]
    # should the winner die, the sweep finds its lease
    assert {receipt.handling for receipt in receipts.values()} == {Handling.ACKNOWLEDGE}


def test_a_row_that_another_worker_holds_is_left_alone_until_its_lease_is_over(
    world: World,
) -> None:
    world.put(make_row(state=State.SENDING, attempt=1, owner="other", lease=NOW + 60))
    (receipt,) = world.deliver(message())
    assert (receipt.event, receipt.handling) == ("busy_sending", Handling.ACKNOWLEDGE)
    assert world.mailer.sent == []


def test_an_expired_lease_is_unknown_and_never_sent_again(world: World) -> None:
    world.put(make_row(state=State.SENDING, attempt=1, owner="dead", lease=NOW - 1))
    (receipt,) = world.deliver(message())
    assert (receipt.event, receipt.reason) == ("unknown", "worker_lost")
    assert receipt.handling is Handling.ACKNOWLEDGE
    world.clock.advance(100_000)
    (again,) = world.deliver(message())
    assert again.event == "already_unknown"
    assert world.mailer.sent == []
    assert world.campaigns.counters("spring") == {"unknown": 1}


def test_a_worker_that_lost_its_row_cannot_write_its_outcome(world: World) -> None:
    world.put(make_row())

    def another_takes_over() -> None:
        world.clock.advance(LEASE + 1)
        assert [
            one.event
            for one in world.deliverer(ScriptedMailer()).deliver(
                [message()], owner="other", budget_seconds=BUDGET, lease_seconds=LEASE
            )
        ] == ["unknown"]

    world.mailer.during = another_takes_over
    (receipt,) = world.deliver(message())
    assert receipt.event == "overtaken"
    assert world.ledger.only().state is State.UNKNOWN


@pytest.mark.parametrize("state", [State.PENDING, State.RETRY])
def test_a_suppressed_address_is_not_mailed(world: World, state: State) -> None:
    world.put(make_row(state=state))
    world.ledger.suppressed[address_hash(HASH_KEY, "ADA@example.com")] = "complained"
    (receipt,) = world.deliver(message())
    assert (receipt.event, receipt.reason) == ("suppressed", "complained")
    assert world.mailer.sent == []
    assert world.ledger.only().state is State.SUPPRESSED


def test_a_template_error_fails_its_row_alone_and_names_the_variable(world: World) -> None:
    content = replace(CONTENT, body="{{ first_name }} {{ nickname }}")
    world.campaigns.add(make_campaign("other", content=content))
    receipts = world.deliver(
        message("a@example.com", "other", content), message("b@example.com", content=CONTENT)
    )
    assert [receipt.event for receipt in receipts] == ["failed", "accepted"]
    assert "'nickname' is undefined" in receipts[0].reason
    assert "@" not in receipts[0].reason
    assert world.mailer.to() == ["b@example.com"]


@pytest.mark.parametrize(
    "name",
    [
        "=?utf-8?q?Ada=0D=0ABcc:_eve@example.com?=",
        "=?utf-8?b?a?=",
        "=?no-such-charset?q?a?=",
        "Ada\x00",
    ],
)
def test_a_header_injection_fails_its_row_alone(world: World, name: str) -> None:
    bad = Contact(email="eve@example.com", fields={"first_name": name})
    receipts = world.deliver(
        Message(campaign_id="spring", contact=bad), message("b@example.com", content=CONTENT)
    )
    assert [receipt.event for receipt in receipts] == ["failed", "accepted"]
    assert receipts[0].reason.startswith("cannot be rendered")


def test_mails_that_would_fill_the_memory_wait_for_the_next_batch(world: World) -> None:
    fat = {"a": "\N{GRINNING FACE}" * 10_000}
    content = replace(CONTENT, subject="Hello", body="<p>" + "{{a or ''}}" * 198)
    world.campaigns.campaigns["spring"] = make_campaign(content=content)
    people = [f"p{n}@example.com" for n in range(5)]
    fields = [fat, fat, fat, fat, {"a": ""}]
    world.put(
        *(
            make_row(to, contact=Contact(email=to, fields=found))
            for to, found in zip(people, fields, strict=True)
        )
    )
    receipts = world.deliver(*(message(to) for to in people))
    assert [one.event for one in receipts] == [
        *("accepted", "accepted", "pending", "pending", "accepted")
    ]
    assert {one.handling for one in receipts} == {Handling.ACKNOWLEDGE}
    waiting = [row for row in world.ledger.rows.values() if row.state is State.PENDING]
    assert [(row.attempt, row.due) for row in waiting] == [(0, NOW)] * 2


def test_a_template_that_does_not_compile_fails_the_row(world: World) -> None:
    content = replace(CONTENT, body="{% for a in b %}{% endfor %}")
    (receipt,) = world.deliver(message(campaign_id="new", content=content))
    assert (receipt.event, receipt.handling) == ("failed", Handling.ACKNOWLEDGE)
    assert "for is not allowed" in receipt.reason


def test_stop_pauses_the_campaign_and_burns_no_try(world: World) -> None:
    world.put(make_row())
    world.mailer.script["ada@example.com"] = [STOP]
    (receipt,) = world.deliver(message())
    assert (receipt.event, receipt.reason) == ("retry", "identity_not_verified")
    assert receipt.handling is Handling.ACKNOWLEDGE
    campaign = world.campaigns.campaigns["spring"]
    assert (campaign.status, campaign.reason) == (Status.PAUSED, "identity_not_verified")
    row = world.ledger.only()
    assert (row.state, row.tries, row.due) == (State.RETRY, 0, NOW)


def test_after_stop_and_resume_the_recipient_is_mailed(world: World) -> None:
    world.put(make_row())
    world.mailer.script["ada@example.com"] = [STOP]
    world.deliver(message())
    world.campaigns.set_status("spring", Status.RUNNING, expected={Status.PAUSED})
    (receipt,) = world.deliver(message())
    assert (receipt.event, receipt.attempt) == ("accepted", 2)


def test_an_unknown_outcome_is_recorded_and_never_sent_again(world: World) -> None:
    world.put(make_row())
    world.mailer.script["ada@example.com"] = [LOST]
    (receipt,) = world.deliver(message())
    assert (receipt.event, receipt.handling) == ("unknown", Handling.ACKNOWLEDGE)
    for _ in range(3):
        world.clock.advance(10_000)
        assert world.deliver(message())[0].event == "already_unknown"
    assert world.mailer.to() == ["ada@example.com"]


def test_a_refusal_for_ever_fails_the_recipient(world: World) -> None:
    world.put(make_row())
    world.mailer.script["ada@example.com"] = [NEVER]
    (receipt,) = world.deliver(message())
    assert (receipt.event, receipt.reason) == ("failed", "smtp_550")
    assert receipt.handling is Handling.ACKNOWLEDGE


def test_a_temporary_refusal_is_tried_again_when_it_is_due_and_not_before(world: World) -> None:
    world.put(make_row())
    world.mailer.script["ada@example.com"] = [LATER]
    (receipt,) = world.deliver(message())
    assert (receipt.event, receipt.handling) == ("retry", Handling.ACKNOWLEDGE)
    wait = world.ledger.only().due - NOW
    assert wait > 1
    world.clock.advance(wait - 1)
    (early,) = world.deliver(message())
    assert (early.event, early.handling) == ("busy_retry", Handling.ACKNOWLEDGE)
    world.clock.advance(1)
    assert world.deliver(message())[0].event == "accepted"
    assert len(world.mailer.sent) == 2


def test_refusals_without_end_end_in_failure(world: World) -> None:
    world.put(make_row())
    world.mailer.script["ada@example.com"] = [LATER] * 10
    for _ in range(MAX_TRIES):
        world.deliver(message())
        world.clock.advance(4_000)
    assert world.ledger.only().state is State.FAILED
    assert len(world.mailer.sent) == MAX_TRIES


def test_throttling_burns_no_try_and_is_waited_for_in_place(world: World) -> None:
    world.put(make_row())
    world.mailer.script["ada@example.com"] = [SLOW] * 3
    world.limiter.slots = [Slot(rate=10), *[Slot(rate=10, starts_in=2.0)] * 3]
    (receipt,) = world.deliver(message())
    assert (receipt.event, receipt.attempt) == ("accepted", 1)
    assert world.waits == [2.0] * 3
    assert world.ledger.only().tries == 0
    assert world.limiter.reported == [(0, 1)] * 3 + [(1, 0)]


def test_throttling_without_end_goes_back_to_the_ledger_in_time(world: World) -> None:
    world.put(make_row())
    world.mailer.script["ada@example.com"] = [SLOW] * 1_000
    world.limiter.usual = Slot(rate=10, starts_in=3.0)
    (receipt,) = world.deliver(message())
    assert (receipt.event, receipt.handling) == ("retry", Handling.ACKNOWLEDGE)
    assert world.clock.now <= NOW + BUDGET - SEND_SECONDS
    row = world.ledger.only()
    assert (row.state, row.tries, row.attempt) == (State.RETRY, 0, 1)


def test_each_group_is_told_how_much_time_is_left(world: World) -> None:
    """A group over SMTP may take minutes: what is sent again must know when the worker ends."""
    world.put(make_row())
    world.mailer.script["ada@example.com"] = [SLOW] * 2
    world.mailer.during = lambda: world.clock.advance(14)
    world.deliver(message())
    left = BUDGET - RECORD_SECONDS
    assert world.mailer.within == [left, left - 15, left - 30]


def test_what_there_was_no_time_for_comes_later_without_a_try(world: World) -> None:
    world.put(make_row())
    late = Outcome(fate=Fate.LATER, reason="out_of_time", unasked=True)
    world.mailer.script["ada@example.com"] = [late]
    (receipt,) = world.deliver(message())
    row = world.ledger.only()
    assert (receipt.event, row.tries, len(world.mailer.sent)) == ("retry", 0, 1)


def test_a_server_without_a_rate_is_not_asked_again_without_a_pause(world: World) -> None:
    world.put(make_row())
    world.mailer.script["ada@example.com"] = [SLOW] * 200
    world.deliver(message())
    assert len(world.mailer.sent) <= BUDGET
    assert all(wait > 0 for wait in world.waits)


def test_a_batch_leaves_at_the_rate_of_its_slot(world: World) -> None:
    people = [make_row(f"user{n}@example.com") for n in range(10)]
    world.put(*people)
    world.limiter.usual = Slot(rate=4.0, starts_in=1.0)
    receipts = world.deliver(*(message(row.contact.email) for row in people))
    assert {receipt.event for receipt in receipts} == {"accepted"}
    assert world.limiter.reserved == [10]
    assert world.waits == [1.0, 1.0, 1.0]
    assert len(world.mailer.configs) == 3


def test_only_those_who_may_leave_take_a_slot(world: World) -> None:
    world.put(make_row(), make_row("done@example.com", state=State.ACCEPTED))
    world.deliver(message(), message("done@example.com"))
    assert world.limiter.reserved == [1]


@pytest.mark.parametrize(
    ("slot", "due"),
    [
        (Slot(stopped="sending paused"), POSTPONE_SECONDS),
        (Slot(rate=1.0, starts_in=500.0), 500),
    ],
)
def test_a_slot_that_comes_too_late_postpones_without_a_claim(
    world: World, slot: Slot, due: int
) -> None:
    world.put(make_row())
    world.limiter.usual = slot
    (receipt,) = world.deliver(message())
    assert receipt.handling is Handling.ACKNOWLEDGE
    row = world.ledger.only()
    assert (row.state, row.attempt, row.due) == (State.PENDING, 0, NOW + due)
    assert world.mailer.sent == []
    assert world.waits == []


def pausing(world: World) -> Deliverer:
    """Return a worker during whose first wait a person pauses the campaign."""
    return replace(world.deliverer(), sleep=lambda _: world.campaigns.pause("spring", "enough"))


def test_a_pause_during_the_wait_for_a_slot_is_obeyed(world: World) -> None:
    world.put(make_row())
    world.limiter.usual = Slot(rate=1.0, starts_in=10.0)
    (receipt,) = pausing(world).deliver(
        [message()], owner="me", budget_seconds=BUDGET, lease_seconds=LEASE
    )
    assert receipt.event == "campaign_paused"
    assert world.mailer.sent == []


def test_a_pause_between_two_groups_withholds_the_rest(world: World) -> None:
    people = [make_row(f"user{n}@example.com") for n in range(4)]
    world.put(*people)
    world.limiter.usual = Slot(rate=2.0)
    receipts = pausing(world).deliver(
        [message(row.contact.email) for row in people],
        owner="me",
        budget_seconds=BUDGET,
        lease_seconds=LEASE,
    )
    assert [receipt.event for receipt in receipts] == ["accepted"] * 2 + ["retry"] * 2
    assert receipts[3].reason == "campaign_stopped"
    assert len(world.mailer.sent) == 2
    assert {row.tries for row in world.ledger.rows.values()} == {0}


def test_who_leaves_during_a_wait_between_two_groups_is_not_mailed(world: World) -> None:
    people = [make_row(f"user{n}@example.com") for n in range(4)]
    world.put(*people)
    world.limiter.usual = Slot(rate=1.0)

    def leave(seconds: float) -> None:
        world.wait(seconds * 3)
        world.ledger.suppressed[address_hash(HASH_KEY, "user3@example.com")] = "unsubscribed"

    receipts = replace(world.deliverer(), sleep=leave).deliver(
        [message(row.contact.email) for row in people],
        owner="me",
        budget_seconds=BUDGET,
        lease_seconds=LEASE,
    )
    assert [receipt.event for receipt in receipts] == ["accepted"] * 3 + ["retry"]
    assert "user3@example.com" not in world.mailer.to()
    assert world.deliver(message("user3@example.com"))[0].event == "suppressed"


@pytest.mark.parametrize("away", ["report", "reserve", "load", "read"])
def test_what_became_of_a_mail_is_written_though_something_is_away_behind_it(
    world: World, away: str
) -> None:
    """Else mails that were taken for certain would be unknown, and a person had to decide."""
    people = [make_row(f"user{n}@example.com") for n in range(4)]
    world.put(*people)
    world.limiter.usual = Slot(rate=2.0)
    world.mailer.script["user1@example.com"] = [SLOW]
    deliverer = world.deliverer()

    def refuse(*_: object, **__: object) -> None:
        raise StoreUnavailable("away")

    def fall_away() -> None:
        place = {"load": world.campaigns, "read": world.ledger}.get(away, world.limiter)
        setattr(place, away, refuse)

    world.mailer.during = fall_away
    receipts = replace(deliverer, sleep=lambda seconds: world.wait(seconds * 3)).deliver(
        [message(row.contact.email) for row in people],
        owner="me",
        budget_seconds=BUDGET,
        lease_seconds=LEASE,
    )
    taken = 3 if away == "reserve" else 1
    assert Counter(receipt.event for receipt in receipts) == {"accepted": taken, "retry": 4 - taken}
    assert len(set(world.mailer.to())) == len(world.mailer.sent)
    assert {row.tries for row in world.ledger.rows.values()} == {0}


def test_a_stop_withholds_the_groups_behind_it(world: World) -> None:
    people = [make_row(f"user{n}@example.com") for n in range(4)]
    world.put(*people)
    world.limiter.usual = Slot(rate=2.0)
    world.mailer.script["user0@example.com"] = [STOP]
    receipts = world.deliver(*(message(row.contact.email) for row in people))
    assert [receipt.event for receipt in receipts] == ["retry", "accepted", "retry", "retry"]
    assert len(world.mailer.sent) == 2


@pytest.mark.parametrize("state", [State.PENDING, State.RETRY])
def test_those_who_wait_in_a_cancelled_campaign_are_cancelled(world: World, state: State) -> None:
    world.campaigns.campaigns["spring"] = make_campaign(status=Status.CANCELLED)
    world.put(make_row(state=state))
    (receipt,) = world.deliver(message())
    assert (receipt.event, receipt.handling) == ("cancelled", Handling.ACKNOWLEDGE)
    assert world.mailer.sent == []


@pytest.mark.parametrize(
    "status",
    [status for status in Status if status not in (Status.RUNNING, Status.CANCELLED)],
)
def test_a_campaign_that_does_not_send_keeps_its_rows(world: World, status: Status) -> None:
    world.put(make_row(), make_row("bob@example.com", state=State.RETRY))
    world.campaigns.campaigns["spring"] = replace(
        world.campaigns.campaigns["spring"], status=status, reason="why"
    )
    receipts = world.deliver(message(), message("bob@example.com"))
    assert [receipt.event for receipt in receipts] == [f"campaign_{status}"] * 2
    assert [receipt.reason for receipt in receipts] == ["why"] * 2
    assert world.mailer.sent == []
    assert world.ledger.states() == {"pending": 1, "retry": 1}


def test_a_message_of_an_unknown_campaign_without_content_is_returned(world: World) -> None:
    (receipt,) = world.deliver(message(campaign_id="nobody"))
    assert (receipt.event, receipt.handling) == ("unknown_campaign", Handling.RETURN)
    assert world.ledger.rows == {}


def test_a_plain_message_brings_its_campaign_and_its_row(world: World) -> None:
    (receipt,) = world.deliver(message(campaign_id="walk_in", content=CONTENT))
    assert receipt.event == "accepted"
    campaign = world.campaigns.campaigns["walk_in"]
    assert (campaign.name, campaign.status, campaign.total) == ("Spring", Status.RUNNING, 1)
    assert campaign.content == CONTENT
    assert world.ledger.only().chunk == -1


def test_a_message_without_content_is_sent_once_another_of_its_batch_brought_it(
    world: World,
) -> None:
    receipts = world.deliver(
        message("a@example.com", "new", CONTENT), message("b@example.com", "new")
    )
    assert [receipt.event for receipt in receipts] == ["accepted", "accepted"]


def test_a_plain_message_of_a_known_campaign_is_counted_in(world: World) -> None:
    world.put(make_row())
    world.deliver(message("bob@example.com", content=CONTENT))
    assert world.campaigns.campaigns["spring"].total == 2


def test_another_content_in_the_same_campaign_is_the_one_that_is_sent(world: World) -> None:
    other = Content(
        subject="Other",
        body="Other {{ first_name }}",
        config=Config(email_service=Service.SMTP, from_email="other@example.com"),
    )
    world.deliver(
        message("a@example.com", content=CONTENT), message("b@example.com", content=other)
    )
    mails = {mail.to: mail for mail in world.mailer.sent}
    assert mails["a@example.com"].rendered.subject == "Hello Ada!"
    assert mails["b@example.com"].rendered.subject == "Other"
    assert mails["b@example.com"].config == other.config
    assert set(world.mailer.configs) == {CONFIG, other.config}


def test_another_content_is_remembered_for_the_next_try(world: World) -> None:
    other = replace(CONTENT, subject="Other")
    world.mailer.script["ada@example.com"] = [LATER]
    world.deliver(message(content=other))
    world.clock.advance(4_000)
    world.deliver(message())
    assert [mail.rendered.subject for mail in world.mailer.sent] == ["Other", "Other"]


def test_a_ledger_that_is_away_sends_nothing(world: World) -> None:
    world.put(make_row())
    world.ledger.unavailable = True
    with pytest.raises(StoreUnavailable):
        world.deliver(message())
    assert world.mailer.sent == []


def test_a_crash_after_the_send_leaves_a_claim_that_becomes_unknown(world: World) -> None:
    world.put(make_row())

    def crash() -> None:
        raise KeyboardInterrupt

    world.mailer.during = crash
    with pytest.raises(KeyboardInterrupt):
        world.deliver(message())
    world.mailer.during = lambda: None
    world.clock.advance(LEASE - 1)
    assert world.deliver(message())[0].event == "busy_sending"
    world.clock.advance(2)
    assert world.deliver(message())[0].event == "unknown"
    assert world.mailer.to() == ["ada@example.com"]


def test_receipts_are_in_the_order_of_the_messages(world: World) -> None:
    world.put(make_row("done@example.com", state=State.ACCEPTED))
    world.mailer.script["no@example.com"] = [NEVER]
    receipts = world.deliver(
        message("a@example.com", content=CONTENT),
        message("done@example.com"),
        message(campaign_id="nobody"),
        message("no@example.com", content=CONTENT),
    )
    assert [receipt.event for receipt in receipts] == [
        "accepted",
        "already_accepted",
        "unknown_campaign",
        "failed",
    ]


OUTCOMES = [accepted("id"), LATER, SLOW, NEVER, LOST]
ADDRESSES = [f"user{n}@example.com" for n in range(4)]
STEP = st.tuples(
    st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=5), st.integers(0, 2_000)
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(STEP, max_size=8),
    st.dictionaries(st.sampled_from(ADDRESSES), st.lists(st.sampled_from(OUTCOMES), max_size=6)),
)
def test_nobody_is_mailed_after_an_answer_that_is_no_refusal(
    steps: list[tuple[list[str], int]], script: dict[str, list[Outcome]]
) -> None:
    world = World(mailer=ScriptedMailer(script={name: list(one) for name, one in script.items()}))
    world.limiter.usual = Slot(rate=100.0, starts_in=1.0)
    for addresses, seconds in steps:
        world.deliver(*(message(address, content=CONTENT) for address in addresses))
        world.clock.advance(seconds)
        world.ledger.check_sums()
    for address in ADDRESSES:
        answers = [*script.get(address, []), *[accepted("id")] * 99]
        sent = world.mailer.to().count(address)
        refused = [answer.fate is Fate.LATER for answer in answers[: max(0, sent - 1)]]
        assert all(refused)
