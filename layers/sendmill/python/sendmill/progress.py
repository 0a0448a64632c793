"""Say how far a campaign has come, from its counters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sendmill.campaign import Campaign, Status
from sendmill.ledger import COUNTED_NEWS, State

# Recipients who may still be mailed without anybody doing anything.
OPEN = (State.PENDING, State.SENDING, State.RETRY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Say how many recipients are in which state; the counts add up to ``total``.

    ``news`` counts what became of accepted mails: delivered, soft bounced, bounced, complained.
    """

    status: Status
    total: int
    states: Mapping[str, int]
    news: Mapping[str, int]

    def open(self) -> int:
        """Return how many recipients may still be mailed."""
        return sum(self.states.get(state, 0) for state in OPEN)


def progress(campaign: Campaign, counters: Mapping[str, int]) -> Progress:
    """Derive the states of a campaign's recipients from its counters.

    ``counters`` hold every state but ``pending``, which is what is left of the total. A campaign
    is complete once every chunk is done and no recipient is left open; of one that was cancelled
    before, whoever had no row yet is cancelled too.
    """
    every_chunk_done = campaign.chunks_done >= campaign.chunks
    total = campaign.total if every_chunk_done else max(campaign.expected, campaign.total)
    states = {str(state): counters.get(state, 0) for state in State if counters.get(state)}
    states[State.PENDING] = total - sum(states.values())
    if campaign.status is Status.CANCELLED and not every_chunk_done:
        states[State.CANCELLED] = states.get(State.CANCELLED, 0) + states.pop(State.PENDING)
    found = Progress(
        status=campaign.status,
        total=total,
        states={state: count for state, count in sorted(states.items()) if count},
        news={str(news): counters[news] for news in sorted(COUNTED_NEWS) if counters.get(news)},
    )
    may_be_over = campaign.may_send() or campaign.status is Status.COMPLETE_WITH_UNKNOWN
    # of plain messages none may have come yet; a list may have been emptied before its start
    if may_be_over and every_chunk_done and (total or campaign.list_id) and not found.open():
        over = Status.COMPLETE_WITH_UNKNOWN if states.get(State.UNKNOWN) else Status.COMPLETE
        return replace(found, status=over)
    return found
