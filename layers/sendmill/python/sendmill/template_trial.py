"""Render a template for the first time in a process that may take little and holds nothing.

The sandbox refuses what is known to loop or to grow (:mod:`sendmill.template`). Here is the second
fence, against what is not known: a process of its own with a limit on processor time and memory
and without credentials. If it dies, the template is refused, and the function that asked lives on.

The child is started, not forked: a fork takes along the locks of threads that it does not have.
Run as a program, this module is the child: JSON on standard input, JSON on standard output.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import lru_cache

from sendmill.campaign import Config, Content, Service
from sendmill.errors import InvalidTemplate

SECONDS = 2.0
# Of address space; Python and Jinja2 take 60 MB of it, and a template made to be dear, as long as
# one may be, 150 MB more. Memory stops it on fast and on slow processors alike.
MEMORY_BYTES = 160 * 1024 * 1024
_PROGRAM = "from sendmill.template_trial import child; child({seconds}, {memory})"


class TemplateTrial:
    """Render templates in a child process."""

    def __init__(
        self, *, seconds: float = SECONDS, memory_bytes: int = MEMORY_BYTES, program: str = _PROGRAM
    ) -> None:
        self._seconds = seconds
        self._memory_bytes = memory_bytes
        self._program = program.format(seconds=max(1, round(seconds)), memory=memory_bytes)
        self._try = lru_cache(maxsize=64)(self._run)

    def __call__(self, content: Content) -> Sequence[str]:
        """Return the fields that a content uses; raises InvalidTemplate."""
        return self._try(content.subject, content.body, content.text)

    def _run(self, subject: str, body: str, text: str) -> Sequence[str]:
        asked = json.dumps({"subject": subject, "body": body, "text": text})
        try:
            done = subprocess.run(  # noqa: S603  our own interpreter, our own program
                [sys.executable, "-s", "-c", self._program],
                input=asked,
                capture_output=True,
                text=True,
                encoding="utf-8",
                timeout=self._seconds + 3,  # the start of the interpreter is not the template's
                env={"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"},
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise InvalidTemplate(self._too_much()) from error
        if done.returncode or not done.stdout:
            raise InvalidTemplate(self._too_much())
        answer = json.loads(done.stdout)
        if answer.get("refused"):
            raise InvalidTemplate(answer["refused"])
        return tuple(answer["variables"])

    def _too_much(self) -> str:
        megabytes = self._memory_bytes // (1024 * 1024)
        return (
            f"the template takes more than {self._seconds:g} s or {megabytes} MB to render: "
            "make it simpler"
        )


def child(seconds: int, memory: int) -> None:
    """Be the child: take the limits, render, and say what came of it."""
    import resource  # not on Windows, where nothing but this module's parent would run

    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from sendmill.template import compile_content

    asked = json.load(sys.stdin)
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(used.ru_utime + used.ru_stime) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (spent + seconds, spent + seconds))
    sender = Config(email_service=Service.SES, from_email="preview@example.com")
    content = Content(
        subject=asked["subject"], body=asked["body"], text=asked["text"], config=sender
    )
    answer: dict[str, object]
    try:
        compiled = compile_content(content)
        compiled.render(dict.fromkeys(compiled.variables, "x"))
        answer = {"variables": sorted(compiled.variables)}
    except InvalidTemplate as error:
        answer = {"refused": str(error)}
    sys.stdout.write(json.dumps(answer))
