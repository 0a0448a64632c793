"""Put the commands together, and turn what ends them into an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

import sendmill
from sendmill.cli import campaigns, imports, operations, people, templates
from sendmill.cli.failure import Failure
from sendmill.cli.output import Output
from sendmill.cli.place import Place

EPILOG = (
    "--json, --profile and --api-url may stand anywhere. Exit codes: 0 done, 1 ended badly, "
    "2 wrong use, 3 not reachable, 4 not allowed, 5 not found or conflict."
)
# What a wrong command line is, wherever Typer has its Click from.
_WRONG: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
# Options of the whole command, by whether a value follows them.
_GLOBAL = {"--json": False, "--profile": True, "--api-url": True}

app = typer.Typer(
    name="sendmill",
    help="Send campaigns, and look after them, from a shell.",
    epilog=EPILOG,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
app.add_typer(imports.app, name="lists")
app.add_typer(templates.app, name="templates")
app.add_typer(campaigns.app, name="campaigns")
app.add_typer(people.suppressions, name="suppressions")
app.add_typer(operations.letters, name="dead-letters")
app.add_typer(operations.tasks, name="tasks")
for command in (people.login, people.logout, people.whoami, operations.account, operations.logs):
    app.command()(command)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(sendmill.__version__)
        raise typer.Exit


@app.callback()
def everywhere(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
    profile: Annotated[str, typer.Option(help="Environment that was signed in to.")] = "",
    api_url: Annotated[str, typer.Option(help="Address of the API.")] = "",
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    """Send campaigns, and look after them, from a shell."""
    context.obj = Place(profile=profile, api_url=api_url, out=Output(as_json=as_json))


def main(words: Sequence[str]) -> int:
    """Run a command; return its exit code."""
    ordered = hoisted(words)
    out = Output(as_json="--json" in ordered)
    try:
        found = app(ordered, standalone_mode=False)
    except Failure as failure:
        out.fail(str(failure), failure.problem, failure.exit_code)
        return failure.exit_code
    except _WRONG as error:
        if out.as_json:
            out.fail(error.format_message(), {}, 2)
        else:
            error.show()
        return 2
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        # whoever read has had enough; nothing may be written to it at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return found if isinstance(found, int) else 0


def hoisted(words: Sequence[str]) -> list[str]:
    """Return the words with the options of the whole command in front, wherever they stood."""
    front: list[str] = []
    rest: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        name, equals, _ = word.partition("=")
        if word == "--":
            rest += [word, *left]
            break
        if name not in _GLOBAL:
            rest.append(word)
        elif _GLOBAL[name] and not equals and left:
            front += [word, left.pop(0)]
        else:
            front.append(word)
    return front + rest
