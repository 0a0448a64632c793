"""Put built zips into the artefact bucket under the digest of their content, and find them again.

    upload  MANIFEST    what is not there yet, then the manifest as manifests/<release>.json
    fetch   RELEASE TO  an older manifest, after a look at every zip it names
    list                the releases, the newest first

A release is named by the digest over all its digests, as the output `release` of Terraform. A zip
is never written twice. What stands there is compared with what was written down when it came.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

Manifest = dict[str, Any]


class PublishError(Exception):
    """The bucket does not hold what it should, or cannot be reached."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bucket:
    """The artefact bucket, and the profile that signs what goes into it."""

    s3: Any
    name: str
    signer: Any = None
    profile: str = ""

    def checksum(self, key: str) -> str | None:
        """Return the SHA-256 of an object, in hex, as S3 counted it; None if there is no object."""
        try:
            head = self.s3.head_object(Bucket=self.name, Key=key, ChecksumMode="ENABLED")
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status == 404:
                return None
            raise
        return base64.b64decode(head.get("ChecksumSHA256", "")).hex()

    def put(self, key: str, body: bytes) -> None:
        """Write an object that is not there yet; S3 refuses a body that was changed on its way."""
        try:
            self.s3.put_object(
                Bucket=self.name, Key=key, Body=body, ChecksumAlgorithm="SHA256", IfNoneMatch="*"
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "PreconditionFailed":
                raise  # else another deploy was a moment faster, with the same content


def main() -> int:
    """Do what the words say, and return the exit code."""
    arguments = _arguments()
    make: Any = boto3.client
    bucket = Bucket(
        s3=make("s3"),
        name=arguments.bucket,
        signer=make("signer") if arguments.profile else None,
        profile=arguments.profile,
    )
    try:
        if arguments.verb == "upload":
            upload(bucket, arguments.manifest)
        elif arguments.verb == "fetch":
            fetch(bucket, arguments.release, arguments.to)
        else:
            print("\n".join(listing(bucket, arguments.current)))
    except PublishError as error:
        _say(str(error))
        return 1
    except (BotoCoreError, ClientError) as error:
        _say(f"The bucket {bucket.name} does not answer as it should: {error}")
        return 1
    return 0


def upload(bucket: Bucket, path: Path) -> str:
    """Upload what is missing and the manifest; return the name of the release."""
    manifest = json.loads(path.read_text())
    sums = {}
    for key, entry in keys(manifest):
        body = (path.parent / entry["path"]).read_bytes()
        if bucket.checksum(key) is None:
            bucket.put(key, body)
            _say(f"uploaded {key}")
        sums[key] = bucket.checksum(key)
        if bucket.profile:
            _sign(bucket, key)
    release = name_of(manifest)
    if bucket.checksum(f"manifests/{release}.json") is None:
        text = json.dumps({**manifest, "sha256": sums}, indent=2, sort_keys=True)
        bucket.put(f"manifests/{release}.json", text.encode())
        _say(f"release {release}")
    check(bucket, release)
    return release


def fetch(bucket: Bucket, release: str, to: Path) -> None:
    """Write the manifest of a release; raise PublishError if anything it names is not as it was."""
    text = check(bucket, release)
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(text)


def check(bucket: Bucket, release: str) -> str:
    """Return a manifest whose zips all are in the bucket, byte for byte as they came."""
    key = f"manifests/{release}.json"
    if bucket.checksum(key) is None:
        raise PublishError(
            f"There is no release {release} in {bucket.name}: `make releases` lists them."
        )
    text: str = bucket.s3.get_object(Bucket=bucket.name, Key=key)["Body"].read().decode()
    manifest = json.loads(text)
    if name_of(manifest) != release:
        raise PublishError(f"The manifest of {release} was changed: it describes another release.")
    for name, expected in manifest["sha256"].items():
        found = bucket.checksum(name)
        if found != expected:
            state = "was changed" if found else "is gone"
            raise PublishError(f"{name} {state} in {bucket.name}: release {release} is not whole.")
    return text


def listing(bucket: Bucket, current: str) -> Iterator[str]:
    """Yield a line for each release, the newest first."""
    pages = bucket.s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket.name, Prefix="manifests/"
    )
    found = [entry for page in pages for entry in page.get("Contents", [])]
    for entry in sorted(found, key=lambda one: one["LastModified"], reverse=True):
        release = Path(entry["Key"]).stem
        mark = "deployed" if release == current else ""
        yield f"{release}  {entry['LastModified']:%Y-%m-%d %H:%M} UTC  {mark}".rstrip()


def keys(manifest: Manifest) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield key and entry of every zip; modules/artefacts makes the same keys."""
    for kind in ("functions", "layers"):
        for name, entry in sorted(manifest[kind].items()):
            yield f"{kind}/{name}/{entry['digest']}.zip", entry


def name_of(manifest: Manifest) -> str:
    """Return the name of a release; modules/artefacts counts it the same way."""
    digests = {
        f"{kind}/{name}": entry["digest"]
        for kind in ("functions", "layers")
        for name, entry in manifest[kind].items()
    }
    text = json.dumps(digests, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _sign(bucket: Bucket, key: str) -> None:
    """Have a zip signed; AWS Signer chooses the name of its copy, which is moved to ours."""
    if bucket.checksum(f"signed/{key}") is not None:
        return
    version = bucket.s3.head_object(Bucket=bucket.name, Key=key)["VersionId"]
    job = bucket.signer.start_signing_job(
        source={"s3": {"bucketName": bucket.name, "key": key, "version": version}},
        destination={"s3": {"bucketName": bucket.name, "prefix": "signing/"}},
        profileName=bucket.profile,
    )["jobId"]
    bucket.signer.get_waiter("successful_signing_job").wait(jobId=job)
    done = bucket.signer.describe_signing_job(jobId=job)["signedObject"]["s3"]["key"]
    body = bucket.s3.get_object(Bucket=bucket.name, Key=done)["Body"].read()
    bucket.put(f"signed/{key}", body)
    _say(f"signed {key}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--profile", default="", help="signing profile; none signs nothing")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("upload").add_argument("manifest", type=Path)
    fetched = verbs.add_parser("fetch")
    fetched.add_argument("release")
    fetched.add_argument("to", type=Path)
    verbs.add_parser("list").add_argument("--current", default="")
    return parser.parse_args()


def _say(sentence: str) -> None:
    print(f"publish: {sentence}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
