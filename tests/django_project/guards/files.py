"""Hand a report's files to the task that checks them and makes thumbnails."""

import json
from collections.abc import Iterable

import boto3
from common.tasks import process_guard_report
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from guards.models import GuardReport


def hand_in(report: GuardReport, files: Iterable[UploadedFile], supervisor: str) -> str:
    """Upload the files and their list; return the id of the task, which is sent at commit."""
    s3, folder = boto3.client("s3", region_name=settings.AWS_SQS_REGION), f"reports/{report.pk}"
    listed = [
        {"key": f"{folder}/files/{place}-{file.name}", "name": file.name}
        for place, file in enumerate(files)
    ]
    for one, file in zip(listed, files, strict=True):
        s3.upload_fileobj(file, settings.TASK_FILES_BUCKET, one["key"])
    about = {"title": report.title, "files": listed, "supervisors": [{"email": supervisor}]}
    s3.put_object(
        Bucket=settings.TASK_FILES_BUCKET, Key=f"{folder}/report.json", Body=json.dumps(about)
    )
    return process_guard_report(report_id=report.pk).task_id
