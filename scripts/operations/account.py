"""Where everything is: the outputs of Terraform, and clients made when they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import boto3


class Account:
    """Reach one environment."""

    def __init__(self, outputs: dict[str, Any]) -> None:
        self.outputs = outputs

    def client(self, service: str) -> Any:
        """Return a client for the region of the environment."""
        return _client(service, self.outputs["region"])

    @property
    def prefix(self) -> str:
        """How every name begins."""
        return f"sendmill-{self.outputs['environment']}"

    def queues(self) -> Iterator[tuple[str, str, str]]:
        """Yield name, queue and dead-letter queue; one of the two may be missing."""
        found: dict[str, dict[str, str]] = {}
        for output, value in self.outputs.items():
            for ending in ("queue", "dlq"):
                if output.endswith(f"_{ending}_url"):
                    found.setdefault(output.removesuffix(f"_{ending}_url"), {})[ending] = value
                elif output.endswith(f"_{ending}_urls"):
                    for name, url in value.items():
                        kind = output.removesuffix(f"_{ending}_urls")
                        found.setdefault(f"{kind} {name}", {})[ending] = url
        shown: set[str] = set()
        # Names with a space first: `task tasks` is one of several, and `task` the same once more.
        for name, urls in sorted(found.items(), key=lambda pair: (" " not in pair[0], pair[0])):
            if not shown.issuperset(urls.values()):
                yield name, urls.get("queue", ""), urls.get("dlq", "")
            shown.update(urls.values())


@cache
def _client(service: str, region: str) -> Any:
    make: Any = boto3.client
    return make(service, region_name=region)
