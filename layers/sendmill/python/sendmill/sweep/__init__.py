"""Look, every minute, for whatever would otherwise wait for ever.

A message may be lost, a worker may die, an answer may never come: each leaves a row in the index
of what is due. The sweep is the one that notices, and the only one that ends a wait:

- a claim whose lease has passed becomes ``unknown``;
- a recipient who waits, in a campaign that runs, is put on the queue again;
- an ``unknown`` is settled by the campaign's policy;
- a campaign all of whose recipients are settled is complete, once its counters agree with its
  rows; counters that do not are repaired, and that is an alarm;
- a campaign that stopped for the daily quota goes on when there is quota again;
- a campaign that bounces or is complained about too much is paused.

Every step may be done twice, by two sweeps at once too. A shard or a campaign that the services
around it refuse keeps no other from being looked after; the sweep fails for it when all are done.
"""

from __future__ import annotations

from dataclasses import dataclass

from sendmill.ledger import SHARDS
from sendmill.sweep.campaigns import CampaignSweep
from sendmill.sweep.ports import Look, Report, Reputation, Stream, Tools
from sendmill.sweep.rows import RowSweep

__all__ = ["Report", "Reputation", "Stream", "Sweeper"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweeper(Tools):
    """Hold what a sweep needs; built once for each function."""

    def sweep(self, *, owner: str) -> Report:
        """Look once through everything that is due; ``owner`` is unique for each call.

        Raises the first RetryableError of a shard or a campaign once the others are looked after.
        """
        look = Look(self, owner)
        try:
            self._look_through(look)
        finally:
            self.tell(look.report)
        if look.failure is not None:
            raise look.failure
        return look.report

    def _look_through(self, look: Look) -> None:
        rows, campaigns = RowSweep(look), CampaignSweep(look)
        for shard in range(SHARDS):
            with look.by_itself():
                rows.shard(shard)
        for campaign_id in list(self.book.active()):
            with look.by_itself():
                campaigns.campaign(campaign_id)
