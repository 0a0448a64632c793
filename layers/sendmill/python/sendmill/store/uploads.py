"""Keep uploads in the bucket of the lists, and what a run must remember beside them.

::

    uploads/{import}/file             what people uploaded
    uploads/{import}/seen-{n:06}      addresses up to cursor n, hashed
    uploads/{import}/rejected-{n:06}  rejected rows, to be joined

All of it is deleted, in every version, when the import is over, and by the bucket itself after
a day.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from sendmill.contact_file import SAMPLE_BYTES, Lines
from sendmill.contact_list import Rejected, rejected_csv
from sendmill.errors import InvalidContactList, StoreUnavailable
from sendmill.importing import Import, Ticket, Upload
from sendmill.store.item import error_code, translated
from sendmill.store.lists import delete_all, rejected_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# S3 takes no part of a multipart upload that is smaller than 5 MiB, but the last.
_JOINED_BYTES = 8 * 1024 * 1024
_CSV = "text/csv; charset=utf-8"
_MISSING = ("404", "NoSuchKey", "NotFound")
_CHANGED = ("412", "PreconditionFailed")


class UploadDepot:
    """Keep uploads in the bucket of the lists, and what a run must remember beside them."""

    def __init__(self, s3: S3Client, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def ticket(self, import_id: str, size: int, *, now: int, seconds: int) -> Ticket:
        """Return a link that takes exactly so many bytes: their number is signed with it."""
        url = self._s3.generate_presigned_url(
            "put_object",
            Params={"Bucket": self._bucket, "Key": _file(import_id), "ContentLength": size},
            ExpiresIn=seconds,
        )
        headers = {"Content-Length": str(size)}
        return Ticket(url=url, method="PUT", headers=headers, expires_at=now + seconds)

    def uploaded(self, import_id: str) -> Upload | None:
        """Say what was uploaded, if anything was."""
        with translated("looking for an upload"):
            try:
                found = self._s3.head_object(Bucket=self._bucket, Key=_file(import_id))
            except ClientError as error:
                if error_code(error) in _MISSING:
                    return None
                raise
        return Upload(size=found["ContentLength"], etag=found["ETag"])

    def first_bytes(self, import_id: str, etag: str) -> bytes:
        """Return the first bytes of an upload."""
        return self._open(import_id, etag, 0, last=SAMPLE_BYTES - 1).read()

    def lines(self, found: Import) -> Lines:
        """Return the text of the upload from the cursor on."""
        if found.cursor.offset >= found.size:
            return io.StringIO("")
        raw = self._open(found.id, found.etag, found.cursor.offset)
        return io.TextIOWrapper(cast("Any", raw), encoding=found.encoding, newline="")

    def write_seen(self, import_id: str, n: int, taken: bytes) -> None:
        """Keep the addresses that came before cursor n + 1."""
        self._write(f"uploads/{import_id}/seen-{n:06}", taken)

    def read_seen(self, import_id: str, n: int) -> bytes:
        """Return the addresses that came before cursor n + 1."""
        return self._read(f"uploads/{import_id}/seen-{n:06}")

    def write_rejected(self, import_id: str, n: int, rows: Sequence[Rejected]) -> None:
        """Keep some rejected rows."""
        self._write(_rejected(import_id, n), rejected_csv(rows, header=False).encode())

    def join_rejected(self, found: Import) -> None:
        """Make one CSV file of all rejected rows, beside the list."""
        key = rejected_key(found.list_id)
        joined = _Joined(self._s3, self._bucket, key)
        joined.add(rejected_csv([]).encode())
        for n in range(found.cursor.rejected):
            joined.add(self._read(_rejected(found.id, n)))
        joined.close()

    def forget(self, import_id: str) -> None:
        """Delete the upload, in every version, and what was remembered beside it."""
        prefix = f"uploads/{import_id}/"
        with translated("deleting an upload"):
            pages = self._s3.get_paginator("list_object_versions").paginate(
                Bucket=self._bucket, Prefix=prefix
            )
            found = [
                {"Key": one["Key"], "VersionId": one["VersionId"]}
                for page in pages
                for one in (*page.get("Versions", []), *page.get("DeleteMarkers", []))
            ]
        delete_all(self._s3, self._bucket, found)

    def _open(self, import_id: str, etag: str, first: int, last: int | None = None) -> _Body:
        """Return the upload from a byte on, if it still is the one that was started."""
        wanted = f"bytes={first}-{'' if last is None else last}"
        with translated("opening an upload"):
            try:
                found = self._s3.get_object(
                    Bucket=self._bucket, Key=_file(import_id), Range=wanted, IfMatch=etag
                )
            except ClientError as error:
                if error_code(error) in (*_MISSING, *_CHANGED):
                    raise InvalidContactList(
                        "the upload was changed or deleted: import it again"
                    ) from error
                raise
        if first and not found.get("ContentRange", "").startswith(f"bytes {first}-"):
            raise StoreUnavailable(f"opening an upload: asked for {wanted}, got another range")
        return _Body(found["Body"])

    def _write(self, key: str, body: bytes) -> None:
        with translated("writing beside an upload"):
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=body)

    def _read(self, key: str) -> bytes:
        with translated("reading beside an upload"):
            return self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()


class _Body:
    """Hand out the body of an object in bites; what goes wrong on the way is an error of ours."""

    readable, seekable, writable = (lambda self: True), (lambda self: False), (lambda self: False)
    closed = False

    def __init__(self, body: Any) -> None:
        self._body = body

    def read1(self, _size: int = -1) -> bytes:
        """Return the next bite."""
        return self.read(SAMPLE_BYTES)

    def read(self, size: int | None = None) -> bytes:
        """Return so many bytes, or all of them."""
        with translated("reading an upload"):
            return cast("bytes", self._body.read(size))

    def flush(self) -> None:
        """Do nothing: a text wrapper asks for it when it is closed."""

    def close(self) -> None:
        """Let the connection go."""
        self._body.close()


class _Joined:
    """Write one object from many pieces, holding 8 MiB."""

    def __init__(self, s3: S3Client, bucket: str, key: str) -> None:
        self._s3 = s3
        self._bucket, self._key = bucket, key
        self._held = bytearray()
        self._upload = ""
        self._parts: list[Any] = []

    def add(self, piece: bytes) -> None:
        """Write a piece behind the others."""
        self._held += piece
        if len(self._held) >= _JOINED_BYTES:
            self._send()

    def close(self) -> None:
        """Make the object whole."""
        if self._upload and self._held:
            self._send()
        with translated("writing rejected rows"):
            if self._upload:
                self._s3.complete_multipart_upload(
                    Bucket=self._bucket,
                    Key=self._key,
                    UploadId=self._upload,
                    MultipartUpload={"Parts": self._parts},
                )
            else:
                self._s3.put_object(
                    Bucket=self._bucket, Key=self._key, ContentType=_CSV, Body=bytes(self._held)
                )

    def _send(self) -> None:
        part = len(self._parts) + 1
        with translated("writing rejected rows"):
            if not self._upload:
                made = self._s3.create_multipart_upload(
                    Bucket=self._bucket, Key=self._key, ContentType=_CSV
                )
                self._upload = made["UploadId"]
            sent = self._s3.upload_part(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._upload,
                PartNumber=part,
                Body=bytes(self._held),
            )
        self._parts.append({"PartNumber": part, "ETag": sent["ETag"]})
        self._held = bytearray()


def _file(import_id: str) -> str:
    return f"uploads/{import_id}/file"


def _rejected(import_id: str, n: int) -> str:
    return f"uploads/{import_id}/rejected-{n:06}"
