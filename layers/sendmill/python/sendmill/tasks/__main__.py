"""Work on tasks from a shell: ``python -m sendmill.tasks worker``.

worker [--queue NAME] [--until-empty] [--modules a.b,c.d]     handle messages, as Lambda does
list [--modules a.b,c.d]                                      name the tasks that are registered
send NAME [JSON] [--delay SECONDS] [--queue NAME]             send one
dlq list|redrive|purge [TASK_ID] [--queue NAME] [--yes]       work on the dead letters
doctor                                                        say what AWS has set up wrongly
"""

from __future__ import annotations

import argparse
import logging
import sys

from sendmill.errors import SendmillError
from sendmill.tasks import config
from sendmill.tasks.client import sqs_client
from sendmill.tasks.payload import loads
from sendmill.tasks.registry import registry


def main(arguments: list[str] | None = None) -> int:
    """Do what was asked; return the exit code."""
    asked = _parser().parse_args(arguments)
    logging.basicConfig(level=asked.log_level.upper(), format="%(levelname)s %(message)s")
    try:
        if asked.modules:
            config.configure(modules=tuple(asked.modules.split(",")))
        return int(_VERBS[asked.verb](asked))
    except SendmillError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201  a command
        return 1


def _work(asked: argparse.Namespace) -> int:
    from sendmill.tasks.worker.local import Worker, work

    wait = 1 if asked.until_empty else 20
    worker = Worker(asked.queue, wait_seconds=wait, visibility_seconds=asked.visibility)
    handled = work(worker, until_empty=asked.until_empty)
    print(f"{handled} messages handled")  # noqa: T201
    return 0


def _list(_: argparse.Namespace) -> int:
    registry.find("", config.current().modules)  # imports the modules
    for task in sorted(registry, key=lambda found: found.name):
        policy = task.policy
        print(f"{task.name}\tattempts={policy.max_attempts}\ttimeout={policy.timeout}")  # noqa: T201
    return 0


def _send(asked: argparse.Namespace) -> int:
    try:
        payload = loads(asked.payload)
    except ValueError as error:
        print(f"the payload is no JSON: {error}", file=sys.stderr)  # noqa: T201
        return 2
    result = sqs_client.send_task(
        asked.name, payload, delay_seconds=asked.delay, queue=asked.queue or None
    )
    print(f"{result.task_id}\t{result.mode}\t{result.message_id or ''}")  # noqa: T201
    return 0


def _letters(asked: argparse.Namespace) -> int:
    from sendmill.tasks.dead_letter_queue import DeadLetterQueue

    letters = DeadLetterQueue(config.current(), asked.queue)
    if asked.what == "list":
        for one in letters.look():
            about = (one.failed_at, one.task_id or one.message_id, one.task, one.reason, one.error)
            print("\t".join(about))  # noqa: T201
        return 0
    if asked.what == "redrive" and (asked.task_id or asked.yes):
        print(f"{letters.redrive(asked.task_id)} sent back")  # noqa: T201
        return 0
    if asked.what == "purge" and asked.yes and not asked.task_id:
        letters.purge()
        print("thrown away")  # noqa: T201
        return 0
    print("say --yes for all of them; purge takes no id", file=sys.stderr)  # noqa: T201
    return 2


def _examine(_: argparse.Namespace) -> int:
    from sendmill.tasks.doctor import examine

    found = list(examine(config.current()))
    for one in found:
        print(f"{one.level:8} {one.queue or '-':12} {one.text}")  # noqa: T201
    return int(any(one.level == "error" for one in found))


_VERBS = {"worker": _work, "list": _list, "send": _send, "dlq": _letters, "doctor": _examine}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sendmill.tasks", description=__doc__)
    parser.add_argument("--log-level", default="info")
    verbs = parser.add_subparsers(dest="verb", required=True)
    worker = verbs.add_parser("worker", help="handle messages until stopped")
    worker.add_argument("--queue", default=config.DEFAULT_QUEUE)
    worker.add_argument("--until-empty", action="store_true", help="end when nothing is left")
    worker.add_argument("--visibility", type=int, default=360, help="seconds a batch may take")
    listed = verbs.add_parser("list", help="name the tasks that are registered")
    send = verbs.add_parser("send", help="send one task")
    send.add_argument("name")
    send.add_argument("payload", nargs="?", default="{}")
    send.add_argument("--delay", type=float, default=0)
    send.add_argument("--queue", default="")
    letters = verbs.add_parser("dlq", help="work on the dead letters")
    letters.add_argument("what", choices=("list", "redrive", "purge"))
    letters.add_argument("task_id", nargs="?", default="")
    letters.add_argument("--queue", default=config.DEFAULT_QUEUE)
    letters.add_argument("--yes", action="store_true", help="all of them")
    doctor = verbs.add_parser("doctor", help="say what AWS has set up wrongly")
    for verb in (worker, listed, send, letters, doctor):
        verb.add_argument("--modules", default="", help="modules that register tasks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
