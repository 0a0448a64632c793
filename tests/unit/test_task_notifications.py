"""A notification: whom it reaches, and what each answer of the provider comes to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from cloud import FILES, TASKS, Cloud

from fakes import CONFIG, HASH_KEY, NOW
from sendmill.campaign import Config
from sendmill.contact import address_hash, recipient_id
from sendmill.errors import InvalidContact, StoreUnavailable, UnsafeHeader
from sendmill.mail import Mail, mime_message
from sendmill.outcome import Fate, Outcome, accepted
from sendmill.tasks.builtin import send_email
from sendmill.tasks.builtin.email import Notifier
from sendmill.tasks.builtin.file_store import FileStore
from sendmill.tasks.builtin.letters import LetterTemplates
from sendmill.tasks.builtin.notification import Notification
from sendmill.tasks.builtin.people import (
    People,
    Person,
    UserId,
    register_user_lookup,
    unregister_user_lookup,
)
from sendmill.tasks.builtin.send_log import SendLog, Standing
from sendmill.tasks.context import TaskContext
from sendmill.tasks.errors import PermanentFailure, Retry, Skip

RUN = TaskContext(task_id="task-1", task="send_notification_email", message_id="m1", attempt=1)
TEMPLATES = {"hi.html": "<p>Hi {{ user.first_name|default:'you' }} {{ n }}</p>"}


@dataclass
class Provider:
    """Answer each mail with the next outcome, and keep the mails."""

    outcomes: list[Outcome] = field(default_factory=lambda: [accepted("id-1")])
    mails: list[Mail] = field(default_factory=list)

    def send(self, config: Config, mails: Sequence[Mail]) -> Sequence[Outcome]:
        assert config == CONFIG
        self.mails += mails
        return [self.outcomes.pop(0)]


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def log(cloud: Cloud) -> SendLog:
    return SendLog(client=cloud.dynamodb, table=TASKS, clock=lambda: float(NOW))


@pytest.fixture
def notifier(cloud: Cloud, provider: Provider, log: SendLog) -> Notifier:
    blocked = {
        address_hash(HASH_KEY, f"{why}@example.com"): why for why in ("bounced", "unsubscribed")
    }
    return Notifier(
        config=CONFIG,
        people=People(read=FileStore(client=cloud.s3, bucket=FILES).text),
        templates=LetterTemplates(sources=(TEMPLATES.get,)),
        suppressed=lambda key: blocked.get(key, ""),
        mailer=provider,
        log=log,
        hash_key=HASH_KEY,
    )


def notify(notifier: Notifier, run: TaskContext = RUN, **changes: Any) -> str:
    asked: dict[str, Any] = {
        "user_id": 5,
        "subject": "Welcome!",
        "template_name": "hi.html",
        "context": {"n": 1},
        "email": "ada@example.com",
    }
    return notifier.notify(run, Notification(**{**asked, **changes}))


def test_a_mail_carries_what_brings_its_bounce_back_to_the_address(
    notifier: Notifier, provider: Provider
) -> None:
    assert notify(notifier) == "id-1"
    (mail,) = provider.mails
    assert (mail.to, mail.rendered.subject) == ("ada@example.com", "Welcome!")
    assert mail.rendered.html == "<p>Hi you 1</p>"
    assert mail.campaign_id.startswith("task_")
    assert mail.rid == recipient_id(HASH_KEY, mail.campaign_id, "ada@example.com")
    assert mail.headers == (("Auto-Submitted", "auto-generated"),)


def test_a_user_id_is_looked_up_in_the_application_and_then_in_the_bucket(
    notifier: Notifier, provider: Provider, cloud: Cloud
) -> None:
    known = {7: Person(email="seven@example.com", fields={"first_name": "Seven"})}

    def lookup(user_id: UserId) -> Person | None:
        return known.get(user_id)  # type: ignore[call-overload,no-any-return]

    cloud.s3.put_object(
        Bucket=FILES,
        Key="users/8.json",
        Body=b'{"email": "eight@example.com", "first_name": "Eight"}',
    )
    provider.outcomes = [accepted(str(n)) for n in range(2)]
    register_user_lookup(lookup)
    try:
        for user_id in (7, 8):
            notify(notifier, replace(RUN, task_id=f"t{user_id}"), user_id=user_id, email="")
    finally:
        unregister_user_lookup(lookup)
    assert [(mail.to, mail.rendered.html) for mail in provider.mails] == [
        ("seven@example.com", "<p>Hi Seven 1</p>"),
        ("eight@example.com", "<p>Hi Eight 1</p>"),
    ]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"email": "", "user_id": 404}, PermanentFailure),
        ({"email": "", "user_id": "../report"}, PermanentFailure),
        ({"email": "no address"}, InvalidContact),
        ({"subject": "a\x00b"}, UnsafeHeader),
    ],
)
def test_what_cannot_be_mailed_is_not_handed_over(
    notifier: Notifier, provider: Provider, changes: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        notify(notifier, **changes)
    assert provider.mails == []


@pytest.mark.parametrize("text", ["no json", "[]", '{"email": 5}', "{}"])
def test_a_users_file_that_holds_no_address_is_refused(
    notifier: Notifier, cloud: Cloud, text: str
) -> None:
    cloud.s3.put_object(Bucket=FILES, Key="users/9.json", Body=text.encode())
    with pytest.raises(PermanentFailure, match="the file of user 9"):
        notify(notifier, user_id=9, email="")


def test_the_suppression_list_of_campaigns_holds_for_notifications(
    notifier: Notifier, provider: Provider
) -> None:
    for address in ("bounced@example.com", "Unsubscribed@example.com"):
        with pytest.raises(Skip, match="suppressed"):
            notify(notifier, email=address)
    with pytest.raises(Skip, match="suppressed: bounced"):
        notify(notifier, email="bounced@example.com", transactional=True)
    assert provider.mails == []
    notify(notifier, email="unsubscribed@example.com", transactional=True)
    assert len(provider.mails) == 1


@pytest.mark.parametrize(
    ("fate", "error"),
    [(Fate.LATER, Retry), (Fate.STOP, Retry), (Fate.NEVER, PermanentFailure)],
)
def test_what_was_certainly_not_taken_is_sent_when_the_task_comes_again(
    notifier: Notifier, provider: Provider, fate: Fate, error: type[Exception]
) -> None:
    provider.outcomes = [Outcome(fate=fate, reason="because"), accepted("id-2")]
    with pytest.raises(error, match="because"):
        notify(notifier)
    assert notify(notifier, replace(RUN, attempt=2)) == "id-2"


def test_a_lost_answer_is_not_sent_again_by_itself(notifier: Notifier, provider: Provider) -> None:
    provider.outcomes = [Outcome(fate=Fate.UNKNOWN, reason="answer_lost"), accepted("id-2")]
    with pytest.raises(PermanentFailure, match=r"unknown: .*answer_lost"):
        notify(notifier)
    # the same message once more: SQS delivers at least once
    with pytest.raises(PermanentFailure, match="unknown"):
        notify(notifier)
    assert len(provider.mails) == 1
    # sent a second time by its sender, under the same id
    with pytest.raises(PermanentFailure, match="unknown"):
        notify(notifier, replace(RUN, message_id="m2"))
    assert len(provider.mails) == 1
    # a person sent the dead letter back
    assert notify(notifier, replace(RUN, message_id="m2", redriven=True)) == "id-2"


def test_a_mail_that_a_killed_worker_may_have_handed_over_is_not_sent_again(
    notifier: Notifier, provider: Provider, log: SendLog
) -> None:
    assert log.begin(RUN.task_id, "m1", redriven=False) is Standing.FREE
    with pytest.raises(PermanentFailure, match="unknown: .*worker ended"):
        notify(notifier)
    assert provider.mails == []
    assert notify(notifier, replace(RUN, message_id="m2", redriven=True)) == "id-1"


def test_a_mail_that_was_taken_is_not_sent_again(notifier: Notifier, provider: Provider) -> None:
    notify(notifier)
    with pytest.raises(Skip, match="mailed already"):
        notify(notifier, replace(RUN, message_id="m2"))
    assert len(provider.mails) == 1


@dataclass(frozen=True, slots=True)
class LateLog(SendLog):
    """A log whose row another worker ends, right after it was read as ``sending``."""

    ends: Standing = Standing.SENT

    def begin(self, key: str, message_id: str, *, redriven: bool) -> Standing:
        """Return what stood before that end."""
        found = SendLog.begin(self, key, message_id, redriven=redriven)
        SendLog.end(self, key, self.ends)
        return found


@pytest.mark.parametrize(("ends", "error"), [(Standing.SENT, Skip), (Standing.FREE, Retry)])
def test_what_another_worker_ended_meanwhile_is_not_put_in_doubt(
    notifier: Notifier, provider: Provider, log: SendLog, ends: Standing, error: type[Exception]
) -> None:
    log.begin(RUN.task_id, "m1", redriven=False)
    late = LateLog(client=log.client, table=log.table, clock=log.clock, ends=ends)
    with pytest.raises(error):
        notify(replace(notifier, log=late))
    assert provider.mails == []


def test_two_tasks_of_one_key_are_one_mail(
    notifier: Notifier, provider: Provider, log: SendLog
) -> None:
    first = replace(RUN, key="welcome:5")
    # the worker of the first one died while it handed the mail over
    log.begin(log.key_of(first), "m1", redriven=False)
    with pytest.raises(PermanentFailure, match="unknown"):
        notify(notifier, replace(first, task_id="task-2", message_id="m2"))
    assert provider.mails == []
    assert notify(notifier, replace(first, message_id="m3", redriven=True)) == "id-1"


def test_a_row_by_the_id_of_a_task_still_holds(
    notifier: Notifier, provider: Provider, log: SendLog
) -> None:
    keyed = replace(RUN, key="welcome:5")
    log.begin(RUN.task_id, "m1", redriven=False)
    with pytest.raises(PermanentFailure, match="unknown"):
        notify(notifier, keyed)
    assert notify(notifier, replace(keyed, message_id="m2", redriven=True)) == "id-1"
    with pytest.raises(Skip, match="mailed already"):
        notify(notifier, keyed)
    assert len(provider.mails) == 1


def test_a_mail_that_was_taken_stays_so_whoever_ends_later(log: SendLog) -> None:
    log.begin("taken", "m1", redriven=False)
    assert log.end("taken", Standing.UNKNOWN) is Standing.UNKNOWN
    assert log.end("taken", Standing.SENT, "id-1") is Standing.SENT
    for late in (Standing.UNKNOWN, Standing.FREE):
        assert log.end("taken", late) is Standing.SENT
    assert log.begin("taken", "m2", redriven=True) is Standing.SENT


def test_two_who_begin_at_once_are_one_and_an_own_lost_answer_is_ours(
    log: SendLog, cloud: Cloud, lose_answers: Callable[[str], None]
) -> None:
    lose_answers("PutItem")
    assert log.begin("lost", "m1", redriven=False) is Standing.FREE
    assert log.begin("lost", "m1", redriven=False) is Standing.SENDING


def test_a_log_that_cannot_be_written_sends_nothing(
    notifier: Notifier, provider: Provider, log: SendLog
) -> None:
    broken = replace(notifier, log=replace(log, table="nowhere"))
    with pytest.raises(StoreUnavailable):
        notify(broken)
    assert provider.mails == []


@pytest.fixture
def lose_answers(cloud: Cloud) -> Callable[[str], None]:
    """A function that has the next answer of an operation lost, so that the SDK asks again."""

    def lose(operation: str) -> None:
        left = [1]

        def again(response: Any, **_: Any) -> int | None:
            return 0 if response is not None and left and left.pop() else None

        cloud.on_dynamodb(f"needs-retry.dynamodb.{operation}", again)

    return lose


RAW = b"From: desk@example.com\r\nTo: all@example.com\r\nSubject: Shift\r\n\r\nNight\r\n"


def forward(notifier: Notifier, to: str = "ada@example.com") -> str:
    return notifier.forward(RUN, to=to, raw=RAW, from_email="")


def test_a_whole_message_goes_out_as_it_was_written(notifier: Notifier, provider: Provider) -> None:
    assert forward(notifier) == "id-1"
    (mail,) = provider.mails
    assert (mail.to, mail.raw, mail.headers) == ("ada@example.com", RAW, ())
    assert mail.rid == recipient_id(HASH_KEY, mail.campaign_id, "ada@example.com")
    assert mime_message(mail, date="", domain="example.com") == RAW


def test_an_applications_mail_reaches_who_unsubscribed_and_nobody_who_bounced(
    notifier: Notifier, provider: Provider
) -> None:
    forward(notifier, "unsubscribed@example.com")
    with pytest.raises(Skip, match="bounced"):
        forward(notifier, "bounced@example.com")
    assert [mail.to for mail in provider.mails] == ["unsubscribed@example.com"]


def test_a_message_that_is_none_is_a_dead_letter() -> None:
    for mime in ("no base64!", ""):
        with pytest.raises(PermanentFailure, match="mime must"):
            send_email.function(to="ada@example.com", mime=mime)
