"""Run the SES v2 stand-in.

    python ses_standin.py --port 4567 --upstream http://127.0.0.1:4566 --mailbox DIR

It listens on 127.0.0.1 only, prints one line when it is ready and stops on SIGTERM or SIGINT.
What it answers: `standin/server.py`; how tests steer it: `standin/control.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
from pathlib import Path

from calls import Recorder
from standin.mailbox import Mailbox
from standin.publisher import Publisher
from standin.server import Server
from standin.state import State
from standin.upstream import Upstream
from standin.wire import serve

HOST = "127.0.0.1"


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="SES v2 stand-in on loopback")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True, help="URL of the emulator behind it")
    parser.add_argument("--mailbox", type=Path, required=True, help="folder for .eml files")
    parser.add_argument(
        "--enforce-iam", action="store_true", help="let the emulator authorise each send"
    )
    parser.add_argument("--record", type=Path, help="file for what each function asks of it")
    return parser.parse_args()


async def run(arguments: argparse.Namespace) -> None:
    """Serve until told to stop."""
    upstream = Upstream(arguments.upstream)
    state = State(
        mailbox=Mailbox(arguments.mailbox),
        upstream=upstream,
        publisher=Publisher(upstream),
        enforce_iam=arguments.enforce_iam,
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    recorder = Recorder(arguments.record) if arguments.record else None
    server = await serve(Server(state, recorder).handle, host=HOST, port=arguments.port)
    print(f"SES stand-in ready on http://{HOST}:{arguments.port}/_standin/", flush=True)
    await stop.wait()
    server.close()


def main() -> None:
    """Set logging up and serve."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s [%(name)s] %(message)s"
    )
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(parse_arguments()))


if __name__ == "__main__":
    main()
