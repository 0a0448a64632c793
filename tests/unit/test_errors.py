"""The tree of errors is the one that its module draws."""

from __future__ import annotations

import inspect
import re

import pytest

from sendmill import errors

CLASSES = {
    name: found
    for name, found in inspect.getmembers(errors, inspect.isclass)
    if found.__module__ == errors.__name__
}


def test_every_error_is_drawn_in_the_tree_and_the_tree_draws_nothing_else() -> None:
    drawn = re.findall(r"^[ \u2502\u251c\u2514\u2500]*([A-Z]\w+)", errors.__doc__ or "", re.M)
    assert set(CLASSES) == set(drawn) - {"Name", "Outcomes"}


@pytest.mark.parametrize("name", sorted(set(CLASSES) - {"SendmillError"}))
def test_every_error_is_either_permanent_or_retryable(name: str) -> None:
    found = CLASSES[name]
    assert issubclass(found, errors.PermanentError) != issubclass(found, errors.RetryableError)
