"""Send claimed mails in groups at the rate there is, and look again between two groups."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping

from sendmill.campaign import Config
from sendmill.delivery.ports import Key, Tools
from sendmill.errors import RetryableError
from sendmill.mail import Mail
from sendmill.outcome import Fate, Outcome
from sendmill.rate import Slot, group_size

# What a group of sends may take at worst: connecting, and waiting for the answer, in seconds.
SEND_SECONDS = 25
# Of these, what is kept for writing what became of the sends, in seconds.
RECORD_SECONDS = 4
# A server without a limiter that refuses for the rate is asked again after this long, in seconds.
PAUSE_SECONDS = 1.0
# A campaign is looked at again after a wait longer than this, in seconds: pauses act within five.
STALE_SECONDS = 2


class Sending:
    """Hold the claimed mails of one batch, and what becomes of each.

    ``deadline`` is when the last group may begin, ``looked_at`` when campaigns and suppressions
    were read, both in seconds since 1970; ``hash_of`` returns the hash of a recipient's address.
    """

    def __init__(
        self,
        tools: Tools,
        mails: Mapping[Key, Mail],
        hash_of: Callable[[Key], str],
        *,
        deadline: int,
        looked_at: int,
    ) -> None:
        self.outcomes: dict[Key, Outcome] = {}
        self._tools = tools
        self._mails = mails
        self._hash_of = hash_of
        self._deadline = deadline
        self._looked_at = looked_at

    def send(self, config: Config, keys: list[Key], slot: Slot) -> None:
        """Send at the slot's rate; what is refused for the rate is sent again in a new slot.

        What became of each mail is in ``outcomes``, whatever falls away between two groups.
        """
        left, refused = deque(keys), deque[Key]()
        while left:
            group = [left.popleft() for _ in range(group_size(slot.rate, len(left)))]
            found = self._tools.mailer.send(
                config, [self._mails[key] for key in group], within=self._time_to_send()
            )
            self.outcomes.update(zip(group, found, strict=True))
            throttled = [key for key in group if self.outcomes[key].throttled]
            refused += throttled
            try:
                self._tools.limiter.report(
                    config, sent=len(group) - len(throttled), throttled=len(throttled)
                )
                if any(outcome.fate is Fate.STOP for outcome in found):
                    self._withhold(left, "campaign_stopped")
                    return
                slot, left, refused = self._wait_for_next(config, slot, len(group), left, refused)
            except RetryableError:
                # what became of the others is known, and must be written: else it is unknown
                self._withhold(left or refused, "ledger_away")
                return

    def _time_to_send(self) -> float:
        """Return in how many seconds the outcomes must be there, or nobody could write them."""
        return self._deadline + SEND_SECONDS - RECORD_SECONDS - self._tools.clock()

    def _wait_for_next(
        self, config: Config, slot: Slot, sent: int, left: deque[Key], refused: deque[Key]
    ) -> tuple[Slot, deque[Key], deque[Key]]:
        """Wait until the next group may leave; return its slot, who is left and who was refused."""
        tools = self._tools
        if left:
            pause = sent / slot.rate
        elif refused:
            within = self._deadline - tools.clock()
            slot = tools.limiter.reserve(config, len(refused), within=within)
            left, refused = refused, deque()
            pause = slot.starts_in if slot.rate else PAUSE_SECONDS
        else:
            return slot, left, refused
        if slot.stopped or tools.clock() + pause > self._deadline:
            self._withhold(left, "out_of_time")
            return slot, deque(), refused
        tools.sleep(pause)
        return slot, self._still_welcome(self._still_running(left)), refused

    def _still_running(self, keys: Iterable[Key]) -> deque[Key]:
        """Return what may still be sent, and withhold what a pause has overtaken."""
        running: deque[Key] = deque()
        for key in keys:
            campaign = self._tools.campaigns.load(key[0])
            if campaign is not None and campaign.may_send():
                running.append(key)
            else:
                self._withhold([key], "campaign_stopped")
        return running

    def _still_welcome(self, keys: deque[Key]) -> deque[Key]:
        """Return who has not left meanwhile, after a wait long enough to do so."""
        now = self._tools.clock()
        if not keys or now - self._looked_at <= STALE_SECONDS:
            return keys
        self._looked_at = now
        hashes = {key: self._hash_of(key) for key in keys}
        _, reasons = self._tools.ledger.read([], suppression_keys=list(hashes.values()))
        # back in the ledger, the next claim suppresses him
        self._withhold([key for key in keys if hashes[key] in reasons], "suppressed_meanwhile")
        return deque(key for key in keys if hashes[key] not in reasons)

    def _withhold(self, keys: Iterable[Key], reason: str) -> None:
        """Give up a claim without a send: certainly not sent, and no try is burned."""
        for key in keys:
            self.outcomes[key] = Outcome(fate=Fate.LATER, reason=reason, throttled=True)
