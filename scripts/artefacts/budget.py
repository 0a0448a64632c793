"""How large an artefact may be, and the table that says how large it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

KB, MB = 1_000, 1_000_000

# The third-party layers: measured on 2026-11-23 with byte code (dependencies 11.3 MB for arm64 and
# 11.5 MB for x86_64, imaging 11.1 and 11.8 MB), plus a quarter. Growth past that is a decision,
# made here. Functions and the first-party layer have room for code that is still to be written; the
# function budget also keeps start-up short.
FUNCTION_BUDGET = 100 * KB
# The API also carries the console, which is read when a browser first asks for it.
FUNCTION_BUDGETS = {"api": 700 * KB}
LAYER_BUDGETS = {"sendmill": 1_400 * KB, "dependencies": 14_500 * KB, "imaging": 14_800 * KB}
# A function with all layers, unpacked (66 MB measured). Lambda's own limit is 250 MB.
UNZIPPED_BUDGET = 75 * MB


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """The bytes of one artefact, beside the most that it may have zipped."""

    name: str
    zipped: int
    unzipped: int
    budget: int


def sizes(
    functions: Mapping[str, tuple[int, int]], layers: Mapping[str, tuple[int, int]]
) -> list[Size]:
    """Return the size of every artefact, from pairs of zipped and unzipped bytes."""
    return [
        *(
            _size(f"functions/{name}", pair, FUNCTION_BUDGETS.get(name, FUNCTION_BUDGET))
            for name, pair in functions.items()
        ),
        *(_size(f"layers/{name}", pair, LAYER_BUDGETS[name]) for name, pair in layers.items()),
    ]


def overruns(measured: list[Size]) -> list[str]:
    """Return one sentence for every budget that is exceeded."""
    found = [
        f"{size.name} must be at most {_short(size.budget)} zipped (got {_short(size.zipped)})"
        for size in measured
        if size.zipped > size.budget
    ]
    total = largest_unzipped(measured)
    if total > UNZIPPED_BUDGET:
        found.append(
            f"a function with its layers must unpack to at most {_short(UNZIPPED_BUDGET)} "
            f"(got {_short(total)})"
        )
    return found


def largest_unzipped(measured: list[Size]) -> int:
    """Return what the largest function takes unpacked, together with all layers."""
    functions = [size.unzipped for size in measured if size.name.startswith("functions/")]
    layers = [size.unzipped for size in measured if size.name.startswith("layers/")]
    return max(functions, default=0) + sum(layers)


def table(measured: list[Size]) -> Iterator[str]:
    """Yield the lines of the size table."""
    line = "{:<24} {:>10} {:>10} {:>10}".format
    yield line("artefact", "zipped", "unzipped", "budget")
    for size in measured:
        yield line(size.name, _short(size.zipped), _short(size.unzipped), _short(size.budget))
    yield line(
        "largest, with layers", "", _short(largest_unzipped(measured)), _short(UNZIPPED_BUDGET)
    )


def _size(name: str, pair: tuple[int, int], budget: int) -> Size:
    return Size(name=name, zipped=pair[0], unzipped=pair[1], budget=budget)


def _short(count: int) -> str:
    return f"{count / MB:.1f} MB" if count >= MB else f"{count / KB:.1f} KB"
