"""Answer as SES v2, DynamoDB, SQS and Secrets Manager do, after a delay that is set from outside.

A process of its own, so that its CPU is nobody's; it prints its port. It keeps what PutItem brings
and gives it back; a transaction is answered but changes nothing, so that the same rows can be sent
for ever. It checks no signature: what is measured is the caller. Query answers with made-up rows,
so many in all 16 partitions of a campaign, each like the row that was put last: a page costs it the
same wherever it begins.

    python sink.py [--port 0] [--certificate FILE --key FILE] [--ses SECONDS] [--aws SECONDS]
                   [--rows N]

    POST /_bench/delay    {"ses": seconds, "aws": seconds}
    GET  /_bench/counts   requests by kind
    GET  /_bench/recent   the last bodies of each kind
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import ssl
import zlib
from collections import Counter, defaultdict, deque
from pathlib import Path
from typing import Any

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_TARGET = re.compile(rb"\r\nx-amz-target: *\w+\.(\w+)", re.IGNORECASE)
_SET = re.compile(r"(#?\w+) = (:\w+)")
_RATE = re.compile(r"\btat\b")
_COUNT = re.compile(r"(#?\w+) = if_not_exists\(\1, :zero\) \+ :one")
_ADD = re.compile(r"(#?\w+) (:\w+)")
SECRETS = {"hash": "0123456789abcdef0123456789abcdef", "username": "u", "password": "p"}
ACCOUNT = {
    "EnforcementStatus": "HEALTHY",
    "ProductionAccessEnabled": True,
    "SendingEnabled": True,
    "SendQuota": {"Max24HourSend": 1e9, "MaxSendRate": 1e6, "SentLast24Hours": 0.0},
}

KEPT = 32
PARTITIONS = 16
_DIGITS = str.maketrans("0123456789", "abcdefghij")
_LETTERS = str.maketrans("abcdefghij", "0123456789")

Item = dict[str, dict[str, str]]
Answer = tuple[int, str]


class Sink:
    """Hold what is shared by all connections."""

    def __init__(self, delay: dict[str, float], rows: int = 0) -> None:
        self.delay = delay
        self._rows = rows // PARTITIONS
        self.counts: Counter[str] = Counter()
        self.recent: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=KEPT))
        self._items: dict[tuple[str, str, str], Item] = {}
        self._answers = {
            "PutItem": self._put_item,
            "GetItem": self._get_item,
            "UpdateItem": self._update_item,
            "BatchGetItem": self._batch_get_item,
            "Query": self._query,
            "SendMessage": self._send_message,
            "SendMessageBatch": self._send_message_batch,
            "GetSecretValue": self._get_secret_value,
        }

    def answer(self, head: bytes, body: bytes) -> tuple[bytes, float]:
        """Return the bytes of an answer and how long it is to be held back."""
        if head.startswith(b"POST /v2/email/outbound-emails"):
            self.counts["SendEmail"] += 1
            number = self.counts["SendEmail"]
            return _http(200, b'{"MessageId":"0100018c%020d-000000"}' % number), self.delay["ses"]
        if head.startswith((b"GET /_bench", b"POST /_bench")):
            return _http(200, json.dumps(self._control(head, body)).encode()), 0.0
        if head.startswith(b"GET /v2/email/account"):
            return _http(200, json.dumps(ACCOUNT).encode()), 0.0
        found = _TARGET.search(head)
        name = found[1].decode() if found else "unknown"
        self.counts[name] += 1
        self.recent[name].append(body.decode())
        make = self._answers.get(name)
        status, said = make(body) if make else (200, "{}")
        delay = 0.0 if name == "GetSecretValue" else self.delay["aws"]
        return _http(status, said.encode()), delay

    def _put_item(self, body: bytes) -> Answer:
        asked = json.loads(body)
        self._items[_key(asked["TableName"], asked["Item"])] = asked["Item"]
        return 200, "{}"

    def _get_item(self, body: bytes) -> Answer:
        asked = json.loads(body)
        item = self._items.get(_key(asked["TableName"], asked["Key"]))
        return 200, _dumps({"Item": item} if item else {})

    def _update_item(self, body: bytes) -> Answer:
        """Know the one condition that the hot path meets: whether the rate is taken by now."""
        asked = json.loads(body)
        values = asked.get("ExpressionAttributeValues", {})
        names = asked.get("ExpressionAttributeNames", {})
        item = self._items.setdefault(_key(asked["TableName"], asked["Key"]), dict(asked["Key"]))
        if ":now" in values and _RATE.search(asked["ConditionExpression"]):
            ahead = int(item.get("tat", {"N": "0"})["N"]) > int(values[":now"]["N"])
            if ahead != asked["ConditionExpression"].startswith("tat > "):
                return 400, _dumps({"__type": "a#ConditionalCheckFailedException", "message": ""})
        changed = {}
        for name, value in _SET.findall(asked["UpdateExpression"]):
            changed[names.get(name, name)] = values[value]
        if asked["UpdateExpression"].startswith("ADD "):
            for name, value in _ADD.findall(asked["UpdateExpression"]):
                real = names.get(name, name)
                total = int(item.get(real, {"N": "0"})["N"]) + int(values[value]["N"])
                changed[real] = {"N": str(total)}
        for name in _COUNT.findall(asked["UpdateExpression"]):
            changed[name] = {"N": str(int(item.get(name, {"N": "0"})["N"]) + 1)}
        item |= changed
        return 200, _dumps({"Attributes": changed} if "ReturnValues" in asked else {})

    def _batch_get_item(self, body: bytes) -> Answer:
        tables = {}
        for table, asked in json.loads(body)["RequestItems"].items():
            found = (self._items.get(_key(table, key)) for key in asked["Keys"])
            tables[table] = [item for item in found if item]
        return 200, _dumps({"Responses": tables, "UnprocessedKeys": {}})

    def _query(self, body: bytes) -> Answer:
        asked = json.loads(body)
        last = next(
            reversed([one for at, one in self._items.items() if at[0] == asked["TableName"]])
        )
        row = _dumps(last).replace(last["sk"]["S"], "R#%s")
        after = asked.get("ExclusiveStartKey")
        start = _number(after["sk"]["S"]) + 1 if after else 0
        end = min(self._rows, start + asked["Limit"])
        items = ",".join([row % _name(number) for number in range(start, end)])
        more = {"pk": last["pk"], "sk": {"S": f"R#{_name(end - 1)}"}} if end < self._rows else None
        left = f',"LastEvaluatedKey":{_dumps(more)}' if more else ""
        return 200, f'{{"Count":{end - start},"Items":[{items}]{left}}}'

    def _send_message(self, _: bytes) -> Answer:
        self.counts["messages"] += 1
        return 200, _dumps({"MessageId": str(self.counts["messages"])})

    def _send_message_batch(self, body: bytes) -> Answer:
        entries = json.loads(body)["Entries"]
        self.counts["messages"] += len(entries)
        taken = [{"Id": entry["Id"], "MessageId": entry["Id"]} for entry in entries]
        return 200, _dumps({"Successful": taken, "Failed": []})

    def _get_secret_value(self, _: bytes) -> Answer:
        return 200, _dumps({"Name": "x", "SecretString": json.dumps(SECRETS)})

    def _control(self, head: bytes, body: bytes) -> object:
        if head.startswith(b"POST /_bench/delay"):
            self.delay |= json.loads(body)
            return self.delay
        if head.startswith(b"GET /_bench/recent"):
            return {name: list(bodies) for name, bodies in self.recent.items()}
        return self.counts


class Connection(asyncio.Protocol):
    """Take requests apart, one after the other."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  what asyncio promises
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._buffer = self._buffer + data if self._buffer else data
        while self._buffer:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            found = _LENGTH.search(self._buffer, 0, end)
            whole = end + 4 + (int(found[1]) if found else 0)
            if len(self._buffer) < whole:
                return
            head, body = self._buffer[:end], self._buffer[end + 4 : whole]
            self._buffer = self._buffer[whole:]
            answer, delay = self._sink.answer(head, body)
            if delay:
                self._loop.call_later(delay, self._transport.write, answer)
            else:
                self._transport.write(answer)


def _http(status: int, body: bytes) -> bytes:
    return (
        b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nx-amzn-RequestId: 0\r\n"
        b"x-amz-crc32: %d\r\nContent-Length: %d\r\n\r\n%b"
        % (status, zlib.crc32(body), len(body), body)
    )


def _key(table: str, item: Item) -> tuple[str, str, str]:
    return table, item["pk"]["S"], item.get("sk", {"S": ""})["S"]


def _name(number: int) -> str:
    return f"{number:026}".translate(_DIGITS)


def _number(key: str) -> int:
    return int(key.removeprefix("R#").translate(_LETTERS))


def _dumps(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


async def serve(port: int, tls: ssl.SSLContext | None, delay: dict[str, float], rows: int) -> None:
    """Serve until killed."""
    sink = Sink(delay, rows)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(sink), "127.0.0.1", port, ssl=tls, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--certificate", type=Path)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--ses", type=float, default=0.0)
    parser.add_argument("--aws", type=float, default=0.0)
    parser.add_argument("--rows", type=int, default=0)
    arguments = parser.parse_args()
    tls = None
    if arguments.certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(arguments.certificate, arguments.key)
    delay = {"ses": arguments.ses, "aws": arguments.aws}
    asyncio.run(serve(arguments.port, tls, delay, arguments.rows))


if __name__ == "__main__":
    main()
