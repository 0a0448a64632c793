#!/usr/bin/env bash
# Deploy the environment `local` to the running emulator, and send a soak with faults through it.
# Purpose:     make soak RECIPIENTS=100000
# Parameters:  those of scripts/soak.py
# Environment: EMULATOR_PORT   port of the emulator (default 4566)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p build/logs
ENV=local make deploy >build/logs/soak-deploy.log 2>&1 || {
  tail -n 40 build/logs/soak-deploy.log >&2
  exit 1
}
exec .venv/bin/python scripts/soak.py "$@"
