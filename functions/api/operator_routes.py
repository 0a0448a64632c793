"""Map the routes of those who run the service: dead letters, the account."""

from __future__ import annotations

from dataclasses import asdict

from bodies import PurgeBody
from params import Limit
from request import Answer, json_answer
from sendmill.dead_letters import DeadLetterQueue
from sendmill.roles import Role
from sendmill.store import AccountStore
from table import RouteTable


def add_operator_routes(
    table: RouteTable, *, letters: DeadLetterQueue, accounts: AccountStore, region: str
) -> None:
    """Add the routes, bound to the adapters they work on."""
    _dead_letters(table, letters)

    @table.get("/v1/account", role=Role.VIEWER, tag="account", answers={200: "shapes:AccountView"})
    def show_account() -> Answer:
        """Show quota, rate and standing of the account."""
        account = accounts.load(region)
        return json_answer(
            200, {**asdict(account), "region": region, "rate": round(account.rate(), 2)}
        )


def _dead_letters(table: RouteTable, letters: DeadLetterQueue) -> None:
    tag = "dead letters"

    @table.get("/v1/dead-letters", role=Role.VIEWER, tag=tag, answers={200: "shapes:DeadLetters"})
    def show_dead_letters(limit: Limit = 100) -> Answer:
        """List what nobody could act on, oldest first, with the reason."""
        found = letters.look(limit)
        move = letters.newest_move()
        return json_answer(
            200, {"items": [asdict(letter) for letter in found], "redrive": asdict(move)}
        )

    @table.post(
        "/v1/dead-letters/redrive", role=Role.SENDER, tag=tag, answers={202: "shapes:Redrive"}
    )
    def redrive_dead_letters() -> Answer:
        """Move every dead letter back to the queue it came from."""
        letters.redrive()
        return json_answer(202, {"redrive": asdict(letters.newest_move())})

    @table.post("/v1/dead-letters/purge", role=Role.ADMIN, tag=tag, answers={200: "shapes:Purged"})
    def purge_dead_letters(body: PurgeBody) -> Answer:
        """Throw every dead letter away; `confirm` is the name of the queue."""
        letters.purge(confirm=body.confirm or "")
        return json_answer(200, {"purged": True})
