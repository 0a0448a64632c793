"""Map the routes of those who run the service: dead letters, the account, previews."""

from __future__ import annotations

from dataclasses import asdict

from aws_lambda_powertools.event_handler.api_gateway import Router

from problems import guarded
from request import Answer, json_answer, json_body, limit_of
from sendmill.campaign import content_from_mapping
from sendmill.contact import contact_from_mapping
from sendmill.dead_letters import DeadLetterQueue
from sendmill.dispatch import WORKER_FIELDS
from sendmill.errors import InvalidCampaign
from sendmill.store import AccountStore
from sendmill.template import compile_content

# What a preview is sent with when nothing is said: it is never mailed.
_PREVIEW_FROM = "preview@example.com"


def add_operator_routes(
    router: Router, *, letters: DeadLetterQueue, accounts: AccountStore, region: str
) -> None:
    """Add the routes, bound to the adapters they work on."""

    @router.get("/v1/dead-letters")
    @guarded
    def show_dead_letters() -> Answer:
        found = letters.look(limit_of(router))
        move = letters.newest_move()
        return json_answer(
            200, {"items": [asdict(letter) for letter in found], "redrive": asdict(move)}
        )

    @router.post("/v1/dead-letters/redrive")
    @guarded
    def redrive_dead_letters() -> Answer:
        letters.redrive()
        return json_answer(202, {"redrive": asdict(letters.newest_move())})

    @router.post("/v1/dead-letters/purge")
    @guarded
    def purge_dead_letters() -> Answer:
        letters.purge(confirm=str(json_body(router).get("confirm") or ""))
        return json_answer(200, {"purged": True})

    @router.get("/v1/account")
    @guarded
    def show_account() -> Answer:
        account = accounts.load(region)
        return json_answer(
            200, {**asdict(account), "region": region, "rate": round(account.rate(), 2)}
        )

    @router.post("/v1/templates/preview")
    @guarded
    def preview_template() -> Answer:
        raw = json_body(router)
        content = content_from_mapping(raw, default_from=_PREVIEW_FROM)
        compiled = compile_content(content)
        contact = raw.get("contact")
        if not isinstance(contact, dict):
            raise InvalidCampaign(f"contact must be an object (got {type(contact).__name__})")
        fields = contact_from_mapping(contact).template_fields()
        rendered = compiled.render({**WORKER_FIELDS, **fields})
        return json_answer(
            200,
            {
                "subject": rendered.subject,
                "text": rendered.text,
                "html": rendered.html,
                "variables": sorted(compiled.variables),
            },
        )
