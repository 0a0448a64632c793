"""The queue of the project's background tasks."""

from sendmill.tasks import sqs_client

__all__ = ["sqs_client"]
