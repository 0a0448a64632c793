"""A Django project on the deployed stack: a view sends tasks, Lambda runs them, the result is seen.

The project is served over HTTP by its own process, under each release. Its tasks run in a Lambda
function that carries it, on a queue of its own; its mails leave through the deployed processor.
"""

from __future__ import annotations

import io
import json
import os
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from unit.test_task_pictures import encoded
from urllib3.filepost import encode_multipart_formdata

from integration.harness import eventually, free_port
from stack import Stack, local_environment

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "tests/django_project"
RELEASES = ("django52", "django61")
TOO_OLD = 3
# What the function reads of a package, beside English; all translations would be 20 MB.
SHIPPED = {".py", ".html", ".txt", ".json"}
LEFT_OUT = {"tests", "gis", "admindocs"}


@dataclass(frozen=True, kw_only=True)
class Site:
    """The project, served."""

    port: int
    database: Path
    queue_url: str
    queue_arn: str
    dead_letter_url: str
    environment: dict[str, str]

    def ask(
        self, path: str, files: Sequence[tuple[str, bytes]] = (), **form: str
    ) -> tuple[int, dict[str, Any]]:
        """Return status and JSON of a page; with a form it is posted."""
        fields = [*form.items(), *(("files", file) for file in files)]
        data, kind = encode_multipart_formdata(fields) if fields else (None, "text/plain")
        url, headers = f"http://127.0.0.1:{self.port}{path}", {"Content-Type": kind}
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data, headers)) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return rows of the project's database."""
        connection = sqlite3.connect(self.database)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()


@pytest.fixture(scope="module", params=RELEASES)
def packages(request: pytest.FixtureRequest) -> Path:
    """Return the folder of one release of Django."""
    command = [ROOT / "scripts/django.sh", "packages", str(request.param)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if found.returncode == TOO_OLD:
        pytest.skip(found.stderr.strip())
    assert found.returncode == 0, found.stderr
    return Path(found.stdout.strip())


@pytest.fixture(scope="module")
def site(stack: Stack, packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve the project on a free port, with a queue of its own and an empty database."""
    folder = tmp_path_factory.mktemp(packages.name)
    urls = [make_queue(stack, f"{packages.name}-dlq")]
    dead = arn_of(stack, urls[0])
    urls.append(make_queue(stack, packages.name, dead_letters=dead))
    environment = {
        **local_environment(stack.port),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{packages}:{PROJECT}",
        "PYTHONPYCACHEPREFIX": str(ROOT / "build/django/pycache"),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE": str(folder / "db.sqlite3"),
        "USE_ASYNC_TASKS": "True",
        "AWS_SQS_QUEUE_URL": urls[1],
        "AWS_SQS_DLQ_URL": urls[0],
        "AWS_SQS_REGION": stack.client("sqs").meta.region_name,
        "PROCESSOR_QUEUE_URL": stack.outputs["task_queue_url"],
        "TASK_FILES_BUCKET": stack.outputs["task_files_bucket"],
        "TASK_RESULTS": "dynamodb",
        "TASK_RECEIPTS_TABLE": stack.outputs["task_receipts_table"],
    }
    found = Site(
        port=free_port(),
        database=folder / "db.sqlite3",
        queue_url=urls[1],
        queue_arn=arn_of(stack, urls[1]),
        dead_letter_url=urls[0],
        environment=environment,
    )
    manage(found, "migrate", "--verbosity", "0")
    command = [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{found.port}"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log)
    try:
        eventually(lambda: serves(found), bool, seconds=60, what="the project is served")
        yield found
    finally:
        server.terminate()
        server.wait(10)
        for url in urls:
            stack.client("sqs").delete_queue(QueueUrl=url)


def manage(site: Site, *words: str) -> str:
    """Run a command of the project; return what it prints."""
    done = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=PROJECT,
        env=site.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def serves(site: Site) -> bool:
    try:
        return site.ask("/tasks/nobody/")[0] == 404
    except urllib.error.URLError:
        return False


def make_queue(stack: Stack, name: str, *, dead_letters: str = "") -> str:
    policy = json.dumps({"deadLetterTargetArn": dead_letters, "maxReceiveCount": 5})
    attributes = {"VisibilityTimeout": "360"} | ({"RedrivePolicy": policy} if dead_letters else {})
    made = stack.client("sqs").create_queue(QueueName=name, Attributes=attributes)
    return str(made["QueueUrl"])


def arn_of(stack: Stack, url: str) -> str:
    names = ["QueueArn"]
    found = stack.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)
    return str(found["Attributes"]["QueueArn"])


def waiting(stack: Stack, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = stack.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)
    return sum(int(found["Attributes"][name]) for name in names)


@pytest.fixture
def lambda_of_the_project(stack: Stack, site: Site, packages: Path) -> Iterator[Any]:
    """Return a function that has a Lambda with the project in it woken by the project's queue."""
    functions, made = stack.client("lambda"), []
    processor = functions.get_function_configuration(
        FunctionName=stack.outputs["function_names"]["task_processor"]
    )

    def create() -> None:
        kept = {k: v for k, v in site.environment.items() if k not in ("PATH", "PYTHONPATH")}
        functions.create_function(
            FunctionName=packages.name,
            Runtime=processor["Runtime"],
            Role=processor["Role"],
            Handler="sendmill.contrib.django.handler.lambda_handler",
            Code={"ZipFile": packed(packages, PROJECT, ROOT / "layers/sendmill/python")},
            Timeout=60,
            MemorySize=512,
            Environment={
                "Variables": {k: v for k, v in kept.items() if k[:4] != "AWS_" or "SQS" in k}
            },
        )
        mapping = functions.create_event_source_mapping(
            EventSourceArn=site.queue_arn,
            FunctionName=packages.name,
            BatchSize=10,
            FunctionResponseTypes=["ReportBatchItemFailures"],
        )
        made.append(mapping["UUID"])

    yield create
    for uuid in made:
        functions.delete_event_source_mapping(UUID=uuid)
        functions.delete_function(FunctionName=packages.name)


def packed(*folders: Path) -> bytes:
    """Return a zip of what a function reads of these folders."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                name = path.relative_to(folder)
                english = name.match("locale/en/LC_MESSAGES/django.mo")
                if (path.suffix in SHIPPED or english) and not LEFT_OUT & set(name.parts):
                    archive.write(path, name)
    return body.getvalue()


def test_a_view_sends_its_task_by_its_transaction_and_lambda_runs_it(
    stack: Stack, site: Site, lambda_of_the_project: Any
) -> None:
    status, _ = site.ask("/reports/", title="Gate 4", fail="1")
    assert status == 500
    assert waiting(stack, site.queue_url) == 0
    assert site.rows("SELECT * FROM guards_guardreport") == []

    status, answer = site.ask("/reports/", title="Night shift at gate 4")
    assert status == 201
    assert waiting(stack, site.queue_url) == 1
    task = f"/tasks/{answer['task']}/"
    assert site.ask(task)[1]["status"] == "READY"

    lambda_of_the_project()
    seen = eventually(
        lambda: site.ask(task)[1],
        lambda found: found["status"] in ("SUCCESSFUL", "FAILED"),
        seconds=90,
        what="the task has run",
    )
    assert seen == {"status": "SUCCESSFUL", "value": 5, "attempts": 1}
    assert site.rows("SELECT words, runs FROM guards_guardreport") == [(5, 1)]

    # the very same message once more, as SQS may deliver it: it runs no second time
    copy = {"v": 1, "id": answer["task"], "task": "guards.tasks.count_words", "args": [1]}
    stack.client("sqs").send_message(QueueUrl=site.queue_url, MessageBody=json.dumps(copy))
    eventually(lambda: waiting(stack, site.queue_url), lambda left: left == 0, what="handled")
    time.sleep(1)
    assert site.rows("SELECT runs FROM guards_guardreport") == [(1,)]
    assert waiting(stack, site.dead_letter_url) == 0


def test_mails_of_the_project_leave_through_the_processor(site: Site, mailbox: Stack) -> None:
    user, desk = (f"{who}-{uuid4().hex}@example.com" for who in ("guard", "desk"))
    made = f"""
from django.contrib.auth import get_user_model
print(get_user_model().objects.create_user("guard", "{user}").pk)
"""
    number = manage(site, "shell", "--command", made).split()[-1]
    mailbox.client("s3").put_object(
        Bucket=mailbox.outputs["task_files_bucket"],
        Key="templates/emails/welcome.html",
        Body=(PROJECT / "templates/emails/welcome.html").read_bytes(),
    )
    status, _ = site.ask("/reports/", title="Gate 4", fail="1", user=number, mail=desk)
    assert status == 500
    status, _ = site.ask("/reports/", title="Gate 7", user=number, mail=desk)
    assert status == 201

    def arrived() -> list[str]:
        found = [*mailbox.delivered(to=user), *mailbox.delivered(to=desk)]
        return sorted(str(one["subject"]) for one in found)

    subjects = eventually(arrived, lambda found: len(found) >= 2, what="both mails")
    assert subjects == ["Report", "Welcome!"]
    (letter,) = mailbox.mailbox("GET", f"/messages?to={user}&bodies=1")["messages"]
    assert "Hello Gate 7" in json.dumps(letter)


def test_a_guard_report_that_a_view_keeps_is_worked_off_and_its_supervisor_is_told(
    site: Site, mailbox: Stack
) -> None:
    boss = f"boss-{uuid4().hex}@example.com"
    pictures = [("gate.jpg", encoded("JPEG", (1600, 1200))), ("torn.jpg", encoded("JPEG")[:400])]
    status, _ = site.ask("/reports/", pictures, title="Gate 4", supervisor=boss, fail="1")
    assert status == 500
    status, kept = site.ask("/reports/", pictures, title="Gate 7", supervisor=boss)
    assert status == 201

    letters = eventually(lambda: mailbox.delivered(to=boss), bool, what="the supervisor's mail")
    assert [letter["subject"] for letter in letters] == [f"Report {kept['report']}: partial"]
    key = f"reports/{kept['report']}/result.json"
    bucket = mailbox.outputs["task_files_bucket"]
    result = json.load(mailbox.client("s3").get_object(Bucket=bucket, Key=key)["Body"])
    assert (result["task_id"], result["status"]) == (kept["worked"], "partial")
    assert [one["status"] for one in result["files"]] == ["done", "failed"]


def test_the_doctor_finds_the_deployed_queues_well(site: Site) -> None:
    said = manage(site, "tasks_doctor")
    assert "processor" in said
    assert "reports failures one by one" in said
    assert not [line for line in said.splitlines() if line.startswith("error")], said
