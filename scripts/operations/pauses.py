"""Let nothing in a restored ledger send by itself."""

from __future__ import annotations

from collections.abc import Iterator

from operations.account import Account
from sendmill.campaign import Campaign, Status
from sendmill.outcome import QUOTA_REASON
from sendmill.store import CampaignStore

REASON = "restored: look at it before you resume"


def pause_all(account: Account, table: str = "") -> Iterator[str]:
    """Pause what is sending or about to, and make drafts of what a schedule would start.

    ``table`` may name a restored table that nobody works on yet. Doing it twice changes nothing.
    """
    name = table or account.outputs["campaigns_table"]
    store = CampaignStore(account.client("dynamodb"), name)
    stopped = 0
    for campaign in _all(store):
        if campaign.status in (Status.RUNNING, Status.PLANNING):
            store.pause(campaign.id, REASON)
        elif campaign.status is Status.PAUSED and campaign.reason == QUOTA_REASON:
            # the sweep would go on with it by itself, as soon as there is quota
            store.set_status(
                campaign.id,
                Status.PAUSED,
                expected={Status.PAUSED},
                reason=REASON,
                paused_for=QUOTA_REASON,
            )
        elif campaign.status is Status.SCHEDULED:
            # The schedule itself was not restored: if it still fires, it finds a draft.
            store.set_status(campaign.id, Status.DRAFT, expected={Status.SCHEDULED}, reason=REASON)
        else:
            continue
        stopped += 1
        now = store.get(campaign.id)
        yield f"{campaign.id}: was {campaign.status}, is {now.status if now else 'gone'}"
    yield f"{stopped} campaigns stopped in {name}; nothing in it sends by itself."


def _all(store: CampaignStore) -> Iterator[Campaign]:
    cursor = ""
    while True:
        found, cursor = store.list(cursor=cursor, limit=100)
        yield from found
        if not cursor:
            return
