"""Which permission a call needs: the other half of the least-privilege test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from calls import Place, Recorder, needs

WHERE = "us-east-1:111111111111"
ROLE = "arn:aws:iam::111111111111:role/r"


def asked(
    service: str, method: str = "POST", target: str = "/", operation: str = "", said: Any = None
) -> set[str]:
    place = Place(service=service, region="us-east-1", account="111111111111")
    headers = {"x-amz-target": f"Prefix.{operation}"} if operation else {}
    body = b"" if said is None else json.dumps(said).encode()
    return {" on ".join(one) for one in needs(place, method, target, headers, body)}


def test_a_transaction_needs_each_of_its_parts() -> None:
    items = [{"Put": {"TableName": "t"}}, {"ConditionCheck": {"TableName": "u"}}]
    assert asked("dynamodb", operation="TransactWriteItems", said={"TransactItems": items}) == {
        f"dynamodb:PutItem on arn:aws:dynamodb:{WHERE}:table/t",
        f"dynamodb:ConditionCheckItem on arn:aws:dynamodb:{WHERE}:table/u",
    }


@pytest.mark.parametrize(
    ("operation", "said", "needed"),
    [
        ("Query", {"TableName": "t", "IndexName": "i"}, "dynamodb:Query on {0}:table/t/index/i"),
        ("GetItem", {"TableName": "t"}, "dynamodb:GetItem on {0}:table/t"),
        ("BatchGetItem", {"RequestItems": {"t": {}}}, "dynamodb:BatchGetItem on {0}:table/t"),
    ],
)
def test_a_table_and_its_index_are_two_resources(operation: str, said: Any, needed: str) -> None:
    where = f"arn:aws:dynamodb:{WHERE}"
    assert asked("dynamodb", operation=operation, said=said) == {needed.format(where)}


def test_a_batch_needs_the_permission_for_one() -> None:
    said = {"QueueUrl": "http://127.0.0.1:1/111111111111/q"}
    needed = {f"sqs:SendMessage on arn:aws:sqs:{WHERE}:q"}
    assert asked("sqs", operation="SendMessageBatch", said=said) == needed
    assert asked("sqs", operation="SendMessage", said=said) == needed


@pytest.mark.parametrize(
    ("method", "target", "needed"),
    [
        ("GET", "/b/a/k", "s3:GetObject on arn:aws:s3:::b/a/k"),
        ("PUT", "/b/k?partNumber=1&uploadId=u", "s3:PutObject on arn:aws:s3:::b/k"),
        ("POST", "/b/k?uploads=", "s3:PutObject on arn:aws:s3:::b/k"),
        ("DELETE", "/b/k?uploadId=u", "s3:AbortMultipartUpload on arn:aws:s3:::b/k"),
        ("DELETE", "/b/k", "s3:DeleteObject on arn:aws:s3:::b/k"),
        ("GET", "/b?list-type=2", "s3:ListBucket on arn:aws:s3:::b"),
    ],
)
def test_an_object_and_its_bucket_are_told_apart(method: str, target: str, needed: str) -> None:
    assert asked("s3", method, target) == {needed}


def test_many_objects_are_deleted_one_by_one_and_a_version_is_something_else() -> None:
    place = Place(service="s3", region="us-east-1", account="111111111111")
    body = (
        b"<Delete><Object><Key>a/1&amp;2</Key></Object>"
        b"<Object><Key>b/3</Key><VersionId>v</VersionId></Object></Delete>"
    )
    assert list(needs(place, "POST", "/b?delete=", {}, body)) == [
        ("s3:DeleteObject", "arn:aws:s3:::b/a/1&2"),
        ("s3:DeleteObjectVersion", "arn:aws:s3:::b/b/3"),
    ]


def test_raw_mail_needs_both_actions_on_identity_and_set() -> None:
    said = {"FromEmailAddress": "A <a@x.org>", "Content": {"Raw": {}}, "ConfigurationSetName": "s"}
    found = asked("ses", "POST", "/v2/email/outbound-emails", said=said)
    assert found == {
        f"ses:{action} on arn:aws:ses:{WHERE}:{resource}"
        for action in ("SendEmail", "SendRawEmail")
        for resource in ("identity/x.org", "configuration-set/s")
    }
    assert asked("ses", "GET", "/v2/email/account?") == {"ses:GetAccount on *"}


def test_a_schedule_passes_its_role_on() -> None:
    said = {"GroupName": "g", "Target": {"RoleArn": ROLE}}
    assert asked("scheduler", "POST", "/schedules/n?", said=said) == {
        f"scheduler:CreateSchedule on arn:aws:scheduler:{WHERE}:schedule/g/n",
        f"iam:PassRole on {ROLE}",
    }
    found = asked("scheduler", "DELETE", "/schedules/n?groupName=g")
    assert found == {f"scheduler:DeleteSchedule on arn:aws:scheduler:{WHERE}:schedule/g/n"}


def test_what_is_not_known_is_not_left_out() -> None:
    assert asked("kms", operation="Decrypt", said={}) == {"kms:Decrypt on *"}
    assert asked("unheard-of", "GET", "/x") == {"unheard-of:GET /x on *"}


def test_only_calls_of_functions_are_kept_and_each_once(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "calls")
    scope = "Credential=111111111111/20260101/us-east-1/sqs/aws4_request,"
    headers = {"authorization": scope, "x-amz-target": "AmazonSQS.SendMessage"}
    for token in ({}, {"x-amz-security-token": "function/f"}, {"x-amz-security-token": "other"}):
        for _ in range(2):
            recorder.note("POST", "/", {**headers, **token}, b'{"QueueUrl": "q"}')
    (line,) = (tmp_path / "calls").read_text().splitlines()
    assert json.loads(line) == {
        "function": "f",
        "action": "sqs:SendMessage",
        "resource": f"arn:aws:sqs:{WHERE}:q",
    }
