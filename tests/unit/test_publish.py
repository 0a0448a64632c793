"""A zip goes into the bucket once, named by its content, and stays what it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

import publish
from publish import Bucket, PublishError

NAME = "the-artefacts"


class Signer:
    """Signs by writing a copy under a name of its own, as AWS Signer does."""

    def __init__(self, s3: Any) -> None:
        self.s3 = s3
        self.jobs: list[str] = []

    def start_signing_job(self, *, source: Any, destination: Any, profileName: str) -> Any:  # noqa: N803
        body = self.s3.get_object(Bucket=NAME, Key=source["s3"]["key"])["Body"].read()
        job = f"job-{len(self.jobs)}"
        key = f"{destination['s3']['prefix']}{job}.zip"
        self.s3.put_object(Bucket=NAME, Key=key, Body=body + profileName.encode())
        self.jobs.append(key)
        return {"jobId": job}

    def get_waiter(self, name: str) -> Any:
        assert name == "successful_signing_job"
        return self

    def wait(self, *, jobId: str) -> None:  # noqa: N803
        assert jobId

    def describe_signing_job(self, *, jobId: str) -> Any:  # noqa: N803
        key = next(key for key in self.jobs if jobId in key)
        return {"signedObject": {"s3": {"bucketName": NAME, "key": key}}}


@pytest.fixture
def bucket(offline_aws: None) -> Iterator[Bucket]:
    with mock_aws():
        s3: Any = boto3.client("s3")
        s3.create_bucket(Bucket=NAME)
        s3.put_bucket_versioning(Bucket=NAME, VersioningConfiguration={"Status": "Enabled"})
        yield Bucket(s3=s3, name=NAME)


def build(folder: Path, **zips: bytes) -> Path:
    """Write zips and the manifest as the build does; the digest stands for the content."""
    functions = {}
    for name, body in zips.items():
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.zip").write_bytes(body)
        functions[name] = {"path": f"{name}.zip", "digest": hashlib.sha256(body).hexdigest()}
    manifest = folder / "artefacts.json"
    manifest.write_text(json.dumps({"target": "lambda", "functions": functions, "layers": {}}))
    return manifest


def stored(bucket: Bucket) -> list[str]:
    found = bucket.s3.list_object_versions(Bucket=NAME)["Versions"]
    return sorted(entry["Key"] for entry in found)


def test_second_upload_of_the_same_tree_writes_nothing(bucket: Bucket, tmp_path: Path) -> None:
    manifest = build(tmp_path / "a", api=b"one", sweep=b"two")
    release = publish.upload(bucket, manifest)
    before = stored(bucket)

    assert publish.upload(bucket, manifest) == release
    assert stored(bucket) == before
    assert len(before) == 3
    assert f"manifests/{release}.json" in before


def test_a_changed_function_is_one_more_zip_and_one_more_release(
    bucket: Bucket, tmp_path: Path
) -> None:
    first = publish.upload(bucket, build(tmp_path / "a", api=b"one", sweep=b"two"))
    before = set(stored(bucket))
    second = publish.upload(bucket, build(tmp_path / "b", api=b"changed", sweep=b"two"))

    digest = hashlib.sha256(b"changed").hexdigest()
    assert first != second
    assert set(stored(bucket)) - before == {
        f"functions/api/{digest}.zip",
        f"manifests/{second}.json",
    }


def test_an_older_release_comes_back_without_a_build(bucket: Bucket, tmp_path: Path) -> None:
    old = build(tmp_path / "a", api=b"one")
    release = publish.upload(bucket, old)
    publish.upload(bucket, build(tmp_path / "b", api=b"two"))

    publish.fetch(bucket, release, tmp_path / "back/artefacts.json")

    fetched = json.loads((tmp_path / "back/artefacts.json").read_text())
    assert fetched["functions"] == json.loads(old.read_text())["functions"]
    assert publish.name_of(fetched) == release


def test_a_release_that_does_not_exist_is_a_sentence(bucket: Bucket, tmp_path: Path) -> None:
    with pytest.raises(PublishError, match="no release 123 in the-artefacts: `make releases`"):
        publish.fetch(bucket, "123", tmp_path / "artefacts.json")


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_a_zip_that_is_not_what_it_was_stops_the_deploy(
    bucket: Bucket, tmp_path: Path, damage: str
) -> None:
    manifest = build(tmp_path / "a", api=b"one")
    release = publish.upload(bucket, manifest)
    key = f"functions/api/{hashlib.sha256(b'one').hexdigest()}.zip"
    if damage == "gone":
        bucket.s3.delete_object(Bucket=NAME, Key=key)
    else:
        bucket.s3.put_object(Bucket=NAME, Key=key, Body=b"onf", ChecksumAlgorithm="SHA256")

    with pytest.raises(PublishError, match=f"{key} .*{damage} .*{release} is not whole"):
        publish.fetch(bucket, release, tmp_path / "artefacts.json")
    assert not (tmp_path / "artefacts.json").exists()
    if damage == "changed":
        with pytest.raises(PublishError, match="is not whole"):
            publish.upload(bucket, manifest)


def test_every_zip_is_signed_once_and_its_copy_gets_our_name(
    bucket: Bucket, tmp_path: Path
) -> None:
    signer = Signer(bucket.s3)
    signing = Bucket(s3=bucket.s3, name=NAME, signer=signer, profile="ours")
    manifest = build(tmp_path / "a", api=b"one")

    publish.upload(signing, manifest)
    publish.upload(signing, manifest)

    key = f"signed/functions/api/{hashlib.sha256(b'one').hexdigest()}.zip"
    assert bucket.s3.get_object(Bucket=NAME, Key=key)["Body"].read() == b"oneours"
    assert len(signer.jobs) == 1


def test_the_list_is_newest_first_and_marks_what_is_deployed(
    bucket: Bucket, tmp_path: Path
) -> None:
    release = publish.upload(bucket, build(tmp_path / "a", api=b"one"))

    (line,) = publish.listing(bucket, release)

    assert line.startswith(f"{release}  20")
    assert line.endswith("UTC  deployed")
    assert next(publish.listing(bucket, "another")).endswith("UTC")
