"""Queue one chunk of 500 recipients after the other, and print one line of JSON about it.

    python dispatching.py bare|queue|chunk --port N --seconds S

``bare`` calls SendMessageBatch with boto3 from as many threads as Sendmill uses; ``queue`` is
Sendmill's queue client; ``chunk`` is the whole job: read the list, write a row for each recipient,
queue a message for each, count the chunk in.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import one


def main() -> None:
    """Measure one of the three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["bare", "queue", "chunk"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=3)
    asked = parser.parse_args()
    os.environ.update(one.settings(asked.port))
    do = {"bare": bare, "queue": queue, "chunk": chunk}[asked.what]()
    do()
    rounds, cpu, begun = 0, time.process_time(), time.perf_counter()
    while time.perf_counter() - begun < asked.seconds:
        do()
        rounds += 1
    wall = time.perf_counter() - begun
    messages = rounds * _chunk_size()
    print(
        json.dumps({"messages": messages, "wall_s": wall, "cpu_s": time.process_time() - cpu}),
        flush=True,
    )


def bare() -> Callable[[], object]:
    """Send prepared batches."""
    from sendmill import aws

    sqs, url, bodies = aws.sqs(), os.environ["EMAIL_QUEUE_URL"], _bodies()
    batches = [bodies[at : at + 10] for at in range(0, len(bodies), 10)]
    pool = ThreadPoolExecutor(4)

    def send(batch: Sequence[str]) -> None:
        entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(batch)]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)  # type: ignore[arg-type]

    return lambda: list(pool.map(send, batches))


def queue() -> Callable[[], object]:
    """Send the same bodies as Sendmill does."""
    from sendmill import aws
    from sendmill.queue import QueueClient

    client, bodies = QueueClient(aws.sqs(), email_url=os.environ["EMAIL_QUEUE_URL"]), _bodies()
    return lambda: client.send_mails(bodies, group="bench")


def chunk() -> Callable[[], object]:
    """Do the job of one chunk."""
    import workload

    from sendmill import aws
    from sendmill.contact_list import Accepted
    from sendmill.dispatch import Dispatcher, Job, Op
    from sendmill.queue import QueueClient
    from sendmill.store import CampaignStore, RecipientStore

    part = [
        Accepted(contact=contact, line=n)
        for n, contact in enumerate(workload.contacts(_chunk_size()))
    ]

    class Lists:
        def read_part(
            self, list_id: str, part_number: int, revision: int = 0
        ) -> Sequence[Accepted]:
            return part

    dynamodb = aws.hot_dynamodb()
    dispatcher = Dispatcher(
        rows=RecipientStore(dynamodb, "recipients", "campaigns"),
        book=CampaignStore(dynamodb, "campaigns"),
        lists=Lists(),
        queues=QueueClient(aws.sqs(), email_url=os.environ["EMAIL_QUEUE_URL"]),
        hash_key=workload.HASH_KEY,
        clock=lambda: int(time.time()),
    )
    job = Job(op=Op.CHUNK, campaign_id=workload.CAMPAIGN_ID, first=0, last=1)
    return lambda: dispatcher.do(job)


def _chunk_size() -> int:
    from sendmill.dispatch import CHUNK_SIZE

    return CHUNK_SIZE


def _bodies() -> list[str]:
    import workload

    from sendmill.message import Message, message_body

    return [
        message_body(Message(campaign_id=workload.CAMPAIGN_ID, contact=contact))
        for contact in workload.contacts(_chunk_size())
    ]


if __name__ == "__main__":
    main()
