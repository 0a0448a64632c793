"""The sweep's contract with the clock that wakes it: a report, one line, and no address in it."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber
from cloud import CAMPAIGNS, RECIPIENTS, Cloud, Context

from fakes import make_campaign, make_row
from sendmill.campaign import Status
from sendmill.errors import StoreUnavailable
from sendmill.ledger import SHARDS, State, claim, record
from sendmill.outcome import Fate, Outcome, accepted
from sendmill.store import (
    AccountStore,
    CampaignStore,
    RecipientStore,
    TimelineStore,
    WatermarkStore,
)
from sendmill.store.watermarks import SETTLE_SECONDS
from sendmill.sweep import Report

Load = Callable[[str], ModuleType]
REPORT = set(Report.__slots__)
SES = {
    "SendQuota": {"Max24HourSend": 50_000.0, "MaxSendRate": 100.0, "SentLast24Hours": 7.0},
    "SendingEnabled": True,
    "ProductionAccessEnabled": True,
    "EnforcementStatus": "HEALTHY",
}


@pytest.fixture
def environment(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, variable in (
        ("feedback", "FEEDBACK_QUEUE_URL"),
        ("feedback-dlq", "FEEDBACK_DLQ_URL"),
    ):
        monkeypatch.setenv(variable, cloud.sqs.create_queue(QueueName=name)["QueueUrl"])


@pytest.fixture
def sweep(load: Load, environment: None) -> ModuleType:
    return load("sweep")


@pytest.fixture
def ses_account(sweep: ModuleType) -> Iterator[Stubber]:
    """What SES says of the account, in order."""
    with Stubber(sweep.ses) as found:
        yield found
        found.assert_no_pending_responses()


@pytest.fixture
def book(cloud: Cloud) -> CampaignStore:
    """One campaign of a list that runs."""
    found = CampaignStore(cloud.dynamodb, CAMPAIGNS)
    found.add(make_campaign(list_id="list", created_at=int(time.time())))
    found.activate("spring")
    return found


@pytest.fixture
def rows(cloud: Cloud, book: CampaignStore) -> RecipientStore:
    return RecipientStore(cloud.dynamodb, RECIPIENTS, CAMPAIGNS)


def lines(log: io.StringIO, message: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in log.getvalue().splitlines()]
    return [line for line in found if line.get("message") == message]


def run(module: ModuleType) -> dict[str, Any]:
    event = {"source": "aws.scheduler"}
    answer: dict[str, Any] = module.handler(event, Context())
    assert json.loads(json.dumps(answer)) == answer
    return answer


def test_a_sweep_that_finds_nothing_answers_a_report_and_logs_one_line(
    sweep: ModuleType, ses_account: Stubber, log: io.StringIO
) -> None:
    ses_account.add_response("get_account", SES, {})
    report = run(sweep)
    assert set(report) == REPORT
    assert not any(report.values())
    (line,) = lines(log, "swept")
    assert {name: line[name] for name in REPORT} == report


def test_a_sweep_repairs_what_it_finds_and_names_nobody(
    sweep: ModuleType,
    ses_account: Stubber,
    log: io.StringIO,
    rows: RecipientStore,
    book: CampaignStore,
    cloud: Cloud,
) -> None:
    ses_account.add_response("get_account", SES, {})
    now = int(time.time())
    waiting = make_row("ada@example.com", due=now - 10)
    lost = make_row("bob@example.com", due=now - 10)
    done = make_row("eve@example.com", due=now - 10)
    rows.adopt([waiting, lost, done])
    claims = [claim(row, owner="w1", lease=now - 1, now=now - 900) for row in (lost, done)]
    assert rows.apply(claims, owner="w1") == [True, True]
    ended = record(claims[1].after, accepted("id-1"), now=now, jitter=0.5)
    assert rows.apply([ended], owner="w1") == [True]

    report = run(sweep)

    assert (report["expired"], report["requeued"], report["completed"]) == (1, 1, 0)
    assert book.counters("spring") == {"unknown": 1, "accepted": 1}
    (message,) = cloud.received("EMAIL")
    assert message == {
        "campaign_id": "spring",
        "contact": {"email": "ada@example.com", "first_name": "Ada"},
    }
    assert "@" not in log.getvalue()


def test_a_campaign_is_completed_and_forgotten(
    sweep: ModuleType, ses_account: Stubber, rows: RecipientStore, book: CampaignStore
) -> None:
    for _ in range(2):
        ses_account.add_response("get_account", SES, {})
    row = make_row()
    rows.adopt([row])
    step = claim(row, owner="w1", lease=0, now=0)
    rows.apply([step], owner="w1")
    rows.apply([record(step.after, accepted("id-1"), now=0, jitter=0.5)], owner="w1")
    assert run(sweep)["completed"] == 1
    found = book.get("spring")
    assert found is not None
    assert found.status is Status.COMPLETE
    assert list(book.active()) == []
    assert not any(run(sweep).values())


def test_how_far_a_running_campaign_has_come_is_noted_and_read_once(
    sweep: ModuleType, ses_account: Stubber, rows: RecipientStore, cloud: Cloud
) -> None:
    ses_account.add_response("get_account", SES, {})
    now = int(time.time())
    row, waiting = make_row("ada@example.com"), make_row("bob@example.com", due=now + 900)
    rows.adopt([row, waiting])
    step = claim(row, owner="w1", lease=now + 900, now=now)
    rows.apply([step], owner="w1")
    rows.apply([record(step.after, accepted("id-1"), now=now, jitter=0.5)], owner="w1")
    asked: list[bytes] = []
    events = sweep.dynamodb.meta.events
    events.register("before-call.dynamodb", lambda params, **_: asked.append(params["body"]))
    run(sweep)
    assert sum(b"C#spring" in body and b"META" in body for body in asked) == 1
    assert sum(b"C#spring" in body and b"CNT#" in body for body in asked) == 1
    (point,) = TimelineStore(cloud.dynamodb, CAMPAIGNS).points("spring")
    assert (point.accepted, point.failed) == (1, 0)
    assert point.at >= now


def test_progress_that_cannot_be_noted_stops_no_sweep(
    sweep: ModuleType, ses_account: Stubber, log: io.StringIO, book: CampaignStore
) -> None:
    ses_account.add_response("get_account", SES, {})

    def refuse(params: Any, **_: Any) -> None:
        if b"TL#" in params["body"]:
            raise EndpointConnectionError(endpoint_url="https://dynamodb")

    sweep.dynamodb.meta.events.register("before-call.dynamodb.PutItem", refuse)
    run(sweep)
    (line,) = lines(log, "progress_not_noted")
    assert line["level"] == "WARNING"
    assert lines(log, "swept")


@pytest.mark.parametrize("waiting", [0, 1])
def test_a_lost_answer_waits_for_events_that_wait(
    sweep: ModuleType,
    ses_account: Stubber,
    rows: RecipientStore,
    cloud: Cloud,
    waiting: int,
) -> None:
    ses_account.add_response("get_account", SES, {})
    now = int(time.time())
    row = make_row()
    rows.adopt([row])
    claimed = claim(row, owner="w1", lease=now - 1800, now=now - 3600)
    rows.apply([claimed], owner="w1")
    lost = record(
        claimed.after, Outcome(fate=Fate.UNKNOWN, reason="lost"), now=now - 3600, jitter=0.5
    )
    rows.apply([lost], owner="w1")
    marks = WatermarkStore(cloud.dynamodb, CAMPAIGNS)
    marks.advance("sendmill-test", sent_at=now - SETTLE_SECONDS, seen_at=now - SETTLE_SECONDS)
    for _ in range(waiting):
        cloud.sqs.send_message(QueueUrl=sweep.settings.feedback_queue_url, MessageBody="{}")
    report = run(sweep)
    assert (report["unknown"], report["resent"]) == (1, 1 - waiting)
    (found,) = rows.read([("spring", row.rid)], suppression_keys=[])[0].values()
    assert found.state is (State.UNKNOWN if waiting else State.RETRY)


def test_what_ses_says_of_the_account_is_kept_for_every_worker(
    sweep: ModuleType, ses_account: Stubber, cloud: Cloud
) -> None:
    ses_account.add_response("get_account", SES, {})
    before = int(time.time())
    run(sweep)
    account = AccountStore(cloud.dynamodb, CAMPAIGNS).load("us-east-1")
    assert (account.max_rate, account.daily_quota, account.sent_today) == (100.0, 50_000.0, 7.0)
    assert account.asked_at >= before


def test_ses_that_does_not_answer_stops_no_sweep(
    sweep: ModuleType, ses_account: Stubber, log: io.StringIO, rows: RecipientStore
) -> None:
    ses_account.add_client_error("get_account", "AccessDeniedException", http_status_code=403)
    rows.adopt([make_row(due=int(time.time()) - 10)])
    assert run(sweep)["requeued"] == 1
    (line,) = lines(log, "account_not_refreshed")
    assert line["level"] == "WARNING"


def test_a_ledger_that_is_away_fails_the_sweep_aloud(
    sweep: ModuleType,
    ses_account: Stubber,
    cloud: Cloud,
    log: io.StringIO,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ses_account.add_response("get_account", SES, {})
    cloud.dynamodb.delete_table(TableName=RECIPIENTS)
    with pytest.raises(StoreUnavailable):
        sweep.handler({}, Context())
    assert lines(log, "swept")[0]["skipped"] == SHARDS
    metrics = metric_units(capsys.readouterr().out)
    assert "SweepSkipped" in metrics
    # both alarm when they are missing
    assert not {"SweepHeartbeat", "SweepOldestOpenSeconds"} & set(metrics)


def metric_units(out: str) -> dict[str, str]:
    """Return the units of what was written in embedded metrics, by name."""
    return {
        one["Name"]: one["Unit"]
        for line in out.splitlines()
        if "_aws" in line
        for group in json.loads(line)["_aws"]["CloudWatchMetrics"]
        for one in group["Metrics"]
    }


def test_every_number_is_a_metric_beside_the_heartbeat(
    sweep: ModuleType, ses_account: Stubber, capsys: pytest.CaptureFixture[str]
) -> None:
    ses_account.add_response("get_account", SES, {})
    run(sweep)
    metrics = metric_units(capsys.readouterr().out)
    assert metrics["SweepHeartbeat"] == "Count"
    assert metrics["SweepOldestOpenSeconds"] == "Seconds"
    assert metrics["AccountQuotaUsedPercent"] == "Percent"
    assert metrics["AccountStopped"] == "Count"
    assert len(metrics) == len(REPORT) + 3


def test_the_brakes_limits_are_settings(
    load: Load, environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPUTATION", '{"bounce_pause": 0.1, "minimum": 50}')
    found = load("sweep").sweeper.reputation
    assert (found.bounce_pause, found.complaint_pause, found.minimum) == (0.1, 0.0008, 50)


def test_without_a_feedback_queue_no_event_is_ever_seen(
    load: Load, environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_QUEUE_URL", "")
    assert not load("sweep").stream().has_passed(0)
