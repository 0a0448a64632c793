"""What people ask may be asked twice, and every refusal says what was wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

import pytest

from fakes import (
    CONTENT,
    NOW,
    Clock,
    MemoryCampaigns,
    MemoryLists,
    MemoryQueue,
    MemoryTimer,
    make_campaign,
)
from sendmill.campaign import OVER, STARTABLE, Content, Status, UnknownPolicy
from sendmill.dispatch import (
    CHUNK_SIZE,
    Job,
    Op,
    check_plan_of,
    parse_job,
    plan_of,
    shard_jobs,
)
from sendmill.errors import (
    InvalidCampaign,
    InvalidContactList,
    InvalidTemplate,
    NotFound,
    QueueUnavailable,
    StateConflict,
)
from sendmill.lifecycle import MIN_LATE_SECONDS, Office

FILE = b"email,first_name\nada@example.com,Ada\nnobody,N\nADA@example.com,A\nbob@example.com,Bob\n"


class World:
    def __init__(self, **campaign: Any) -> None:
        self.campaigns = MemoryCampaigns(make_campaign(**campaign))
        self.lists = MemoryLists()
        self.queue = MemoryQueue()
        self.timer = MemoryTimer()
        numbers = count(1)
        self.office = Office(
            lists=self.lists,
            campaigns=self.campaigns,
            queue=self.queue,
            timer=self.timer,
            clock=Clock(),
            new_id=lambda kind: f"{kind}_{next(numbers)}",
            default_from="default@example.com",
        )

    def jobs(self) -> list[Job]:
        return [parse_job(body) for body in self.queue.jobs]

    def status(self) -> Status:
        return self.campaigns.campaigns["spring"].status


def test_an_import_accounts_for_every_row() -> None:
    world = World()
    found = world.office.import_list(FILE, name="Members", created_by="someone")
    assert (found.rows, found.accepted, found.invalid, found.duplicates) == (4, 2, 1, 1)
    assert found.rows == found.accepted + found.invalid + found.duplicates
    assert (found.name, found.fields, found.created_at) == ("Members", ("first_name",), NOW)
    assert (found.parts, found.created_by) == (1, "someone")
    assert world.office.contact_list(found.id) == found
    assert [row.line for row in world.office.rejected_rows(found.id)] == [3, 4]
    assert [row.line for row in world.lists.read_part(found.id, 0)] == [2, 5]


def test_a_large_import_is_kept_in_parts_of_one_chunk() -> None:
    world = World()
    lines = "\n".join(f"user{n}@example.com" for n in range(CHUNK_SIZE + 1))
    found = world.office.import_list(f"email\n{lines}".encode(), name="")
    assert (found.parts, found.name) == (2, found.id)
    sizes = [len(world.lists.read_part(found.id, part)) for part in range(2)]
    assert sizes == [CHUNK_SIZE, 1]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"email\n", "at least one contact .got none"),
        (b"email\nnobody\nnothing\n", r"got 2 rows, all of them rejected; line 2: address"),
        (b"name\nAda\n", "one column must be named email"),
        (b"", "one column must be named email"),
        (b"email\nzo\x9d@example.com\n", "line 2: .*UTF-8"),
    ],
)
def test_a_file_without_a_contact_is_refused_and_no_list_stands(data: bytes, said: str) -> None:
    world = World()
    with pytest.raises(InvalidContactList, match=said):
        world.office.import_list(data, name="x")
    assert world.lists.found == {}


@pytest.mark.parametrize("ask", ["contact_list", "rejected_rows"])
def test_an_unknown_list_is_not_found(ask: str) -> None:
    with pytest.raises(NotFound, match="contact list nobody does not exist"):
        getattr(World().office, ask)("nobody")


@pytest.mark.parametrize("ask", ["campaign", "start", "pause", "resume", "cancel", "retry_failed"])
def test_an_unknown_campaign_is_not_found(ask: str) -> None:
    with pytest.raises(NotFound, match="campaign nobody does not exist"):
        getattr(World().office, ask)("nobody")


def request(list_id: str = "list_1", **changes: object) -> dict[str, Any]:
    plain = {
        "name": "Spring",
        "list_id": list_id,
        "subject": "Hello {{first_name}}",
        "body": "Dear {{first_name}}",
        "config": {"from_email": "noreply@example.com"},
    }
    return {name: value for name, value in {**plain, **changes}.items() if value is not ...}


def test_a_campaign_is_created_as_a_draft_with_the_numbers_of_its_list() -> None:
    world = World()
    world.office.import_list(FILE, name="Members")
    found = world.office.create_campaign(request(), created_by="someone")
    assert (found.status, found.name, found.list_id) == (Status.DRAFT, "Spring", "list_1")
    assert (found.rows, found.expected, found.invalid, found.duplicates) == (4, 2, 1, 1)
    assert (found.total, found.chunks, found.chunks_done) == (0, 1, 0)
    assert world.office.campaign(found.id) == found
    assert world.office.progress(found).states == {"pending": 2}


def test_the_default_sender_stands_in_for_none() -> None:
    world = World()
    world.office.import_list(FILE, name="Members")
    found = world.office.create_campaign(request(config=...))
    assert found.content.config.from_email == "default@example.com"


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"name": ...}, InvalidCampaign, "^name must"),
        ({"list_id": ...}, InvalidCampaign, "^list_id must be .*got None"),
        ({"list_id": 7}, InvalidCampaign, "^list_id must be .*got 7"),
        ({"list_id": "nobody"}, NotFound, "contact list nobody"),
        ({"subject": ...}, InvalidCampaign, "^subject must"),
        ({"body": ""}, InvalidCampaign, "^body must"),
        ({"config": {"email_service": "pigeon"}}, InvalidCampaign, "config.email_service"),
        ({"config": {"from_email": "nobody"}}, InvalidCampaign, "config.from_email"),
        ({"unknown_policy": "guess"}, InvalidCampaign, "unknown_policy must be one of auto, hold"),
        ({"unknown_policy": ["hold"]}, InvalidCampaign, "unknown_policy must be one of"),
        ({"body": "{% for a in b %}{% endfor %}"}, InvalidTemplate, "body, line 1: for"),
        ({"subject": "{{"}, InvalidTemplate, "subject"),
    ],
)
def test_a_campaign_that_cannot_be_sent_is_not_created(
    changes: dict[str, Any], error: type[Exception], said: str
) -> None:
    world = World()
    world.office.import_list(FILE, name="Members")
    with pytest.raises(error, match=said):
        world.office.create_campaign(request(**changes))
    assert set(world.campaigns.campaigns) == {"spring"}


def test_a_draft_is_started_once_and_planned() -> None:
    world = World(status=Status.DRAFT, chunks=3)
    assert world.office.start("spring").status is Status.PLANNING
    assert world.jobs() == [check_plan_of(world.campaigns.campaigns["spring"])]
    assert world.campaigns.active_ids == {"spring"}


def test_starting_twice_while_it_is_planned_only_asks_for_the_plan_again() -> None:
    world = World(status=Status.DRAFT, chunks=3)
    for _ in range(2):
        world.office.start("spring")
    assert {job.op for job in world.jobs()} == {Op.CHECK_PLAN}
    assert world.status() is Status.PLANNING


def test_starting_a_running_campaign_changes_nothing() -> None:
    world = World(status=Status.RUNNING)
    assert world.office.start("spring").status is Status.RUNNING
    assert world.queue.jobs == []


def test_a_start_that_died_before_the_job_was_queued_is_mended_by_starting_again() -> None:
    world = World(status=Status.DRAFT, chunks=3)
    world.queue.room = 0
    with pytest.raises(QueueUnavailable):
        world.office.start("spring")
    assert world.status() is Status.PLANNING
    world.queue.room = None
    world.office.start("spring")
    assert [job.op for job in world.jobs()] == [Op.CHECK_PLAN]


@pytest.mark.parametrize(
    ("ask", "status", "said"),
    [
        ("start", Status.PAUSED, "is paused, not a draft"),
        ("start", Status.CANCELLED, "is cancelled, not a draft"),
        ("start", Status.COMPLETE, "is complete, not a draft"),
        ("pause", Status.DRAFT, "is draft, not running"),
        ("pause", Status.PLANNING, "is planning, not running"),
        ("cancel", Status.COMPLETE, "is complete: it is over"),
        ("retry_failed", Status.DRAFT, "is draft: nothing to retry"),
        ("retry_failed", Status.CANCELLED, "is cancelled: nothing to retry"),
        ("pause", Status.COMPLETE, "is complete, not running"),
        ("resume", Status.DRAFT, "is draft, not paused"),
        ("resume", Status.PLANNING, "is planning, not paused"),
        ("resume", Status.CANCELLED, "is cancelled, not paused"),
    ],
)
def test_what_a_status_forbids_is_a_conflict_that_names_it(
    ask: str, status: Status, said: str
) -> None:
    world = World(status=status)
    with pytest.raises(StateConflict, match=f"campaign spring {said}"):
        getattr(world.office, ask)("spring")
    assert (world.status(), world.queue.jobs) == (status, [])


def test_a_pause_says_why_and_may_be_repeated() -> None:
    world = World(status=Status.RUNNING)
    for _ in range(2):
        found = world.office.pause("spring", reason="too early")
        assert (found.status, found.reason) == (Status.PAUSED, "too early")


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"accepted": 2}, "is complete, not running"),
        ({"accepted": 1, "unknown": 1}, "is complete_with_unknown, not running"),
    ],
)
def test_a_campaign_that_is_over_is_not_paused_before_the_sweep_has_seen_it(
    counts: dict[str, int], said: str
) -> None:
    world = World(status=Status.RUNNING, total=2, chunks=1, chunks_done=1)
    world.campaigns.counts["spring"] = Counter(counts)
    with pytest.raises(StateConflict, match=f"campaign spring {said}"):
        world.office.pause("spring")
    assert world.status() is Status.RUNNING
    world.campaigns.counts["spring"] = Counter(accepted=1)
    assert world.office.pause("spring").status is Status.PAUSED


def test_a_persons_pause_holds_where_the_daily_quota_had_paused_before() -> None:
    """Else the sweep would go on with the campaign as soon as there is quota."""
    world = World(status=Status.PAUSED, reason="daily_quota")
    found = world.office.pause("spring")
    assert (found.status, found.reason) == (Status.PAUSED, "paused by a person")


def test_a_pause_for_another_reason_keeps_it() -> None:
    world = World(status=Status.PAUSED, reason="reputation: 5.00% of 1000 mails bounced")
    assert world.office.pause("spring").reason.startswith("reputation")


def test_a_pause_for_bounces_that_comes_meanwhile_keeps_its_reason() -> None:
    """Else resume would not forgive those bounces, and the brake would stop it at once."""
    world = World(status=Status.PAUSED, reason="daily_quota")
    counters = world.campaigns.counters

    def brake_meanwhile(campaign_id: str) -> Mapping[str, int]:
        world.campaigns.campaigns["spring"] = make_campaign(
            status=Status.PAUSED, reason="reputation: 5.00% of 1000 mails bounced"
        )
        return counters(campaign_id)

    world.campaigns.counters = brake_meanwhile  # type: ignore[method-assign]
    assert world.office.pause("spring").reason.startswith("reputation")


def test_resume_puts_everybody_who_waits_on_the_queue_again() -> None:
    world = World(status=Status.PAUSED, reason="too early", chunks=2, chunks_done=2)
    found = world.office.resume("spring")
    assert (found.status, found.reason) == (Status.RUNNING, "")
    assert world.jobs() == shard_jobs(Op.REQUEUE, "spring")


def test_resume_forgives_only_what_the_brake_had_stopped() -> None:
    world = World(status=Status.PAUSED, reason="reputation: 10.00% of 500 bounced")
    world.campaigns.counts["spring"] = Counter({"accepted": 500, "bounced": 50})
    assert world.office.resume("spring").forgiven == {"accepted": 500, "bounced": 50}
    world.campaigns.campaigns["spring"] = make_campaign(status=Status.PAUSED, reason="by hand")
    assert world.office.resume("spring").forgiven == {}


def test_resume_plans_again_what_was_not_dispatched_yet() -> None:
    world = World(status=Status.PAUSED, chunks=2, chunks_done=1)
    found = world.office.resume("spring")
    assert world.jobs() == [plan_of(found), *shard_jobs(Op.REQUEUE, "spring")]


def test_a_resume_that_died_before_the_jobs_were_queued_is_mended_by_asking_again() -> None:
    world = World(status=Status.PAUSED)
    world.queue.room = 0
    with pytest.raises(QueueUnavailable):
        world.office.resume("spring")
    world.queue.room = None
    world.office.resume("spring")
    assert len(world.jobs()) == len(shard_jobs(Op.REQUEUE, "spring"))


def test_a_refused_campaign_is_checked_anew_when_it_is_started_again() -> None:
    world = World(status=Status.REFUSED, chunks=1)
    world.campaigns.add_chunks("spring", 0, 1)
    world.campaigns.check_chunk("spring", 0)
    assert world.office.start("spring").status is Status.PLANNING
    assert world.campaigns.campaigns["spring"].chunks_checked == 0


def test_a_campaign_is_scheduled_and_its_timer_set() -> None:
    world = World(status=Status.DRAFT)
    found = world.office.schedule("spring", start_at=NOW + 60, max_late_seconds=600)
    assert (found.status, found.start_at, found.start_by) == (
        Status.SCHEDULED,
        NOW + 60,
        NOW + 660,
    )
    (when, body) = world.timer.jobs["spring"]
    assert (when, parse_job(body)) == (NOW + 60, Job(op=Op.START, campaign_id="spring"))


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ({"start_at": NOW, "max_late_seconds": 600}, "start_at must be in the future"),
        (
            {"start_at": NOW + 60, "max_late_seconds": MIN_LATE_SECONDS - 1},
            "max_late_seconds must be at least",
        ),
    ],
)
def test_a_time_that_cannot_be_kept_is_refused(times: dict[str, int], said: str) -> None:
    world = World(status=Status.DRAFT)
    with pytest.raises(InvalidCampaign, match=said):
        world.office.schedule("spring", **times)
    assert (world.status(), world.timer.jobs) == (Status.DRAFT, {})


def test_a_running_campaign_cannot_be_scheduled_and_keeps_its_times() -> None:
    world = World(status=Status.RUNNING)
    with pytest.raises(StateConflict, match="is running, not a draft"):
        world.office.schedule("spring", start_at=NOW + 60, max_late_seconds=600)
    assert world.timer.jobs == {}
    campaign = world.campaigns.campaigns["spring"]
    assert (campaign.start_at, campaign.start_by) == (0, 0)


def test_starting_a_scheduled_campaign_by_hand_ignores_its_time() -> None:
    world = World(status=Status.DRAFT)
    world.office.schedule("spring", start_at=NOW + 60, max_late_seconds=600)
    assert world.office.start("spring").status is Status.PLANNING


@pytest.mark.parametrize("status", [one for one in Status if one not in OVER])
def test_a_campaign_is_cancelled_with_everybody_who_waits(status: Status) -> None:
    world = World(status=status)
    for _ in range(2):
        assert world.office.cancel("spring").status is Status.CANCELLED
    assert world.jobs() == shard_jobs(Op.CANCEL, "spring") * 2


@pytest.mark.parametrize(
    "status",
    [Status.COMPLETE, Status.COMPLETE_WITH_UNKNOWN, Status.RUNNING, Status.PAUSED],
)
def test_the_failed_and_the_unknown_are_settled_by_a_persons_word(status: Status) -> None:
    world = World(status=status)
    found = world.office.retry_failed("spring", reason="smtp_4")
    assert found.status is (Status.PAUSED if status is Status.PAUSED else Status.RUNNING)
    world.office.resolve_unknown("spring", how="fail")
    assert world.jobs() == [
        *shard_jobs(Op.RETRY_FAILED, "spring", "smtp_4", asked_at=NOW),
        *shard_jobs(Op.RESOLVE, "spring", "fail", asked_at=NOW),
    ]


def test_the_unknown_are_settled_by_no_other_word() -> None:
    with pytest.raises(InvalidCampaign, match="how must be resend or fail .got 'guess'"):
        World().office.resolve_unknown("spring", how="guess")


def test_a_campaign_says_what_becomes_of_a_lost_answer() -> None:
    world = World()
    world.office.import_list(FILE, name="Members")
    created = [
        world.office.create_campaign(request(unknown_policy=policy))
        for policy in (..., None, "auto", "hold", "resend")
    ]
    assert [found.unknown_policy for found in created] == [
        UnknownPolicy.AUTO,
        UnknownPolicy.AUTO,
        UnknownPolicy.AUTO,
        UnknownPolicy.HOLD,
        UnknownPolicy.RESEND,
    ]


def test_only_what_was_never_sent_can_be_started() -> None:
    for status in Status:
        world = World(status=status)
        if status in STARTABLE:
            assert world.office.start("spring").status is Status.PLANNING


def test_a_campaign_keeps_the_content_it_was_created_with() -> None:
    world = World()
    world.office.import_list(FILE, name="Members")
    found = world.office.create_campaign(request(subject=CONTENT.subject, body=CONTENT.body))
    assert found.content == CONTENT


def test_a_draft_takes_the_list_as_it_is_when_it_is_started_or_scheduled() -> None:
    for act in ("start", "schedule"):
        world = World()
        found = world.office.import_list(FILE, name="Members")
        campaign = world.office.create_campaign(request(found.id))
        world.lists.add(replace(found, revision=2, parts=3, accepted=1001, rows=1003))
        if act == "start":
            world.office.start(campaign.id)
        else:
            world.office.schedule(campaign.id, start_at=NOW + 600, max_late_seconds=600)
        pinned = world.office.campaign(campaign.id)
        assert (pinned.list_revision, pinned.chunks, pinned.expected) == (2, 3, 1001)
        if act == "start":
            assert world.jobs()[-1].last == 3
            world.lists.add(replace(found, revision=3, parts=4))
            world.office.start(campaign.id)  # asked twice: it keeps what it started with
            assert world.office.campaign(campaign.id).list_revision == 2


@pytest.mark.parametrize("act", ["start", "schedule"])
@pytest.mark.parametrize("what", ["content", "list", "nothing"])
def test_what_was_looked_at_is_started_and_nothing_else(act: str, what: str) -> None:
    """Checks ask SES and DNS, which takes a second; somebody may edit meanwhile."""
    world = World(status=Status.DRAFT, list_id="list_1", chunks=1)
    looked_at = world.office.campaign("spring")
    changes: dict[str, Any] = {
        "content": {"content": replace(CONTENT, body="Something else")},
        "list": {"list_revision": 1},
    }.get(what, {})
    world.campaigns.campaigns["spring"] = replace(looked_at, **changes)
    start = partial(world.office.start, "spring")
    if act == "schedule":
        start = partial(world.office.schedule, "spring", start_at=NOW + 600, max_late_seconds=600)
    if what == "nothing":
        assert start(looked_at=looked_at).status in (Status.PLANNING, Status.SCHEDULED)
        return
    with pytest.raises(StateConflict, match="changed while it was being started"):
        start(looked_at=looked_at)
    assert (world.status(), world.queue.jobs, world.timer.jobs) == (Status.REFUSED, [], {})


def test_a_scheduled_campaign_keeps_the_list_that_it_was_scheduled_with() -> None:
    world = World()
    found = world.office.import_list(FILE, name="Members")
    campaign = world.office.create_campaign(request(found.id))
    world.office.schedule(campaign.id, start_at=NOW + 600, max_late_seconds=600)
    world.lists.add(replace(found, revision=2, parts=3))
    world.office.pin_list(campaign.id)
    assert world.office.campaign(campaign.id).list_revision == 0
    assert world.office.start(campaign.id).list_revision == 0


def test_a_draft_whose_list_was_deleted_cannot_start() -> None:
    world = World()
    found = world.office.import_list(FILE, name="Members")
    campaign = world.office.create_campaign(request(found.id))
    del world.lists.found[found.id]
    with pytest.raises(NotFound, match="contact list"):
        world.office.start(campaign.id)
    assert world.office.campaign(campaign.id).status is Status.DRAFT


def test_a_campaign_is_not_made_of_what_the_trial_refuses() -> None:
    def refuse(content: Content) -> object:
        raise InvalidTemplate(f"too much: {content.subject}")

    world = World()
    found = world.office.import_list(FILE, name="Members")
    office = replace(world.office, trial=refuse)
    with pytest.raises(InvalidTemplate, match="too much: Hello"):
        office.create_campaign(request(found.id))
    assert set(world.campaigns.campaigns) == {"spring"}
