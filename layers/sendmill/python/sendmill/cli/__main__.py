"""Start the command by ``python -m sendmill.cli``."""

from sendmill.cli import run

run()
