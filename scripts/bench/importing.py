"""Import 300,000 contacts with the function's own code, and print its rate and peak memory.

Purpose:     make import-bench
Parameters:  --rows N (default 300000), --limit-mb N: exit with 1 above it (default 256)
Environment: EMULATOR_PORT of a deployed stack; the handler runs in a process of its own, as one
             invocation, with the stack's table and bucket behind it
Output:      rows a second, peak memory, objects written; build/bench/importing.json
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "layers/sendmill/python")]

from sendmill.importing import Cursor, Import, ImportStatus  # noqa: E402
from sendmill.store import ImportBook, ListStore  # noqa: E402
from stack import Stack, local_environment  # noqa: E402

# The handler in a process of its own: what is measured is what Lambda would see.
_CHILD = """
import importlib.util, json, resource, sys, time
sys.path[:0] = [{layer!r}, {folder!r}]
class Context:
    function_name, memory_limit_in_mb, aws_request_id = "bench", 512, "bench"
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:bench"
    def get_remaining_time_in_millis(self):
        return 300_000
spec = importlib.util.spec_from_file_location("handler", {folder!r} + "/handler.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
def peak():
    try:  # ru_maxrss begins with what the parent had; this begins with the program
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
cold, started, cpu = peak(), time.monotonic(), time.process_time()
record = {{"messageId": "m", "body": json.dumps({{"import_id": {import_id!r}}})}}
answer = module.handler({{"Records": [record]}}, Context())
assert answer == {{"batchItemFailures": []}}, answer
print("\\n" + json.dumps({{
    "seconds": time.monotonic() - started, "cpu_seconds": time.process_time() - cpu,
    "idle_mb": cold, "peak_mb": peak()}}))
"""


def main() -> int:
    """Import, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--limit-mb", type=float, default=256.0)
    asked = parser.parse_args()
    stack = Stack.local()
    found = _prepared(stack, asked.rows)
    measured = _measured(stack, found.id)
    lists = _lists(stack)
    whole = lists.get(found.list_id)
    if whole is None or whole.rows != asked.rows:
        print(f"import-bench: the list is not whole: {whole}", file=sys.stderr)
        return 1
    measured |= {"rows": asked.rows, "rows_a_second": asked.rows / measured["seconds"]}
    _print(found, measured, whole.parts)
    lists.delete(found.list_id)
    return int(measured["peak_mb"] > asked.limit_mb)


def _prepared(stack: Stack, rows: int) -> Import:
    """Upload a file in which every hundredth row is rejected, and let its import run."""
    import_id = f"import_bench{int(time.time())}"
    body = b"email,first_name,last_name,company\n" + b"".join(
        b"user%d%s,Ada,Lovelace %d,Analytical Engines\n"
        % (n, b"" if n % 100 == 0 else b"@example.com", n)
        for n in range(rows)
    )
    s3, bucket = stack.client("s3"), stack.outputs["contacts_bucket"]
    etag = s3.put_object(Bucket=bucket, Key=f"uploads/{import_id}/file", Body=body)["ETag"]
    found = Import(
        id=import_id,
        list_id=f"list_{import_id}",
        name="bench",
        filename="bench.csv",
        size=len(body),
        status=ImportStatus.RUNNING,
        created_at=int(time.time()),
        encoding="utf-8",
        delimiter=",",
        columns=("email", "first_name", "last_name", "company"),
        etag=etag,
        cursor=Cursor(),
    )
    ImportBook(stack.client("dynamodb"), stack.outputs["campaigns_table"], _lists(stack)).add(found)
    return found


def _measured(stack: Stack, import_id: str) -> dict[str, Any]:
    program = _CHILD.format(
        layer=str(ROOT / "layers/sendmill/python"),
        folder=str(ROOT / "functions/import_contacts"),
        import_id=import_id,
    )
    outputs = stack.outputs
    settings = {
        "ENVIRONMENT": "bench",
        "CAMPAIGNS_TABLE": outputs["campaigns_table"],
        "CONTACTS_BUCKET": outputs["contacts_bucket"],
        "IMPORT_QUEUE_URL": outputs["import_queue_url"],
        "POWERTOOLS_SERVICE_NAME": "bench",
        "POWERTOOLS_METRICS_NAMESPACE": "Sendmill",
        "POWERTOOLS_TRACE_DISABLED": "true",
        "LOG_LEVEL": "WARNING",
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **local_environment(stack.port), **settings},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def _lists(stack: Stack) -> ListStore:
    return ListStore(
        stack.client("dynamodb"),
        stack.outputs["campaigns_table"],
        stack.client("s3"),
        stack.outputs["contacts_bucket"],
    )


def _print(found: Import, measured: dict[str, Any], parts: int) -> None:
    print(
        f"{measured['rows']:,} rows ({found.size / 1e6:.1f} MB) in {measured['seconds']:.1f} s: "
        f"{measured['rows_a_second']:,.0f} rows/s, {measured['cpu_seconds']:.1f} s of CPU; "
        f"{parts} parts; memory {measured['idle_mb']:.0f} MB idle, "
        f"{measured['peak_mb']:.0f} MB at the peak"
    )
    folder = ROOT / "build/bench"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "importing.json").write_text(json.dumps(measured, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
