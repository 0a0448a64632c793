#!/usr/bin/env bash
# Make the virtual environment of the pipeline's own tools, and print where it is.
#
# Usage:        scripts/pipeline_tools.sh
# Environment:  SENDMILL_PYTHON   the interpreter of the environment (see scripts/find_python.sh)
# Output:       the folder on stdout; pip's words in build/logs/setup-pipeline.log
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly venv=build/pipeline/venv lock=scripts/requirements/pipeline.txt log=build/logs/setup-pipeline.log

if ! cmp -s "$venv/.stamp" "$lock"; then
  mkdir -p build/logs build/pipeline
  rm -rf "$venv"
  "$(scripts/find_python.sh)" -m venv "$venv"
  if ! PIP_DISABLE_PIP_VERSION_CHECK=1 "$venv/bin/python" -m pip install --require-hashes --no-deps \
    --only-binary=:all: --progress-bar=off -r "$lock" >"$log" 2>&1; then
    echo "pipeline: $(scripts/explain_pip.sh "$log") (see $log)" >&2
    exit 1
  fi
  cp "$lock" "$venv/.stamp"
fi
echo "$venv"
