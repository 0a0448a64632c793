"""Stop all work on the queues, without losing any of it; the next deploy turns it on again."""

from __future__ import annotations

from collections.abc import Iterator

from operations.account import Account

# Woken by the clock, so it has no mapping that could be turned off.
BY_THE_CLOCK = "sweep"


def halt(account: Account) -> Iterator[str]:
    """Turn every mapping off and let `sweep` run no more; messages stay in their queues.

    Throttling the workers instead would count as receives and end in the dead-letter queues.
    """
    client = account.client("lambda")
    for job, name in sorted(account.outputs["function_names"].items()):
        pages = client.get_paginator("list_event_source_mappings")
        for page in pages.paginate(FunctionName=f"{name}:live"):
            for mapping in page["EventSourceMappings"]:
                client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
                yield f"{job}: takes nothing from {mapping['EventSourceArn'].rpartition(':')[2]}"
        if job == BY_THE_CLOCK:
            client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
            yield f"{job}: does not run"
    yield "Halted. The API still answers. `make deploy` turns everything on again."
