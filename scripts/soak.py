"""Send very many mails with faults through the emulator, and check that nothing is lost or leaks.

Campaigns of at most WAVE recipients follow each other, since the emulator's queues should stay
below 20,000 messages. One call of SES in a hundred goes wrong: refused for the rate, an error of
the server, an answer lost after the mail was taken, or before. Whoever is unknown in the end is
sent again by a person's word, as the policy `hold` wants, once every event has been heard.

Parameters:  --recipients N   how many (default 100,000)
             --wave N         how many a campaign (default 10,000, or a quarter of all if less)
Environment: EMULATOR_PORT
Exit code:   0 only when everybody was mailed once, every counter agrees with the rows and with the
             mailbox, and no function's process has grown
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stack import Stack

FAULTS = ("throttle", "server_error", "accept_then_drop", "drop")
SHARE = 0.01
WAVE = 10_000
# Nothing happens for so long: something is stuck.
PATIENCE_SECONDS = 1200
SAMPLE_SECONDS = 5.0
# What a process may grow by from the first campaigns to the last: pages of the allocator.
GROWTH, SLACK_MB = 1.15, 8.0
SENDING = ("email_worker", "dispatch", "feedback", "sweep", "api")


@dataclass
class Memory:
    """Sample how much memory each function's processes hold."""

    stack: Stack
    samples: dict[str, dict[int, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def sample(self, wave: int) -> None:
        """Look once."""
        for name, pid in processes(self.stack):
            megabytes = resident_mb(pid)
            if megabytes:
                self.samples[name][wave].append(megabytes)

    def grown(self, last: int) -> Iterator[str]:
        """Print a line a function; yield those that hold more in the last campaign."""
        first = min(1, last)  # the first campaign warms the processes up
        for name, waves in sorted(self.samples.items()):
            if first not in waves or last not in waves:
                continue
            before, after = statistics.median(waves[first]), statistics.median(waves[last])
            most = max(max(found) for found in waves.values())
            print(
                f"memory {name:<13} {before:6.1f} MB, at last {after:6.1f} MB, peak {most:.1f} MB"
            )
            if last > first and after > before * GROWTH + SLACK_MB:
                yield name


def processes(stack: Stack) -> Iterator[tuple[str, int]]:
    """Yield the function and the id of each process that this emulator runs."""
    names = {stack.outputs["function_names"][name]: name for name in SENDING}
    endpoint = f"AWS_ENDPOINT_URL=http://127.0.0.1:{stack.port}"
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            found = (folder / "environ").read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:
            continue
        if endpoint not in found:
            continue
        said = [line.partition("=")[2] for line in found if line.startswith("AWS_LAMBDA_FUNCTION_")]
        for name in names.keys() & set(said):
            yield names[name], int(folder.name)


def resident_mb(pid: int) -> float:
    """Return what a process holds, in MB; 0 when it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class Soak:
    """Hold one run."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.memory = Memory(stack)
        self.began = time.monotonic()
        self.faults: dict[str, int] = {}
        self.wrong: list[str] = []

    def say(self, text: str) -> None:
        """Print a line with the time."""
        print(f"{time.monotonic() - self.began:7.0f} s  {text}", flush=True)

    def campaign(self, number: int, count: int) -> None:
        """Send one campaign, and check it."""
        prefix = f"soak{int(time.time())}w{number}p"
        self.put_faults(number)
        campaign_id = self.start(prefix, count)
        over = {"complete", "complete_with_unknown"}
        found = self.until(number, campaign_id, lambda one: one["status"] in over)
        self.take_faults()
        # every event of a mail that SES took: its recipient is no longer unknown
        found = self.until(
            number,
            campaign_id,
            lambda one: one["states"].get("accepted", 0) == len(self.mailed(prefix)),
        )
        unknown = found["states"].get("unknown", 0)
        if unknown:
            self.say(f"campaign {number}: {unknown} were never taken by SES; sent again")
            path = f"/v1/campaigns/{campaign_id}/resolve"
            self.stack.request("POST", path, {"how": "resend"})
            found = self.until(
                number, campaign_id, lambda one: one["states"] == {"accepted": count}
            )
            found = self.until(number, campaign_id, lambda one: one["status"] == "complete")
        self.check(campaign_id, prefix, count, found)

    def put_faults(self, number: int) -> None:
        """Let one call in a hundred go wrong."""
        self.stack.mailbox("DELETE", "/faults")
        rules = [
            {
                "match": {"probability": SHARE / len(FAULTS), "seed": number * 10 + n},
                "action": action,
            }
            for n, action in enumerate(FAULTS)
        ]
        self.stack.mailbox("PUT", "/faults", rules)

    def take_faults(self) -> None:
        """Let nothing go wrong any more, and remember what did."""
        found: Any = self.stack.mailbox("GET", "/faults")
        rules = found["rules"] if isinstance(found, dict) else found
        for rule in rules:
            fired = int(rule.get("fired", 0))
            self.faults[rule["action"]] = self.faults.get(rule["action"], 0) + fired
        self.stack.mailbox("DELETE", "/faults")

    def start(self, prefix: str, count: int) -> str:
        """Import a list and start a campaign for it."""
        csv = "email,name\n" + "".join(f"{prefix}{n}@example.com,N{n}\n" for n in range(count))
        path = f"/v1/contact-lists?name={prefix}"
        found = self.stack.request("POST", path, csv.encode(), content_type="text/csv", timeout=300)
        campaign = self.stack.request(
            "POST",
            "/v1/campaigns",
            {
                "name": prefix,
                "list_id": found["list_id"],
                "subject": "Hello {{name}}",
                "body": "<p>Dear {{name}},</p><p>this is a soak.</p>",
                "unknown_policy": "hold",
                "config": {"email_service": "ses", "from_email": "noreply@example.com"},
            },
        )
        campaign_id: str = campaign["campaign_id"]
        self.stack.request("POST", f"/v1/campaigns/{campaign_id}/start")
        return campaign_id

    def until(
        self, number: int, campaign_id: str, good: Callable[[dict[str, Any]], bool]
    ) -> dict[str, Any]:
        """Wait until a campaign is so, and print how far it is; raises TimeoutError when stuck."""
        seen: Any = None
        moved = said = 0.0
        while True:
            found: dict[str, Any] = self.stack.request("GET", f"/v1/campaigns/{campaign_id}")
            now = time.monotonic()
            self.memory.sample(number)
            if (found["status"], found["states"]) != seen:
                seen, moved = (found["status"], found["states"]), now
            if now - said > 4 * SAMPLE_SECONDS:
                self.say(f"campaign {number}: {found['status']} {found['states']}")
                said = now
            if good(found):
                return found
            if now - moved > PATIENCE_SECONDS:
                raise TimeoutError(f"campaign {campaign_id} is stuck: {seen}")
            time.sleep(SAMPLE_SECONDS if found["total"] > WAVE / 10 else 1.0)

    def mailed(self, prefix: str) -> dict[str, int]:
        """Return how often SES took a mail to each address that begins so."""
        found: Any = self.stack.mailbox("GET", "/stats")["per_recipient"]
        return {address: n for address, n in found.items() if address.startswith(prefix)}

    def check(self, campaign_id: str, prefix: str, count: int, found: dict[str, Any]) -> None:
        """Note whatever is not exactly as it must be."""
        mails = self.mailed(prefix)
        rows = self.stack.pages(f"/v1/campaigns/{campaign_id}/recipients?state=accepted")
        twice = sum(n > 1 for n in mails.values())
        facts = {
            "lost": count - len(mails),
            "twice": twice,
            "counters": int(found["states"] != {"accepted": count}),
            "rows": count - len({row["email"] for row in rows}),
        }
        self.wrong += [f"{campaign_id}: {name} {n}" for name, n in facts.items() if n]
        self.say(f"{campaign_id}: {len(mails)} mailed, wrong: {facts}")


def waves(recipients: int, wave: int) -> Iterator[int]:
    """Yield how many each campaign has."""
    while recipients > 0:
        yield min(wave, recipients)
        recipients -= wave


def main() -> int:
    """Run; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipients", type=int, default=100_000)
    parser.add_argument("--wave", type=int, default=0)
    asked = parser.parse_args()
    wave = asked.wave or max(1, min(WAVE, asked.recipients // 4))
    stack = Stack.local()
    stack.sign_in()
    soak = Soak(stack)
    sizes = list(waves(asked.recipients, wave))
    for number, count in enumerate(sizes):
        soak.say(f"campaign {number} of {len(sizes)}: {count} recipients")
        soak.campaign(number, count)
    grown = list(soak.memory.grown(len(sizes) - 1))
    seconds = time.monotonic() - soak.began
    print(f"faults   {soak.faults}")
    print(f"wrong    {soak.wrong or 'nothing'}; grown: {grown or 'nothing'}")
    print(f"{asked.recipients} recipients in {len(sizes)} campaigns, {seconds:.0f} s")
    return int(bool(soak.wrong or grown))


if __name__ == "__main__":
    sys.exit(main())
