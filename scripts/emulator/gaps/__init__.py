"""What ministack lacks and Sendmill needs, closed from outside: one function a gap.

Each function replaces private names of ministack, which may mean something else in any other
release: `launcher.PINNED` must be the installed version exactly, and the launcher checks it. When
the pin moves, read each docstring, look whether the gap is still there, and run
tests/emulator/test_emulator.py.

Sending is not closed here: the SES stand-in beside the emulator does it (`standin/`).
"""

from __future__ import annotations

from gaps import alarms, apigateway, cognito, message_moves, queue_metrics, schedules, ses_identity


def close_all() -> None:
    """Close every gap; call once, before the server starts."""
    message_moves.close()
    alarms.close_evaluation()
    alarms.close_description()
    queue_metrics.close()
    schedules.close()
    schedules.close_context()
    ses_identity.close()
    apigateway.close()
    cognito.close()
