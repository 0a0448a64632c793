"""A deployment says how often a task is tried that says nothing for itself."""

from __future__ import annotations

import pytest

from sendmill.tasks.errors import TaskConfigError
from sendmill.tasks.policy import Policy, fixed


def test_a_task_that_says_nothing_is_tried_as_the_deployment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert (Policy().max_attempts, 27 <= Policy().backoff(1) <= 30) == (3, True)
    monkeypatch.setenv("SENDMILL_TASK_MAX_ATTEMPTS", "5")
    monkeypatch.setenv("SENDMILL_TASK_BACKOFF_SECONDS", "1")
    assert (Policy().max_attempts, 0.9 <= Policy().backoff(1) <= 1) == (5, True)
    own = Policy(max_attempts=2, backoff=fixed(7))
    assert (own.max_attempts, own.backoff(1)) == (2, 7)


@pytest.mark.parametrize("value", ["many", "-1", "1.5"])
def test_a_deployment_that_says_no_number_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("SENDMILL_TASK_MAX_ATTEMPTS", value)
    with pytest.raises(TaskConfigError, match="SENDMILL_TASK_MAX_ATTEMPTS must be a number"):
        Policy()
