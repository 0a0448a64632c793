"""A POST with an idempotency key is done once, and answered as often as it is sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from cloud import CAMPAIGNS, Cloud, Context

from sendmill.store import AnswerStore

Load = Callable[[str], ModuleType]
MakeEvent = Callable[[str], dict[str, Any]]
Ask = Callable[..., dict[str, Any]]
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
FILE = "email,first_name\nada@example.com,Ada\n"


@pytest.fixture
def api(load: Load) -> ModuleType:
    """The handler of the API."""
    return load("api")


@pytest.fixture
def ask(api: ModuleType, event: MakeEvent) -> Ask:
    """A function that posts a file with a key, as somebody."""

    def asked(key: str, body: str = FILE, name: str = "a", subject: str = "u1") -> dict[str, Any]:
        found = event("api_gateway_v2") | {"rawPath": "/v1/contact-lists", "body": body}
        found |= {"rawQueryString": f"name={name}", "queryStringParameters": {"name": name}}
        found["headers"] |= {"Idempotency-Key": key, "content-type": "text/csv"}
        found["requestContext"]["http"] |= {"method": "POST", "path": "/v1/contact-lists"}
        found["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] = subject
        answer: dict[str, Any] = api.handler(found, Context())
        return answer

    return asked


def lists(cloud: Cloud) -> list[str]:
    items = cloud.dynamodb.scan(TableName=CAMPAIGNS)["Items"]
    return [item["id"]["S"] for item in items if item["pk"]["S"].startswith("L#")]


def kept(cloud: Cloud) -> dict[str, Any]:
    items = cloud.dynamodb.scan(TableName=CAMPAIGNS)["Items"]
    (found,) = [item for item in items if item["pk"]["S"].startswith("IDEM#")]
    return dict(found)


def test_the_same_request_is_done_once_and_answered_alike(ask: Ask, cloud: Cloud) -> None:
    first, again = ask("k1"), ask("k1")
    assert (first["statusCode"], first["body"]) == (201, again["body"])
    assert again["statusCode"] == 201
    assert again["headers"]["Idempotent-Replayed"] == "true"
    assert again["headers"]["Content-Type"] == first["headers"]["Content-Type"]
    assert lists(cloud) == [json.loads(first["body"])["list_id"]]


def test_a_claim_whose_answer_was_lost_is_ours(cloud: Cloud) -> None:
    """The SDK asks again; what it finds then is what it wrote, and nobody else does the request."""

    class Lossy:
        def put_item(self, **asked: Any) -> Any:
            cloud.dynamodb.put_item(**asked)
            return cloud.dynamodb.put_item(**asked)

    client: Any = Lossy()
    assert AnswerStore(client, CAMPAIGNS).claim("k", "f").ours
    assert not AnswerStore(client, CAMPAIGNS).claim("k", "f").ours


def test_without_a_key_it_is_done_as_often_as_it_is_asked(ask: Ask, cloud: Cloud) -> None:
    ask("")
    ask("")
    assert len(lists(cloud)) == 2


@pytest.mark.parametrize("changes", [{"body": FILE + "x@example.com,X\n"}, {"name": "b"}])
def test_a_key_stands_for_one_request(ask: Ask, cloud: Cloud, changes: dict[str, str]) -> None:
    ask("k1")
    answer = ask("k1", **changes)
    assert answer["statusCode"] == 422
    assert "'k1' was used for another request" in json.loads(answer["body"])["detail"]
    assert len(lists(cloud)) == 1


def test_a_key_belongs_to_who_used_it(ask: Ask, cloud: Cloud) -> None:
    assert ask("k1")["statusCode"] == ask("k1", subject="u2")["statusCode"] == 201
    assert len(lists(cloud)) == 2


def test_a_refusal_is_answered_alike_too(ask: Ask) -> None:
    first, again = ask("k1", body="email\nnobody\n"), ask("k1", body="email\nnobody\n")
    assert first["statusCode"] == again["statusCode"] == 400
    assert first["body"] == again["body"]


def test_while_the_first_is_being_done_the_second_is_a_conflict(ask: Ask, cloud: Cloud) -> None:
    ask("k1")
    doing = {**kept(cloud), "st": {"S": "doing"}, "until": {"N": "4000000000"}}
    del doing["answer"]
    cloud.dynamodb.put_item(TableName=CAMPAIGNS, Item=doing)
    assert ask("k1")["statusCode"] == 409
    # whoever claimed it is dead by then
    cloud.dynamodb.put_item(TableName=CAMPAIGNS, Item={**doing, "until": {"N": "1"}})
    assert ask("k1")["statusCode"] == 201


def test_after_a_day_a_key_is_free_again(ask: Ask, cloud: Cloud) -> None:
    ask("k1")
    cloud.dynamodb.put_item(TableName=CAMPAIGNS, Item={**kept(cloud), "ttl": {"N": "1"}})
    assert "Idempotent-Replayed" not in ask("k1")["headers"]
    assert len(lists(cloud)) == 2


def test_what_failed_here_may_be_asked_again(ask: Ask, cloud: Cloud) -> None:
    cloud.s3.delete_bucket(Bucket="contacts")
    assert ask("k1")["statusCode"] == 503
    cloud.s3.create_bucket(Bucket="contacts")
    assert ask("k1")["statusCode"] == 201


def test_what_was_done_is_answered_though_the_answer_cannot_be_kept(
    api: ModuleType, ask: Ask, cloud: Cloud
) -> None:
    """An error would be followed by a repetition, which a minute later is done again."""

    def away(params: dict[str, Any], **_: Any) -> None:
        if params["Item"].get("st") == {"S": "done"}:
            raise EndpointConnectionError(endpoint_url="dynamodb")

    api.dynamodb.meta.events.register("provide-client-params.dynamodb.PutItem", away)
    answer = ask("k1")
    assert answer["statusCode"] == 201
    assert lists(cloud) == [json.loads(answer["body"])["list_id"]]
    assert ask("k1")["statusCode"] == 409


@pytest.mark.parametrize("key", ["x" * 256, "tab\tkey", "naïve"])
def test_a_key_that_is_none_is_named(ask: Ask, cloud: Cloud, key: str) -> None:
    answer = ask(key)
    assert answer["statusCode"] == 422
    assert json.loads(answer["body"])["errors"][0]["field"] == "Idempotency-Key"
    assert lists(cloud) == []
