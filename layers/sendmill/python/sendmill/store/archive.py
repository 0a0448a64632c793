"""Look through every version of every object that may hold contacts, and erase from them.

Parts of lists are rewritten in their place, which erases from campaigns under way too; what is no
part (an upload, a file of rejected rows that names somebody) is deleted as a whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from sendmill.contact_list import Accepted
from sendmill.erasure import Version
from sendmill.errors import InvalidContact
from sendmill.store.item import error_code, translated
from sendmill.store.lists import part_rows, part_text

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PREFIXES = ("lists/", "uploads/")
_PART = re.compile(r"lists/[^/]+/part-\d{6}(\.[\w-]+)?\.jsonl\Z")
_READERS = 16
_BITE = 1 << 20


class ContactArchive:
    """Keep the bucket of contacts, versions and all."""

    def __init__(self, s3: S3Client, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def versions(self, cursor: str, limit: int) -> tuple[Sequence[Version], str]:
        """Return versions of lists and uploads, and the cursor of the next page."""
        prefix, key, version = _parsed(cursor)
        marker: Any = {"KeyMarker": key, "VersionIdMarker": version} if key else {}
        with translated("listing versions"):
            page = self._s3.list_object_versions(
                Bucket=self._bucket, Prefix=_PREFIXES[prefix], MaxKeys=limit, **marker
            )
        found = [
            Version(key=one["Key"], id=one["VersionId"], current=one["IsLatest"])
            for one in page.get("Versions", [])
        ]
        if page.get("IsTruncated"):
            place = [prefix, page["NextKeyMarker"], page.get("NextVersionIdMarker", "")]
            return found, json.dumps(place).encode().hex()
        following = prefix + 1
        end = following >= len(_PREFIXES)
        return found, "" if end else json.dumps([following, "", ""]).encode().hex()

    def naming(self, versions: Sequence[Version], address: str) -> Sequence[Version]:
        """Return the versions in which an address stands, whatever its case."""
        wanted = address.lower()
        needles = tuple(wanted.encode(name) for name in ("utf-8", "utf-16-le", "utf-16-be"))
        with ThreadPoolExecutor(_READERS) as readers:
            hits = readers.map(lambda version: self._names(version, needles), versions)
            return [version for version, hit in zip(versions, hits, strict=True) if hit]

    def read_rows(self, version: Version) -> Sequence[Accepted] | None:
        """Return the contacts of a part, None for an object that is none."""
        if not _PART.match(version.key):
            return None
        return part_rows(b"".join(self._bites(version)).decode())

    def rewrite(self, version: Version, rows: Sequence[Accepted]) -> None:
        """Write a part anew, in its place, and delete the version before."""
        with translated("rewriting contacts"):
            self._s3.put_object(
                Bucket=self._bucket,
                Key=version.key,
                Body=part_text(rows).encode(),
                ContentType="application/x-ndjson",
            )
        self.delete(version)

    def delete(self, version: Version) -> None:
        """Delete a version for good."""
        with translated("deleting a version"):
            self._s3.delete_object(Bucket=self._bucket, Key=version.key, VersionId=version.id)

    def _names(self, version: Version, needles: tuple[bytes, ...]) -> bool:
        overlap = max(map(len, needles))
        before = b""
        for bite in self._bites(version):
            held = before + bite.lower()
            if any(needle in held for needle in needles):
                return True
            before = held[-overlap:]
        return False

    def _bites(self, version: Version) -> Iterator[bytes]:
        with translated("reading a version"):
            try:
                found = self._s3.get_object(
                    Bucket=self._bucket, Key=version.key, VersionId=version.id
                )
            except ClientError as error:
                if error_code(error) in ("NoSuchKey", "NoSuchVersion"):
                    return  # deleted since it was listed
                raise
            yield from found["Body"].iter_chunks(_BITE)


def _parsed(cursor: str) -> tuple[int, str, str]:
    if not cursor:
        return 0, "", ""
    try:
        prefix, key, version = json.loads(bytes.fromhex(cursor))
        return range(len(_PREFIXES))[int(prefix)], str(key), str(version)
    except (ValueError, TypeError, IndexError, RecursionError) as error:
        raise InvalidContact(
            f"cursor must be one that an erasure gave (got {cursor[:80]!r})"
        ) from error
