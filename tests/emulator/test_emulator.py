"""The emulator as Sendmill uses it: started by its script on free ports, watched from outside."""

from __future__ import annotations

import contextlib
import email
import email.policy
import io
import json
import os
import re
import shutil
import smtplib
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from smtp_faults import MODES
from smtp_server import SmtpServer

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = "scripts/emulator.sh"
REGION = "us-gov-west-1"
SET = "emulator-test"
MOST_SECONDS = 60.0
PORTS: list[int] = []  # those that tests have used


@dataclass(frozen=True)
class Emulator:
    port: int
    ses_port: int

    def client(
        self, service: str, *, account: str = "000000000000", read_timeout: float = 20
    ) -> Any:
        """Return a client that makes exactly one attempt."""
        port = self.ses_port if service == "sesv2" else self.port
        session: Any = boto3.session.Session()
        return session.client(
            service,
            region_name=REGION,
            endpoint_url=f"http://127.0.0.1:{port}",
            aws_access_key_id=account,
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=read_timeout),
        )

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call the stand-in's control side; return its JSON, or its bytes."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ses_port}/_standin{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            content = answer.read()
            is_json = answer.headers["Content-Type"] == "application/json"
            return json.loads(content) if content and is_json else content


def run(command: str, port: int, **settings: str) -> Any:
    """Run scripts/emulator.sh on a port and the next one; return what it said."""
    environment = {
        **os.environ,
        "EMULATOR_PORT": str(port),
        "EMULATOR_SES_PORT": str(port + 1),
        "SENDMILL_CANARY": "must not be seen by functions",
        **settings,
    }
    return subprocess.run(
        [SCRIPT, command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180
    )


def free_port() -> int:
    """Return a port that is free and whose successor is free too."""
    for _ in range(50):
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            with contextlib.suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 1))
                PORTS.append(port)
                return port
    raise AssertionError("no two free ports in a row")


def processes_of(port: int) -> list[str]:
    """Return command lines that name this emulator's folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environment = path.with_name("environ").read_bytes().decode(errors="replace")
            if f"emulator-{port}/" in command + environment:
                found.append(command)
    return found


def eventually(probe: Callable[[], Any], *, seconds: float = MOST_SECONDS) -> Any:
    """Return the first true answer of the probe; fail when none comes."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := probe():
            return answer
        time.sleep(0.1)
    raise AssertionError(f"nothing after {seconds} s")


@pytest.fixture(scope="module", autouse=True)
def leave_nothing_behind() -> Iterator[None]:
    yield
    for port in PORTS:
        shutil.rmtree(ROOT / "build" / f"emulator-{port}", ignore_errors=True)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    port = free_port()
    started = run("up", port)
    assert started.returncode == 0, started.stderr
    yield Emulator(port=port, ses_port=port + 1)
    stopped = run("down", port)
    assert stopped.returncode == 0, stopped.stderr


@pytest.fixture
def ses(emulator: Emulator) -> Iterator[Any]:
    """SES with a verified domain and a configuration set, nothing in the mailbox, no faults."""
    emulator.control("DELETE", "/faults")
    emulator.control("PUT", "/events", {})
    emulator.control("DELETE", "/messages")
    client = emulator.client("sesv2")
    with contextlib.suppress(client.exceptions.AlreadyExistsException):
        client.create_email_identity(EmailIdentity="example.com")
    with contextlib.suppress(client.exceptions.AlreadyExistsException):
        client.create_configuration_set(ConfigurationSetName=SET)
    yield client
    emulator.control("DELETE", "/faults")


def send(client: Any, to: str = "user@example.org", **changes: Any) -> str:
    arguments = {
        "FromEmailAddress": "Example <noreply@example.com>",
        "Destination": {"ToAddresses": [to]},
        "ReplyToAddresses": ["help@example.com"],
        "Content": {
            "Simple": {
                "Subject": {"Data": "Grüße", "Charset": "UTF-8"},
                "Body": {
                    "Text": {"Data": "plain\ntext = ü", "Charset": "UTF-8"},
                    "Html": {"Data": "<p>hyper</p>", "Charset": "UTF-8"},
                },
                "Headers": [{"Name": "List-Unsubscribe", "Value": "<https://example.com/u>"}],
            }
        },
        "EmailTags": [{"Name": "campaign_id", "Value": "c1"}],
        "ConfigurationSetName": SET,
        **changes,
    }
    return str(client.send_email(**arguments)["MessageId"])


# The script.


def test_up_twice_is_fine(emulator: Emulator) -> None:
    again = run("up", emulator.port)
    assert again.returncode == 0
    assert "already up" in again.stdout


def test_up_with_other_settings_is_refused(emulator: Emulator) -> None:
    again = run("up", emulator.port, EMULATOR_AUTH="1")
    assert again.returncode == 1
    assert "already up" in again.stderr and "down" in again.stderr


@pytest.mark.parametrize("variable", ["EMULATOR_PORT", "EMULATOR_SES_PORT"])
def test_a_taken_port_is_refused_in_one_sentence(variable: str) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port if variable == "EMULATOR_PORT" else port + 1)):
        refused = run("up", port)
    taken = port if variable == "EMULATOR_PORT" else port + 1
    assert refused.returncode == 1
    assert refused.stderr == (
        f"emulator: port {taken} is taken by another program: stop it, "
        f"or set {variable} to a free port\n"
    )
    assert processes_of(port) == []


@pytest.mark.parametrize(
    ("command", "settings", "words"),
    [
        ("start", {}, "must be up, down, status or logs (got 'start')"),
        ("up", {"EMULATOR_PORT": "http"}, "EMULATOR_PORT must be a port"),
        ("up", {"EMULATOR": "moto"}, "EMULATOR must be embedded or localstack (got 'moto')"),
        ("up", {"EMULATOR": "localstack", "LOCALSTACK_AUTH_TOKEN": ""}, "emulator: "),
    ],
)
def test_a_wrong_call_says_what_is_right(
    command: str, settings: dict[str, str], words: str
) -> None:
    refused = run(command, free_port(), **settings)
    assert refused.returncode == 1
    assert words in refused.stderr and refused.stderr.count("\n") == 1


def test_everything_listens_on_loopback_only(emulator: Emulator) -> None:
    groups = {str(p["pid"]) for p in recorded(emulator.port)}
    inodes = set()
    for group in groups:
        for link in Path(f"/proc/{group}/fd").iterdir():
            with contextlib.suppress(OSError):
                if match := re.fullmatch(r"socket:\[(\d+)\]", str(link.readlink())):
                    inodes.add(match[1])
    listening = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            columns = line.split()
            if columns[9] in inodes and columns[3] == "0A":
                listening.append(columns[1])
    assert sorted(int(entry.split(":")[1], 16) for entry in listening) == [
        emulator.port,
        emulator.ses_port,
    ]
    assert {entry.split(":")[0] for entry in listening} == {"0100007F"}


def recorded(port: int) -> list[dict[str, Any]]:
    path = ROOT / "build" / f"emulator-{port}" / "processes.json"
    return list(json.loads(path.read_text()))


def test_down_ends_all_of_it_and_only_that() -> None:
    port = free_port()
    piped = subprocess.run(
        ["bash", "-c", f"{SCRIPT} up | cat"],  # hangs when a child keeps the pipe open
        cwd=ROOT,
        env={**os.environ, "EMULATOR_PORT": str(port), "EMULATOR_SES_PORT": str(port + 1)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "emulator: up" in piped.stdout, piped.stderr
    assert invoke(Emulator(port=port, ses_port=port + 1), "def handler(e, c): print(1)") is None
    assert len(processes_of(port)) == 3  # the emulator, the stand-in and one warm worker
    assert run("status", port).returncode == 0
    with subprocess.Popen(["sleep", "60"]) as bystander:
        entries = recorded(port)
        forged = {**entries[0], "pid": bystander.pid, "name": "forged"}
        record = ROOT / "build" / f"emulator-{port}" / "processes.json"
        record.write_text(json.dumps([*entries, forged]))
        down = run("down", port)
        assert bystander.poll() is None, "a process that is not ours was ended"
        bystander.kill()
    assert (down.returncode, down.stdout) == (0, f"emulator: down on port {port}\n")
    assert processes_of(port) == []
    assert not (ROOT / "build" / f"emulator-{port}" / "tmp").exists()
    assert run("status", port).returncode == 1
    assert "not running" in run("down", port).stdout


def invoke(
    emulator: Emulator, source: str, *, role: str = "arn:aws:iam::000000000000:role/probe"
) -> Any:
    """Run a one-file function; return what it returns."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("handler.py", source)
    functions, name = emulator.client("lambda"), f"probe-{uuid.uuid4().hex[:8]}"
    functions.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role,
        Handler="handler.handler",
        Code={"ZipFile": packed.getvalue()},
        Timeout=30,
    )
    answer = functions.invoke(FunctionName=name)
    body = json.loads(answer["Payload"].read() or "null")
    assert "FunctionError" not in answer, body
    return body


def test_functions_reach_the_stand_in_and_see_nothing_of_the_person(
    emulator: Emulator, ses: Any
) -> None:
    source = """
import boto3, os
def handler(event, context):
    print("probe")
    boto3.client("sesv2").send_email(
        FromEmailAddress="noreply@example.com",
        Destination={"ToAddresses": ["from-lambda@example.org"]},
        Content={"Simple": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}},
    )
    return sorted(os.environ)
"""
    names = set(invoke(emulator, source))
    found = emulator.control("GET", "/messages?to=from-lambda@example.org")
    assert found["count"] == 1
    assert found["messages"][0]["region"] == REGION
    assert not {"SENDMILL_CANARY", "SSH_AUTH_SOCK", "HTTPS_PROXY", "AWS_PROFILE"} & names


# The SES stand-in.


def test_a_mail_arrives_with_its_headers_and_tags(emulator: Emulator, ses: Any) -> None:
    message_id = send(ses)
    (found,) = emulator.control("GET", "/messages?to=user@example.org&tag.campaign_id=c1")[
        "messages"
    ]
    assert found["message_id"] == message_id
    assert found["tags"] == {"campaign_id": "c1"}
    assert found["configuration_set"] == SET
    raw = emulator.control("GET", f"/messages/{message_id}")
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert (mail["Subject"], mail["Reply-To"]) == ("Grüße", "help@example.com")
    assert mail["List-Unsubscribe"] == "<https://example.com/u>"
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None and text.get_content().splitlines() == ["plain", "text = ü"]
    assert html is not None and html.get_content().strip() == "<p>hyper</p>"
    folder = ROOT / "build" / f"emulator-{emulator.port}" / "mailbox"
    assert (folder / f"{message_id}.eml").read_bytes() == raw


def test_a_raw_mail_keeps_its_bytes(emulator: Emulator, ses: Any) -> None:
    data = b"From: noreply@example.com\r\nTo: raw@example.org\r\nSubject: x\r\n\r\nbody\r\n.\r\n"
    message_id = send(
        ses, Content={"Raw": {"Data": data}}, Destination={"ToAddresses": ["raw@example.org"]}
    )
    assert emulator.control("GET", f"/messages/{message_id}") == data


def test_an_unverified_sender_is_rejected_in_the_words_of_ses(ses: Any) -> None:
    with pytest.raises(ClientError) as refused:
        send(ses, FromEmailAddress="someone@elsewhere.example")
    error = refused.value.response["Error"]
    assert error["Code"] == "MessageRejected"
    assert error["Message"] == (
        "Email address is not verified. The following identities failed the check in region "
        "US-GOV-WEST-1: someone@elsewhere.example"
    )


def test_an_unknown_configuration_set_is_not_found(ses: Any) -> None:
    with pytest.raises(ses.exceptions.NotFoundException):
        send(ses, ConfigurationSetName="nowhere")


def test_events_reach_a_queue_through_sns(emulator: Emulator, ses: Any) -> None:
    queue = subscribe(emulator, ses)
    send(ses)
    send(ses, "bounce+7@simulator.amazonses.com")
    send(ses, "complaint@simulator.amazonses.com")
    ses.put_suppressed_destination(EmailAddress="Stop@example.org", Reason="COMPLAINT")
    send(ses, "stop@example.org")
    ses.delete_suppressed_destination(EmailAddress="stop@example.org")
    events = receive(emulator, queue, 9)
    kinds = sorted((e["eventType"], e["mail"]["destination"][0]) for e in events)
    assert kinds == [
        ("Bounce", "bounce+7@simulator.amazonses.com"),
        ("Bounce", "stop@example.org"),
        ("Complaint", "complaint@simulator.amazonses.com"),
        ("Delivery", "complaint@simulator.amazonses.com"),
        ("Delivery", "user@example.org"),
        ("Send", "bounce+7@simulator.amazonses.com"),
        ("Send", "complaint@simulator.amazonses.com"),
        ("Send", "stop@example.org"),
        ("Send", "user@example.org"),
    ]
    assert {e["mail"]["tags"]["campaign_id"][0] for e in events} == {"c1"}
    assert {e["mail"]["tags"]["ses:configuration-set"][0] for e in events} == {SET}
    subtypes = {
        e["mail"]["destination"][0]: e["bounce"]["bounceSubType"] for e in events if "bounce" in e
    }
    assert subtypes["stop@example.org"] == "OnAccountSuppressionList"


def subscribe(emulator: Emulator, ses: Any) -> str:
    """Route the configuration set's events to a new queue; return its URL."""
    name = f"events-{uuid.uuid4().hex[:8]}"
    sns, sqs = emulator.client("sns"), emulator.client("sqs")
    topic = sns.create_topic(Name=name)["TopicArn"]
    queue = str(sqs.create_queue(QueueName=name)["QueueUrl"])
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=f"arn:aws:sqs:{REGION}:000000000000:{name}",
        Attributes={"RawMessageDelivery": "true"},
    )
    for old in ses.get_configuration_set_event_destinations(ConfigurationSetName=SET).get(
        "EventDestinations", []
    ):
        ses.delete_configuration_set_event_destination(
            ConfigurationSetName=SET, EventDestinationName=old["Name"]
        )
    ses.create_configuration_set_event_destination(
        ConfigurationSetName=SET,
        EventDestinationName=name,
        EventDestination={
            "Enabled": True,
            "MatchingEventTypes": ["SEND", "DELIVERY", "BOUNCE", "COMPLAINT"],
            "SnsDestination": {"TopicArn": topic},
        },
    )
    emulator.control("PUT", "/account", {})  # forgets what the stand-in remembers of the set
    return queue


def receive(emulator: Emulator, queue: str, count: int) -> list[dict[str, Any]]:
    sqs = emulator.client("sqs")
    events: list[dict[str, Any]] = []
    deadline = time.monotonic() + MOST_SECONDS
    while len(events) < count and time.monotonic() < deadline:
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in answer.get("Messages", []):
            events.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    assert len(events) == count
    return events


@pytest.mark.parametrize(
    ("action", "code", "words"),
    [
        ("throttle", "TooManyRequestsException", "Maximum sending rate exceeded."),
        ("daily_quota", "TooManyRequestsException", "Daily message quota exceeded."),
        ("paused", "SendingPausedException", "paused"),
        ("account_suspended", "AccountSuspendedException", "suspended"),
        ("mail_from_not_verified", "MailFromDomainNotVerifiedException", "MAIL FROM"),
        ("not_verified", "MessageRejected", "is not verified"),
        ("server_error", "InternalFailure", "internal error"),
    ],
)
def test_a_fault_refuses_and_nothing_is_accepted(
    emulator: Emulator, ses: Any, action: str, code: str, words: str
) -> None:
    emulator.control("PUT", "/faults", {"rules": [{"match": {"times": 1}, "action": action}]})
    with pytest.raises(ClientError, match=words) as refused:
        send(ses)
    assert refused.value.response["Error"]["Code"] == code
    assert emulator.control("GET", "/stats")["accepted"] == 0
    assert send(ses)  # the rule is spent


def test_accept_then_hang_keeps_the_mail_of_a_caller_who_gives_up(
    emulator: Emulator, ses: Any
) -> None:
    emulator.control("PUT", "/faults", [{"action": "accept_then_hang"}])
    hasty = emulator.client("sesv2", read_timeout=0.5)
    with pytest.raises(ReadTimeoutError):
        send(hasty, "hung@example.org")
    eventually(lambda: emulator.control("GET", "/stats")["accepted"])
    stats = emulator.control("GET", "/stats")
    assert (stats["posts"], stats["accepted"]) == (1, 1)
    assert stats["per_recipient"] == {"hung@example.org": 1}
    eventually(lambda: emulator.control("GET", "/stats")["held"] == [])


def test_a_held_call_names_the_process_that_waits(emulator: Emulator, ses: Any) -> None:
    emulator.control("PUT", "/faults", [{"action": "accept_then_wait_for_kill"}])
    source = (
        "import boto3,sys;c=boto3.client('sesv2',region_name='us-gov-west-1',"
        "endpoint_url=sys.argv[1],aws_access_key_id='000000000000',aws_secret_access_key='test');"
        "c.send_email(FromEmailAddress='noreply@example.com',"
        "Destination={'ToAddresses':['killed@example.org']},"
        "Content={'Simple':{'Subject':{'Data':'s'},'Body':{'Text':{'Data':'t'}}}})"
    )
    python = str(ROOT / ".venv-emulator" / "bin" / "python")
    url = f"http://127.0.0.1:{emulator.ses_port}"
    with subprocess.Popen([python, "-c", source, url]) as worker:
        (held,) = eventually(lambda: emulator.control("GET", "/stats")["held"])
        assert held["peer_pid"] == worker.pid
        assert held["recipients"] == ["killed@example.org"]
        worker.kill()
    eventually(lambda: emulator.control("GET", "/stats")["held"] == [])
    found = emulator.control("GET", "/messages?to=killed@example.org")
    assert [m["message_id"] for m in found["messages"]] == [held["message_id"]]


@pytest.mark.parametrize(("action", "accepted"), [("drop", 0), ("accept_then_drop", 1)])
def test_a_dropped_connection_says_nothing(
    emulator: Emulator, ses: Any, action: str, accepted: int
) -> None:
    emulator.control("PUT", "/faults", [{"action": action}])
    with pytest.raises(ConnectionClosedError):
        send(ses)
    assert emulator.control("GET", "/stats")["accepted"] == accepted


def test_a_wrong_fault_is_refused_with_the_reason(emulator: Emulator) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        emulator.control("PUT", "/faults", [{"action": "explode"}])
    assert b"action must be one of" in refused.value.read()


def test_get_account_shows_the_limits_and_what_was_sent(emulator: Emulator, ses: Any) -> None:
    quota = {"Max24HourSend": 3.0, "MaxSendRate": 100.0}
    emulator.control("PUT", "/account", {"SendQuota": quota, "EnforceDailyQuota": True})
    try:
        for _ in range(3):
            send(ses)
        assert ses.get_account()["SendQuota"] == {**quota, "SentLast24Hours": 3.0}
        with pytest.raises(ClientError, match="Daily message quota exceeded"):
            send(ses)
    finally:
        emulator.control("PUT", "/account", {"EnforceDailyQuota": False})


def test_the_signature_is_checked_on_request(emulator: Emulator, ses: Any) -> None:
    emulator.control("PUT", "/account", {"VerifySecret": "test"})
    try:
        assert send(ses)
        emulator.control("PUT", "/account", {"VerifySecret": "another"})
        with pytest.raises(ClientError, match="does not match the signature"):
            send(ses)
    finally:
        emulator.control("PUT", "/account", {"VerifySecret": None})


def test_the_mailbox_page_escapes_what_mails_say(emulator: Emulator, ses: Any) -> None:
    simple = {
        "Subject": {"Data": "<script>alert(1)</script>"},
        "Body": {"Html": {"Data": "<script>alert(2)</script>"}},
    }
    message_id = send(ses, Content={"Simple": simple})
    page = emulator.control("GET", "/").decode()
    assert "&lt;script&gt;alert(1)" in page and "<script" not in page
    url = f"http://127.0.0.1:{emulator.ses_port}/_standin/messages/{message_id}/html"
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.headers["Content-Security-Policy"].startswith("sandbox;")


# The gaps of the emulator.


def test_dead_letters_move_back_to_where_they_came_from(emulator: Emulator) -> None:
    sqs = emulator.client("sqs")
    dead = sqs.create_queue(QueueName="moves-dlq")["QueueUrl"]
    dead_arn = f"arn:aws:sqs:{REGION}:000000000000:moves-dlq"
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1})
    source = sqs.create_queue(
        QueueName="moves", Attributes={"RedrivePolicy": redrive, "VisibilityTimeout": "0"}
    )["QueueUrl"]
    sent = {sqs.send_message(QueueUrl=source, MessageBody=str(n))["MessageId"] for n in range(3)}
    eventually(lambda: not sqs.receive_message(QueueUrl=source).get("Messages"))
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [source]
    sqs.start_message_move_task(SourceArn=dead_arn)
    (task,) = sqs.list_message_move_tasks(SourceArn=dead_arn)["Results"]
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 3)
    back = sqs.receive_message(QueueUrl=source, MaxNumberOfMessages=10)["Messages"]
    assert sorted(m["Body"] for m in back) == ["0", "1", "2"]
    assert not {m["MessageId"] for m in back} & sent  # SQS gives them new ids
    with pytest.raises(ClientError, match="Dead Letter Queue"):
        sqs.start_message_move_task(SourceArn=f"arn:aws:sqs:{REGION}:000000000000:moves")


def test_an_alarm_on_one_queue_ignores_the_other(emulator: Emulator) -> None:
    sqs, watch = emulator.client("sqs"), emulator.client("cloudwatch")
    for name in ("deep", "empty"):
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        watch.put_metric_alarm(
            AlarmName=name,
            Namespace="AWS/SQS",
            MetricName="ApproximateNumberOfMessagesVisible",
            Dimensions=[{"Name": "QueueName", "Value": name}],
            Statistic="Maximum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=0,
            ComparisonOperator="GreaterThanThreshold",
        )
        if name == "deep":
            sqs.send_message(QueueUrl=url, MessageBody="x")

    def states() -> dict[str, str]:
        alarms = watch.describe_alarms(AlarmNames=["deep", "empty"])["MetricAlarms"]
        return {alarm["AlarmName"]: alarm["StateValue"] for alarm in alarms}

    eventually(lambda: states() == {"deep": "ALARM", "empty": "OK"})
    metrics = watch.list_metrics(
        Namespace="AWS/SQS", Dimensions=[{"Name": "QueueName", "Value": "deep"}]
    )
    assert "ApproximateAgeOfOldestMessage" in {m["MetricName"] for m in metrics["Metrics"]}


def test_alarms_in_xml_are_complete(emulator: Emulator) -> None:
    watch = emulator.client("cloudwatch")
    watch.put_metric_alarm(
        AlarmName="whole",
        Namespace="N",
        MetricName="m",
        Dimensions=[{"Name": "A", "Value": "b"}],
        Statistic="Sum",
        Period=300,
        EvaluationPeriods=2,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=["arn:aws:sns:us-gov-west-1:000000000000:t"],
        TreatMissingData="notBreaching",
    )
    scope = f"000000000000/20260101/{REGION}/monitoring/aws4_request"
    request = urllib.request.Request(
        f"http://127.0.0.1:{emulator.port}/",
        data=b"Action=DescribeAlarms&Version=2010-08-01&AlarmNames.member.1=whole",
        headers={
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, "
            f"Signature={'0' * 64}",
            "Content-Type": "application/x-www-form-urlencoded",
        },
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        xml = answer.read().decode()
    for expected in (
        "<Period>300</Period>",
        "<Statistic>Sum</Statistic>",
        "<Dimensions><member><Name>A</Name><Value>b</Value></member></Dimensions>",
        "<AlarmActions><member>arn:aws:sns:us-gov-west-1:000000000000:t</member></AlarmActions>",
        "<TreatMissingData>notBreaching</TreatMissingData>",
    ):
        assert expected in xml


def test_a_jwt_authorizer_has_no_request_settings(emulator: Emulator) -> None:
    gateway = emulator.client("apigatewayv2")
    api = gateway.create_api(Name="probe", ProtocolType="HTTP")["ApiId"]
    created = gateway.create_authorizer(
        ApiId=api,
        Name="jwt",
        AuthorizerType="JWT",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": "https://issuer.example", "Audience": ["a"]},
    )
    shown = gateway.get_authorizer(ApiId=api, AuthorizerId=created["AuthorizerId"])
    assert "AuthorizerPayloadFormatVersion" not in shown
    assert "AuthorizerPayloadFormatVersion" not in created


def test_identity_settings_are_read_back(emulator: Emulator, ses: Any) -> None:
    ses.put_email_identity_mail_from_attributes(
        EmailIdentity="example.com",
        MailFromDomain="mail.example.com",
        BehaviorOnMxFailure="REJECT_MESSAGE",
    )
    ses.put_email_identity_configuration_set_attributes(
        EmailIdentity="example.com", ConfigurationSetName=SET
    )
    ses.put_account_suppression_attributes(SuppressedReasons=["BOUNCE"])
    identity = ses.get_email_identity(EmailIdentity="example.com")
    assert identity["MailFromAttributes"] == {
        "MailFromDomain": "mail.example.com",
        "MailFromDomainStatus": "SUCCESS",
        "BehaviorOnMxFailure": "REJECT_MESSAGE",
    }
    assert identity["ConfigurationSetName"] == SET
    assert ses.get_account()["SuppressionAttributes"] == {"SuppressedReasons": ["BOUNCE"]}


# The SMTP server.


@pytest.fixture
def smtp(tmp_path: Path) -> Iterator[SmtpServer]:
    with SmtpServer(user="sender", password="right", folder=tmp_path) as server:
        yield server


def mail(
    server: SmtpServer, *, password: str = "right", tls: bool = True, seconds: float = 30
) -> None:
    """Send one mail the plain way; raise what smtplib raises."""
    with smtplib.SMTP("127.0.0.1", server.port, timeout=seconds) as client:
        if tls:
            client.starttls(context=ssl.create_default_context(cafile=str(server.authority)))
            client.login("sender", password)
        client.sendmail("n@example.com", ["u@example.org"], "Subject: x\r\n\r\n.dot\r\nbody\r\n")


def test_smtp_wants_tls_and_the_right_password(smtp: SmtpServer) -> None:
    with pytest.raises(smtplib.SMTPSenderRefused, match="STARTTLS"):
        mail(smtp, tls=False)
    with pytest.raises(smtplib.SMTPAuthenticationError):
        mail(smtp, password="wrong")
    mail(smtp)
    (kept,) = smtp.mails
    assert kept.data == b"Subject: x\r\n\r\n.dot\r\nbody\r\n"
    assert (kept.user, kept.recipients) == ("sender", ("u@example.org",))
    assert smtp.stats()["connections"] == 3


@pytest.mark.parametrize("mode", sorted(MODES))
def test_smtp_fails_in_each_mode_and_keeps_what_it_took(smtp: SmtpServer, mode: str) -> None:
    smtp.faults.replace([{"mode": mode}])
    with pytest.raises((smtplib.SMTPException, OSError)) as failed:
        mail(smtp, seconds=2 if "hang" in MODES[mode]["do"] else 30)
    lost = ("drop_after_dot", "hang_after_dot")  # only there the mail is taken all the same
    assert len(smtp.mails) == (1 if mode in lost else 0)
    is_reply = MODES[mode]["do"] == "reply"
    assert isinstance(failed.value, smtplib.SMTPServerDisconnected | TimeoutError) != is_reply
    if mode == "greylist":
        mail(smtp)  # the same recipient passes the second time
    smtp.faults.rules = []
    mail(smtp)


# The emulator with IAM switched on.

SENDER = """
import boto3
def handler(event, context):
    print("probe")
    client = boto3.client("sesv2")
    try:
        return client.send_email(
            FromEmailAddress="noreply@example.com",
            Destination={"ToAddresses": ["role@example.org"]},
            Content={"Simple": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}},
        )["MessageId"]
    except client.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
"""


def test_with_auth_only_a_role_that_may_send_sends() -> None:
    port = free_port()
    # keys that tell functions apart, as the recorder gives them, are keys that IAM does not know
    started = run("up", port, EMULATOR_AUTH="1", EMULATOR_RECORD="0")
    assert started.returncode == 0, started.stderr
    try:
        guarded = Emulator(port=port, ses_port=port + 1)
        guarded.client("sesv2").create_email_identity(EmailIdentity="example.com")
        role = create_role(guarded, "probe")
        denied = invoke(guarded, SENDER, role=role)
        assert denied == "AccessDeniedException"
        statement = {"Effect": "Allow", "Action": "ses:SendEmail", "Resource": "*"}
        guarded.client("iam").put_role_policy(
            RoleName="probe",
            PolicyName="send",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )
        sent = invoke(guarded, SENDER, role=role)
        (found,) = guarded.control("GET", "/messages")["messages"]
        assert (found["message_id"], found["account"]) == (sent, "000000000000")
    finally:
        run("down", port)


def create_role(emulator: Emulator, name: str) -> str:
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    created = emulator.client("iam").create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    return str(created["Role"]["Arn"])


def test_a_schedule_asked_for_twice_with_one_token_is_made_once(emulator: Emulator) -> None:
    scheduler = emulator.client("scheduler")
    wanted = {
        "Name": f"twice-{uuid.uuid4().hex[:8]}",
        "ScheduleExpression": "rate(1 hour)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            "Arn": f"arn:aws:sqs:{REGION}:000000000000:none",
            "RoleArn": "arn:aws:iam::000000000000:role/none",
        },
        "State": "DISABLED",
    }
    token = uuid.uuid4().hex
    first = scheduler.create_schedule(**wanted, ClientToken=token)
    again = scheduler.create_schedule(**wanted, ClientToken=token)
    assert again["ScheduleArn"] == first["ScheduleArn"]
    with pytest.raises(ClientError, match="ConflictException"):
        scheduler.create_schedule(**wanted, ClientToken=uuid.uuid4().hex)
