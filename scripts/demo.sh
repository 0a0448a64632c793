#!/usr/bin/env bash
# Bring the environment `local` up to date on the running emulator, then send the demo's campaign.
# Purpose:     make demo
# Environment: EMULATOR_PORT   port of the emulator (default 4566)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

log=build/logs/demo-deploy.log
mkdir -p build/logs
echo "Deploying ENV=local with Terraform (log: $log; the first time takes a minute or two)" >&2
if ! ENV=local make deploy >"$log" 2>&1; then
  tail -n 40 "$log" >&2
  echo "The deploy failed; the whole log is $log." >&2
  exit 1
fi
grep -E '^(Apply complete|No changes)|Resources: ' "$log" | tail -n 1 >&2 || true
exec .venv/bin/python scripts/demo/run.py "$@"
