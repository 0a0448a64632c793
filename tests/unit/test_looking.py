"""What people see of a campaign: why it failed, how fast it goes, how it was received."""

from __future__ import annotations

import pytest

from sendmill.advice import advise, failures, group_of
from sendmill.ledger import State
from sendmill.outcome import Phase, classify_ses, classify_smtp_reply
from sendmill.reputation import Standing, received
from sendmill.timeline import MAX_POINTS, Point, curve, eta_of, point_of, rate_of, thinned


def test_every_reason_of_ses_and_smtp_has_advice_of_its_own() -> None:
    general = {advise("no such word", state) for state in State}
    codes = [
        "SendingPausedException",
        "AccountSuspendedException",
        "AccessDenied",
        "NotFoundException",
    ]
    reasons = [classify_ses(status=400, code=code, message="").reason for code in codes]
    reasons += [
        classify_smtp_reply(phase=Phase.RCPT, code=code, text="").reason
        for code in (421, 450, 451, 452, 550, 551, 552, 553, 554)
    ]
    for reason in (*reasons, "answer_lost", "worker_lost", "bounced", "cannot be rendered: x"):
        assert advise(reason, State.FAILED) not in general, reason


@pytest.mark.parametrize(
    ("state", "reason", "news", "group"),
    [
        ("failed", "smtp_550", "", ("failed", "smtp_550")),
        ("accepted", "accepted", "bounced", ("accepted", "bounced")),
        ("accepted", "accepted", "delivered", None),
        ("pending", "", "", None),
        ("suppressed", "", "", ("suppressed", "unknown")),
    ],
)
def test_only_what_went_wrong_is_grouped(
    state: str, reason: str, news: str, group: tuple[str, str] | None
) -> None:
    assert group_of(state, reason, news) == group


def test_the_largest_group_comes_first_and_only_failures_are_retried() -> None:
    found = failures({("failed", "smtp_550"): 2, ("unknown", "answer_lost"): 5})
    assert [(one.count, one.retryable) for one in found] == [(5, False), (2, True)]


def points(*counts: tuple[int, int]) -> list[Point]:
    return [Point(at=at, accepted=accepted, failed=0) for at, accepted in counts]


def test_the_rate_is_that_of_the_last_minute() -> None:
    assert rate_of(points((0, 0), (100, 500), (130, 800), (160, 1100))) == 10.0
    assert rate_of(points((0, 0), (600, 600))) == 1.0
    assert rate_of(points((5, 5))) == rate_of([]) == rate_of(points((5, 5), (5, 9))) == 0.0


def test_the_eta_says_when_nobody_waits_or_that_it_cannot_be_said() -> None:
    assert (eta_of(0, 0.0), eta_of(10, 0.0), eta_of(10, 3.0)) == (0, -1, 4)


def test_a_curve_begins_with_the_first_mails_and_not_with_the_draft() -> None:
    noted = points((10_000, 500), (10_060, 900))
    found = curve(noted, points((10_070, 950))[0], made_at=7, changed_at=9_950, over=False)
    assert found == points((9_940, 0), (10_000, 500), (10_060, 900), (10_070, 950))


@pytest.mark.parametrize(
    ("noted", "expected"),
    [
        ([(100, 20), (160, 70)], [(90, 0), (100, 20), (160, 70)]),
        ([(100, 20)], [(90, 0), (100, 20), (150, 70)]),
        ([], [(90, 0), (150, 70)]),
    ],
)
def test_the_curve_of_a_campaign_that_is_over_ends_with_it(
    noted: list[tuple[int, int]], expected: list[tuple[int, int]]
) -> None:
    live = Point(at=99_999, accepted=70, failed=0)
    found = curve(points(*noted), live, made_at=90, changed_at=150, over=True)
    assert found == points(*expected)


def test_a_long_timeline_is_thinned_evenly_and_keeps_its_ends() -> None:
    long = points(*((n, n) for n in range(1000)))
    short = thinned(long)
    assert len(short) == MAX_POINTS
    assert (short[0], short[-1]) == (long[0], long[-1])
    assert thinned(long[:5]) == long[:5]
    assert point_of({"accepted": 3, "failed": 1}, 9) == Point(at=9, accepted=3, failed=1)


@pytest.mark.parametrize(
    ("sent", "bounced", "complained", "level"),
    [
        (499, 499, 499, Standing.OK),
        (1000, 19, 0, Standing.OK),
        (1000, 20, 0, Standing.WARNING),
        (1000, 40, 0, Standing.DANGER),
        (10_000, 0, 4, Standing.WARNING),
        (10_000, 0, 8, Standing.DANGER),
    ],
)
def test_the_reputation_warns_at_half_of_what_stops_a_sender(
    sent: int, bounced: int, complained: int, level: Standing
) -> None:
    found = received([{"accepted": sent, "bounced": bounced}, {"complained": complained}])
    assert (found.sent, found.level) == (sent, level)


def test_nothing_sent_is_no_division() -> None:
    assert received([]).bounce_rate == 0.0
