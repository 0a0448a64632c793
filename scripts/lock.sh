#!/usr/bin/env bash
# Writes the hashed locks of both layers and of both virtual environments from their .in files.
#
# One lock serves every machine: all platforms (aarch64 and x86_64 alike), Python 3.11 and newer.
# A lock names no index, so each place installs from the index it is configured for.
#
# Usage:        scripts/lock.sh [--upgrade] [uv options]
#               Without --upgrade versions stay as locked wherever the .in file still allows them.
# Environment:  UV    the uv to use (default: .venv/bin/uv, else the one on PATH)
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

uv="${UV:-.venv/bin/uv}"
[[ -x "$uv" ]] || uv="$(command -v uv)" || {
  echo "lock: uv not found; run 'make setup', or set UV" >&2
  exit 1
}

# In this order: the environments are held at the versions of the layers.
locks=(
  layers/dependencies/requirements
  layers/imaging/requirements
  scripts/requirements/emulator
  scripts/requirements/dev
  scripts/requirements/bench
  scripts/requirements/security
  scripts/requirements/django52
  scripts/requirements/django60
  scripts/requirements/django61
  scripts/requirements/pipeline
)

# The oldest Python that a lock has to serve.
oldest_python() {
  case "$1" in
    */django6?) echo 3.12 ;; # Django 6 runs on nothing older
    *) echo 3.11 ;;
  esac
}

for lock in "${locks[@]}"; do
  echo "lock: $lock.txt" >&2
  UV_CUSTOM_COMPILE_COMMAND="make lock" "$uv" pip compile --quiet \
    --universal --python-version "$(oldest_python "$lock")" --generate-hashes \
    --no-emit-index-url --no-emit-find-links \
    "$lock.in" --output-file "$lock.txt" "$@"
done

if grep -nE '[a-z]+://' "${locks[@]/%/.txt}"; then
  echo "lock: the lines above name a host; a lock must not" >&2
  exit 1
fi
