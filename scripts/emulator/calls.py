"""Say which permission a call to AWS needs, and keep what each function really asked for.

One line of JSON for each function, action and resource, once: the least-privilege test compares
them with the policies of the function's role. A function is known by its session token, which
both boto3 and our own wire send with every call (see gaps/callers.py).
"""

from __future__ import annotations

import functools
import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import unescape

TOKEN = "function/"  # noqa: S105 - a mark, and no secret
SCOPE = re.compile(r"Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
# A batch needs the permission for one: AWS has no action for it.
BATCHES = re.compile(r"^(SendMessage|DeleteMessage|ChangeMessageVisibility)Batch$")
# Services of the REST kind, by the name they are signed for: their botocore model says the rest.
MODELS = {"ses": "sesv2", "scheduler": "scheduler", "lambda": "lambda", "xray": "xray"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a call goes to, as its signature says."""

    service: str
    region: str
    account: str

    def arn(self, resource: str, service: str = "") -> str:
        """Return an ARN as the emulator writes them, whatever the partition."""
        return f"arn:aws:{service or self.service}:{self.region}:{self.account}:{resource}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One permission that a function needed."""

    function: str
    action: str
    resource: str


class Recorder:
    """Append each call to a file the first time it is seen."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: set[Call] = set()
        self._lock = threading.Lock()
        file.write_text("")

    def note(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> None:
        """Keep what this request needs, if a function sent it."""
        token = headers.get("x-amz-security-token", "")
        scope = SCOPE.search(headers.get("authorization", ""))
        if not token.startswith(TOKEN) or not scope:
            return
        place = Place(account=scope[1], region=scope[2], service=scope[3])
        for action, resource in needs(place, method, target, headers, body):
            self._keep(Call(function=token[len(TOKEN) :], action=action, resource=resource))

    def _keep(self, call: Call) -> None:
        with self._lock:
            if call in self._seen:
                return
            self._seen.add(call)
            with self._file.open("a") as file:
                file.write(json.dumps(asdict(call)) + "\n")


def needs(
    place: Place, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> Iterator[tuple[str, str]]:
    """Yield action and resource of every permission that a call needs."""
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    if place.service == "s3":
        yield from _s3(method, target, headers, body)
    elif place.service == "dynamodb":
        yield from _dynamodb(place, operation, json.loads(body))
    elif operation:
        yield from _json(place, operation, json.loads(body or b"{}"))
    elif place.service in MODELS:
        yield from _rest(place, method, target, body)
    else:
        named = parse_qs(body.decode("latin-1")).get("Action", [f"{method} {target}"])[0]
        yield f"{place.service}:{named}", "*"


def _dynamodb(place: Place, operation: str, said: Any) -> Iterator[tuple[str, str]]:
    if operation == "TransactWriteItems":
        names = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem"}
        names["ConditionCheck"] = "ConditionCheckItem"
        for item in said["TransactItems"]:
            for kind, part in item.items():
                yield f"dynamodb:{names[kind]}", place.arn(f"table/{part['TableName']}")
    elif operation == "TransactGetItems":
        for item in said["TransactItems"]:
            yield "dynamodb:GetItem", place.arn(f"table/{item['Get']['TableName']}")
    elif operation in ("BatchGetItem", "BatchWriteItem"):
        for table in said["RequestItems"]:
            yield f"dynamodb:{operation}", place.arn(f"table/{table}")
    else:
        index = f"/index/{said['IndexName']}" if said.get("IndexName") else ""
        yield f"dynamodb:{operation}", place.arn(f"table/{said.get('TableName', '')}{index}")


def _json(place: Place, operation: str, said: Any) -> Iterator[tuple[str, str]]:
    action = f"{place.service}:" + BATCHES.sub(r"\1", operation)
    if place.service == "sqs":
        url = said.get("QueueUrl", "")
        name = url.rpartition("/")[2] or said.get("QueueName", "")
        yield action, said.get("SourceArn") or (place.arn(name) if name else "*")
    elif place.service == "secretsmanager":
        secret = said.get("SecretId") or said.get("Name", "")
        # AWS adds six characters of its own to the name
        arn = secret.startswith("arn:")
        yield action, secret if arn else place.arn(f"secret:{secret}-??????")
    else:
        yield action, "*"


def _s3(
    method: str, target: str, headers: Mapping[str, str], body: bytes
) -> Iterator[tuple[str, str]]:
    parts = urlsplit(target)
    asked = parse_qs(parts.query, keep_blank_values=True)
    bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
    where = f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"
    if not key and method == "POST" and "delete" in asked:
        yield from _deleted(where, body.decode())
        return
    if source := headers.get("x-amz-copy-source"):
        yield "s3:GetObject", f"arn:aws:s3:::{unquote(source).lstrip('/')}"
    if not key:
        names = {"GET": "ListBucketVersions" if "versions" in asked else "ListBucket"}
        names |= {"HEAD": "ListBucket"}
    else:
        version = "Version" if "versionId" in asked else ""
        names = {"GET": f"GetObject{version}", "HEAD": f"GetObject{version}"}
        names |= {"PUT": "PutObject", "POST": "PutObject", "DELETE": f"DeleteObject{version}"}
        if "uploadId" in asked:
            names["DELETE"] = "AbortMultipartUpload"
    yield f"s3:{names.get(method, method)}", where


def _deleted(bucket: str, body: str) -> Iterator[tuple[str, str]]:
    for item in re.findall(r"<Object>(.*?)</Object>", body, re.DOTALL):
        key = unescape(re.findall(r"<Key>([^<]*)</Key>", item)[0])
        version = "Version" if "<VersionId>" in item else ""
        yield f"s3:DeleteObject{version}", f"{bucket}/{key}"


def _rest(place: Place, method: str, target: str, body: bytes) -> Iterator[tuple[str, str]]:
    parts = urlsplit(target)
    operation = _operation(MODELS[place.service], method, parts.path)
    said = json.loads(body) if body else {}
    if place.service == "scheduler":
        group = said.get("GroupName") or parse_qs(parts.query).get("groupName", ["default"])[0]
        name = unquote(parts.path).rpartition("/")[2]
        yield f"scheduler:{operation}", place.arn(f"schedule/{group}/{name}")
        if role := said.get("Target", {}).get("RoleArn"):
            yield "iam:PassRole", role
    elif place.service == "ses" and operation == "SendEmail":
        sender = re.sub(r".*@([^>]*).*", r"\1", said.get("FromEmailAddress", ""))
        actions = ["SendEmail", *(["SendRawEmail"] if "Raw" in said.get("Content", {}) else [])]
        used = {f"identity/{sender}"}
        if named := said.get("ConfigurationSetName"):
            used.add(f"configuration-set/{named}")
        for action in actions:
            for resource in sorted(used):
                yield f"ses:{action}", place.arn(resource)
    else:
        yield f"{place.service}:{operation}", "*"


def _operation(model: str, method: str, path: str) -> str:
    for verb, pattern, name in _operations(model):
        if verb == method and pattern.fullmatch(path):
            return name
    return f"{method} {path}"


@functools.cache
def _operations(model: str) -> list[tuple[str, re.Pattern[str], str]]:
    """Return verb, path and name of each operation; the longest path first."""
    import botocore.session  # here, since only a recording needs it

    found = botocore.session.get_session().get_service_model(model)
    paths = [(found.operation_model(name).http, name) for name in found.operation_names]
    return sorted(
        [(http["method"], re.compile(_pattern(http["requestUri"])), name) for http, name in paths],
        key=lambda one: -len(one[1].pattern),
    )


def _pattern(uri: str) -> str:
    path = uri.partition("?")[0].rstrip("/")
    return (
        "".join(
            "[^/]+" if part.startswith("{") else re.escape(part)
            for part in re.split(r"(\{[^}]*\})", path)
        )
        + "/?"
    )
