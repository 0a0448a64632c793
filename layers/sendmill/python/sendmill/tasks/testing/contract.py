"""Prove that a store of receipts keeps its promises: inherit, say how to make one, run pytest.

::

    class TestMyReceipts(ReceiptsContract):
        def make(self, clock):
            return MyReceipts(clock=clock)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sendmill.tasks.receipts import Receipts

_TASK = "contract"


class _Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class ReceiptsContract:
    """The promises of :class:`sendmill.tasks.Receipts`, one test each."""

    def make(self, clock: Callable[[], float]) -> Receipts:
        """Return an empty store that reads this clock."""
        raise NotImplementedError

    def _claim(self, store: Receipts, owner: str, lease: float = 10) -> Any:
        return store.claim("key", owner=owner, task=_TASK, lease_seconds=lease)

    def test_the_first_claim_is_acquired_and_the_second_held(self) -> None:
        """One runs, the other waits for the lease."""
        store = self.make(_Clock())
        assert self._claim(store, "a").state == "acquired"
        held = self._claim(store, "b")
        assert held.state == "held"
        assert 9 <= held.lease_seconds <= 10

    def test_an_owner_that_asks_again_is_acquired_again(self) -> None:
        """A lost answer, asked for again by the SDK, must not block its own sender."""
        store = self.make(_Clock())
        self._claim(store, "a")
        assert self._claim(store, "a").state == "acquired"

    def test_what_is_completed_stays_completed(self) -> None:
        """No claim after it, however late."""
        clock = _Clock()
        store = self.make(clock)
        self._claim(store, "a")
        assert store.complete("key", owner="a")
        clock.now += 3600
        assert self._claim(store, "b").state == "completed"
        assert not store.release("key", owner="a", error="late")
        assert self._claim(store, "b").state == "completed"

    def test_completing_twice_is_still_completed(self) -> None:
        """The second answer is lost and asked for again: it says the same, or that it is done."""
        store = self.make(_Clock())
        self._claim(store, "a")
        store.complete("key", owner="a")
        store.complete("key", owner="a")
        assert self._claim(store, "b").state == "completed"

    def test_a_lease_that_ended_is_taken_over(self) -> None:
        """A worker that was killed holds nothing for ever."""
        clock = _Clock()
        store = self.make(clock)
        self._claim(store, "a", lease=10)
        clock.now += 11
        taken = self._claim(store, "b")
        assert taken.state == "acquired"
        assert taken.attempt == 2

    def test_a_stale_owner_erases_nothing_of_the_new_one(self) -> None:
        """Late failure and late success of the first are both refused."""
        clock = _Clock()
        store = self.make(clock)
        self._claim(store, "a", lease=10)
        clock.now += 11
        self._claim(store, "b")
        assert not store.release("key", owner="a", error="late")
        assert not store.complete("key", owner="a")
        assert self._claim(store, "c").state == "held"
        assert store.complete("key", owner="b")
        assert self._claim(store, "c").state == "completed"

    def test_a_failure_frees_the_key_and_keeps_the_count(self) -> None:
        """The next attempt starts at once, and knows that it is the second."""
        store = self.make(_Clock())
        self._claim(store, "a")
        assert store.release("key", owner="a", error="boom")
        again = self._claim(store, "b")
        assert again.state == "acquired"
        assert again.attempt == 2

    def test_a_dead_letter_starts_from_one_again(self) -> None:
        """A redrive has all its attempts."""
        store = self.make(_Clock())
        self._claim(store, "a")
        assert store.release("key", owner="a", error="boom", final=True)
        assert self._claim(store, "b").attempt == 1

    def test_keys_do_not_touch_each_other(self) -> None:
        """Another key is free."""
        store = self.make(_Clock())
        self._claim(store, "a")
        other = store.claim("other", owner="b", task=_TASK, lease_seconds=10)
        assert other.state == "acquired"

    def test_nothing_is_completed_that_was_not_claimed(self) -> None:
        """An unknown key answers no."""
        store = self.make(_Clock())
        assert not store.complete("key", owner="a")
        assert not store.release("key", owner="a")
