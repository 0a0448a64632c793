"""The estimate follows the prices in the file and the figures that were measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cost
import pytest

ROOT = Path(__file__).resolve().parents[2]
PRICES = json.loads(cost.PRICES.read_text())


def dollars(recipients: int, plan: str = "a-la-carte", where: str = "prod") -> dict[str, float]:
    lines = cost.estimate(recipients, PRICES, plan=plan, where=where)
    return {line.name: line.dollars for line in lines}


def test_a_million_mails_cost_what_performance_md_says() -> None:
    """DynamoDB 4.70 and 0.50, logs 0.34, SQS 0.12, Lambda 0.08 a million, SES 100 beside it."""
    found = dollars(1_000_000)
    assert found["DynamoDB, writes"] == pytest.approx(4.70, abs=0.02)
    assert found["DynamoDB, reads"] == pytest.approx(0.50)
    assert found["Logs"] == pytest.approx(0.34)
    assert found["SQS"] == pytest.approx(0.12)
    assert found["Lambda"] == pytest.approx(0.08, abs=0.01)
    assert found["SES"] == pytest.approx(100)


def test_a_batch_of_a_hundred_comes_to_its_measured_total() -> None:
    lines = cost.estimate(1_000_000, PRICES, plan="a-la-carte", batch=100)
    ours = sum(line.dollars for line in lines if not line.name.startswith(("SES", "Events")))
    assert ours == pytest.approx(5.14, abs=0.03)


def test_steps_of_a_plan_count_each_mail_once() -> None:
    assert dollars(10_000_000, "essentials")["SES"] == pytest.approx(1600)
    assert dollars(12_000_000, "essentials")["SES"] == pytest.approx(1600 + 280)
    assert dollars(1000, "pro")["SES"] == pytest.approx(105.22)


def test_govcloud_is_dearer_but_for_ses() -> None:
    here, there = dollars(1000), dollars(1000, where="govcloud")
    assert there["SQS"] == pytest.approx(here["SQS"] * PRICES["govcloud_factor"])
    assert there["SES"] == here["SES"]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts/cost.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_another_price_list_changes_the_estimate(tmp_path: Path) -> None:
    mine = tmp_path / "prices.json"
    mine.write_text(json.dumps({**PRICES, "sqs_request": 1.0}))
    done = run("--recipients", "10", "--prices", str(mine))
    assert "SQS                         3.00" in done.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--recipients", "many"], "RECIPIENTS must be 1 to 1,000,000,000 (got 'many')."),
        (["--recipients", ""], "(got '')"),
        (["--recipients", "1", "--plan", "gold"], "PLAN must be one of: a-la-carte essentials"),
        (["--recipients", "1", "--batch", "7"], "BATCH must be 10 or 100"),
    ],
)
def test_what_cannot_be_estimated_is_one_sentence(words: list[str], sentence: str) -> None:
    done = run(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
