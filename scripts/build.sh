#!/usr/bin/env bash
# Builds the zips of the functions and layers, and build/<target>/artefacts.json which names them.
#
#   lambda   arm64, Python 3.13: what Terraform deploys to an account (or to the emulator in its place)
#   local    this machine and the emulator's interpreter: what the environment `local` runs
#
# Usage:        scripts/build.sh [lambda|local]   (default: lambda)
# Environment:  SOURCE_DATE_EPOCH   time of every zip entry (default 315532800, 1980-01-01)
#               PIP_*               pip's own settings: index, proxy, certificate
# Output:       a table of sizes on stdout; exit 1 when an artefact exceeds its budget
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
target="${1:-lambda}"

case "$target" in
  lambda) environment=dev venv=.venv ;;
  local) environment=emulator venv=.venv-emulator ;;
  *)
    echo "build: unknown target '$target': must be lambda or local" >&2
    exit 1
    ;;
esac

scripts/setup.sh "$environment"
"$venv/bin/python" scripts/vendor.py
exec "$venv/bin/python" scripts/package.py --target "$target"
