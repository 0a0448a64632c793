"""Read and write the files of tasks in S3; no answer of boto3 leaves this module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from botocore.exceptions import ClientError

from sendmill.errors import NotFound, PermanentError
from sendmill.store.item import error_code, translated

_MISSING = frozenset({"NoSuchKey", "NoSuchBucket", "404", "NotFound"})
_FORBIDDEN = frozenset({"AccessDenied", "403", "Forbidden", "InvalidObjectState"})


class FileTooLarge(PermanentError):
    """A file is larger than what a task reads."""


class FileForbidden(PermanentError):
    """The role may not do this with a file: its bucket is not in task_buckets, or not for this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStore:
    """Hold the bucket of the tasks; other buckets are named where they are meant."""

    client: Any
    bucket: str

    def read(self, key: str, *, bucket: str = "", limit: int) -> bytes:
        """Return a file of at most ``limit`` bytes.

        Raises NotFound, FileTooLarge, FileForbidden, and StoreUnavailable for what may pass.
        """
        with translated(f"reading {key}"), _explained(key):
            answer = self.client.get_object(Bucket=bucket or self.bucket, Key=key)
            with answer["Body"] as body:
                size = int(answer["ContentLength"])
                if size > limit:
                    raise FileTooLarge(f"{key} must be at most {limit} bytes (got {size})")
                found: bytes = body.read()
                return found

    def text(self, key: str, *, limit: int = 1_000_000) -> str | None:
        """Return a text file, or None where there is none."""
        try:
            return self.read(key, limit=limit).decode()
        except NotFound:
            return None

    def write(self, key: str, data: bytes, content_type: str) -> None:
        """Write a file over whatever is there; raises FileForbidden or StoreUnavailable."""
        with translated(f"writing {key}"), _explained(key):
            self.client.put_object(Bucket=self.bucket, Key=key, Body=data, ContentType=content_type)

    def link(self, key: str, *, seconds: int, name: str) -> str:
        """Return a link that opens a file for anybody who has it, for so long."""
        shown = f"attachment; filename*=UTF-8''{quote(name)}"
        link: str = self.client.generate_presigned_url(
            "get_object",
            Params={"Bucket": self.bucket, "Key": key, "ResponseContentDisposition": shown},
            ExpiresIn=seconds,
        )
        return link


@contextmanager
def _explained(key: str) -> Iterator[None]:
    """Turn the refusals that will not pass into errors of their own."""
    try:
        yield
    except ClientError as error:
        code = error_code(error)
        if code in _MISSING:
            raise NotFound(f"there is no file {key}") from error
        if code in _FORBIDDEN:
            raise FileForbidden(f"the task processor may not use {key}: {code}") from error
        raise
