"""Keep what the rows of a campaign add up to.

::

    pk=C#{campaign}  sk=CNT#{shard:02}  {accepted, failed, ...}: their sum over shards is the ledger

They move with the rows, in the transactions of store/recipients.py; here they are read, and
mended where they are not what the rows say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from sendmill.ledger import COUNTED_NEWS, State
from sendmill.store.campaign_item import counter_key
from sendmill.store.campaign_table import CampaignTable
from sendmill.store.item import (
    Item,
    encode,
    number,
    on_condition,
)

# Two sweeps that find the same drift must not both repair it; none runs for so long, in seconds.
_REPAIR_SECONDS = 900
_COUNTERS = (*(str(state) for state in State), *(str(news) for news in COUNTED_NEWS))


class CounterBook(CampaignTable):
    """Keep the counters of campaigns."""

    def counters(self, campaign_id: str) -> Mapping[str, int]:
        """Return the counters of states (but ``pending``) and of news, summed over shards."""
        sums: Counter[str] = Counter()
        for item in self._under(campaign_id, "CNT#"):
            for name in _COUNTERS:
                sums[name] += number(item, name)
        return {name: count for name, count in sums.items() if count}

    def repair(self, campaign_id: str, changes: Mapping[str, int]) -> bool:
        """Move counters by these amounts, unless that was just done; tell whether it was now."""
        now = int(self._clock())
        values: Item = {":now": now, ":before": now - _REPAIR_SECONDS}
        values |= {f":{name}": change for name, change in changes.items()}
        return on_condition(
            "repairing counters",
            self._client.update_item,
            TableName=self._table,
            Key=counter_key(campaign_id, 0),
            UpdateExpression="SET repaired_at = :now ADD "
            + ", ".join(f"#{name} :{name}" for name in changes),
            ConditionExpression="attribute_not_exists(repaired_at) OR repaired_at < :before",
            ExpressionAttributeNames={f"#{name}": name for name in changes},
            ExpressionAttributeValues=encode(values),
        )
