"""Map the routes of those who run the service: dead letters, tasks, the account."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from bodies import PurgeBody, QueueBody
from params import Limit, QueueName
from request import Answer, caller, json_answer
from sendmill.backlog import WorkQueues
from sendmill.errors import RetryableError
from sendmill.observe import logger
from sendmill.preflight import Identity
from sendmill.rate import Account
from sendmill.reputation import received
from sendmill.roles import Role
from sendmill.store import CampaignStore
from table import RouteTable

# Campaigns whose counters make the reputation.
_NEWEST = 20


def add_operator_routes(
    table: RouteTable,
    *,
    queues: WorkQueues,
    campaigns: CampaignStore,
    account: Callable[[str], Account],
    identities: Callable[[], Sequence[Identity]],
    recent_tasks: Callable[[], Sequence[dict[str, Any]]],
    region: str,
) -> None:
    """Add the routes, bound to the adapters they work on."""
    _dead_letters(table, queues)
    _tasks(table, queues, recent_tasks)

    @table.get("/v1/account", role=Role.VIEWER, tag="account", answers={200: "shapes:AccountView"})
    def show_account() -> Answer:
        """Show quota, rate, identities and reputation of the account.

        The reputation is that of the newest 20 campaigns, by the ledger's own counters.
        """
        found = account("")
        newest, _ = campaigns.list(limit=_NEWEST)
        return json_answer(
            200,
            {
                **asdict(found),
                "region": region,
                "rate": round(found.rate(), 2),
                "identities": [asdict(one) for one in _known(identities)],
                "reputation": asdict(received(campaigns.counters(one.id) for one in newest)),
            },
        )


def _known(identities: Callable[[], Sequence[Identity]]) -> Sequence[Identity]:
    """Return the identities; the rest of the page does not wait for SES to answer again."""
    try:
        return identities()
    except RetryableError as error:
        logger.warning("identities_not_read", reason=str(error))
        return []


def _dead_letters(table: RouteTable, queues: WorkQueues) -> None:
    tag = "dead letters"

    @table.get("/v1/dead-letters", role=Role.VIEWER, tag=tag, answers={200: "shapes:DeadLetters"})
    def show_dead_letters(queue: QueueName = "email", limit: Limit = 100) -> Answer:
        """List what nobody could act on, oldest first, with the reason."""
        letters = queues.letters(queue)
        found, move = letters.look(limit), letters.newest_move()
        return json_answer(
            200, {"items": [asdict(letter) for letter in found], "redrive": asdict(move)}
        )

    @table.post(
        "/v1/dead-letters/redrive", role=Role.SENDER, tag=tag, answers={202: "shapes:Redrive"}
    )
    def redrive_dead_letters(queue: QueueName = "email") -> Answer:
        """Move every dead letter back to the queue it came from."""
        return _redriven(table, queues, queue)

    @table.post("/v1/dead-letters/purge", role=Role.ADMIN, tag=tag, answers={200: "shapes:Purged"})
    def purge_dead_letters(body: PurgeBody, queue: QueueName = "email") -> Answer:
        """Throw every dead letter away; `confirm` is the name of the queue."""
        queues.letters(queue).purge(confirm=body.confirm or "")
        logger.info("dead_letters_purged", queue=queue, by=caller(table.router).subject)
        return json_answer(200, {"purged": True})


def _tasks(
    table: RouteTable, queues: WorkQueues, recent: Callable[[], Sequence[dict[str, Any]]]
) -> None:
    @table.get("/v1/tasks", role=Role.VIEWER, tag="tasks", answers={200: "shapes:TasksView"})
    def show_tasks() -> Answer:
        """Show how much waits on every queue, and the tasks that ran lately."""
        found = [asdict(one) for one in queues.backlogs()]
        return json_answer(200, {"queues": found, "recent": list(recent())})

    @table.post("/v1/tasks/redrive", role=Role.SENDER, tag="tasks", answers={202: "shapes:Redrive"})
    def redrive_tasks(body: QueueBody) -> Answer:
        """Move the dead letters of a queue back to it."""
        return _redriven(table, queues, body.queue)


def _redriven(table: RouteTable, queues: WorkQueues, queue: str) -> Answer:
    letters = queues.letters(queue)
    letters.redrive()
    logger.info("dead_letters_redriven", queue=queue, by=caller(table.router).subject)
    return json_answer(202, {"redrive": asdict(letters.newest_move())})
