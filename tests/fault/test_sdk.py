"""Throttles, cancelled transactions, lost answers and half-taken batches, below the real SDK.

botocore's own retries run: faults are answers that its events put in place of the wire's. moto
stands behind them, in one thread, and knows no request token: a transaction sent twice is done
twice, and the store has to notice.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from functools import partial
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import EndpointConnectionError
from cloud import CAMPAIGNS, RECIPIENTS, Cloud

from fakes import HASH_KEY, Clock, MemoryLists, ScriptedMailer, make_campaign
from sendmill.campaign import Status
from sendmill.contact import Contact
from sendmill.contact_list import Accepted
from sendmill.delivery import Deliverer
from sendmill.dispatch import Dispatcher, Job, Op
from sendmill.errors import RetryableError
from sendmill.message import parse_message
from sendmill.queue import QueueClient
from sendmill.store import CampaignStore, RecipientStore

LONG = os.environ.get("FAULT") == "long"
PEOPLE = 500 if LONG else 60
CHUNK = 20
THROTTLED = b'{"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException"}'


class Body:
    """What botocore reads of an answer."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    def stream(self, **_: Any) -> Any:
        """Yield the answer in one piece."""
        yield self._text


class Faults:
    """Spoil calls by chance; what spoils them is counted."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.done: Counter[str] = Counter()

    def throttle(self, request: Any, **_: Any) -> AWSResponse | None:
        """Answer 20 % of the requests as DynamoDB does when it has enough."""
        if self.rng.random() > 0.2:
            return None
        self.done["throttled"] += 1
        headers = {"content-type": "application/x-amz-json-1.0"}
        return AWSResponse(request.url, 400, headers, Body(THROTTLED))

    def lose_answer(self, **_: Any) -> None:
        """Lose 10 % of the answers to transactions, which have been done."""
        if self.rng.random() < 0.1:
            self.done["answer lost"] += 1
            raise EndpointConnectionError(endpoint_url="lost")

    def take_half(self, parsed: Any, **_: Any) -> None:
        """Say of some entries that they were not taken, and of others nothing at all."""
        for entry in list(parsed.get("Successful", [])):
            roll = self.rng.random()
            if roll < 0.2:
                parsed["Successful"].remove(entry)
                self.done["not taken"] += 1
            if roll < 0.1:
                failed = {"Id": entry["Id"], "Code": "InternalError", "SenderFault": False}
                parsed.setdefault("Failed", []).append(failed)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(3 if LONG else 1))
def test_a_campaign_comes_through_whatever_the_sdk_reports(cloud: Cloud, seed: int) -> None:
    faults, clock, lists = Faults(seed), Clock(), MemoryLists()
    queue = QueueClient(
        cloud.sqs,
        dispatch_url=cloud.environment["DISPATCH_QUEUE_URL"],
        email_url=cloud.environment["EMAIL_QUEUE_URL"],
        sleep=lambda _: None,
    )
    rows = RecipientStore(cloud.dynamodb, RECIPIENTS, CAMPAIGNS, sleep=lambda _: None)
    book = CampaignStore(cloud.dynamodb, CAMPAIGNS, sleep=lambda _: None)
    people = [f"p{n}@example.com" for n in range(PEOPLE)]
    chunks = [people[at : at + CHUNK] for at in range(0, PEOPLE, CHUNK)]
    for n, part in enumerate(chunks):
        contacts = [Contact(email=one, fields={"first_name": "Ada"}) for one in part]
        lists.write_part("list", n, [Accepted(line=1, contact=one) for one in contacts])
    book.add(make_campaign(status=Status.RUNNING, list_id="list", chunks=len(chunks)))
    book.add_chunks("spring", 0, len(chunks))
    for n in range(len(chunks)):
        book.check_chunk("spring", n)

    cloud.on_dynamodb("after-call.dynamodb.TransactWriteItems", faults.lose_answer)
    cloud.dynamodb.meta.events.register_first("before-send.dynamodb", faults.throttle)
    cloud.sqs.meta.events.register("after-call.sqs.SendMessageBatch", faults.take_half)
    try:
        dispatcher = Dispatcher(
            rows=rows, book=book, lists=lists, queues=queue, hash_key=HASH_KEY, clock=clock
        )
        mailer = ScriptedMailer()
        deliverer = Deliverer(
            ledger=rows,
            campaigns=book,
            mailer=mailer,
            hash_key=HASH_KEY,
            clock=clock,
            jitter=lambda: 0.5,
            sleep=lambda _: None,
        )
        for n in range(len(chunks)):
            job = Job(op=Op.CHUNK, campaign_id="spring", first=n)
            _until_done(partial(dispatcher.do, job))
        turn = 0
        while bodies := cloud.received("EMAIL"):
            turn += 1
            messages = [parse_message(json.dumps(body)) for body in bodies]
            # a batch that could not be recorded comes back, and finds what stands
            deliver = partial(
                deliverer.deliver,
                messages,
                owner=f"owner-{turn}",
                budget_seconds=300,
                lease_seconds=330,
            )
            _until_done(deliver, tries=30)
    finally:
        cloud.dynamodb.meta.events.unregister("before-send.dynamodb", faults.throttle)
        cloud.sqs.meta.events.unregister("after-call.sqs.SendMessageBatch", faults.take_half)
        cloud.close()

    print(f"\n{PEOPLE} recipients: {dict(faults.done)}")
    assert min(faults.done[name] for name in ("throttled", "answer lost", "not taken")) > 0
    states = rows.count_states("spring")
    assert sum(states.values()) == PEOPLE
    counters = book.counters("spring")
    assert {name: count for name, count in states.items() if name != "pending"} == counters
    # a claim or a record whose answer was lost leaves the row claimed, which the sweep finds
    assert set(states) <= {"accepted", "sending"}
    assert max(Counter(mailer.to()).values()) == 1
    unsent = len(set(people) - set(mailer.to()))
    assert unsent <= states.get("sending", 0) < PEOPLE // 2
    campaign = book.get("spring")
    assert campaign is not None
    assert (campaign.total, campaign.chunks_done) == (PEOPLE, len(chunks))


def _until_done(do: Any, *, tries: int = 20) -> None:
    for _ in range(tries):
        try:
            do()
        except RetryableError:
            continue
        return
    raise AssertionError(f"not done in {tries} tries")
