#!/usr/bin/env bash
# Deploy the environment `local` to the running emulator, and send a load through it.
# Purpose:     make load
# Parameters:  those of scripts/load.py
# Environment: EMULATOR_PORT   port of the emulator (default 4566)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p build/logs
ENV=local make deploy >build/logs/load-deploy.log 2>&1 || {
  tail -n 40 build/logs/load-deploy.log >&2
  exit 1
}
exec .venv/bin/python scripts/load.py "$@"
