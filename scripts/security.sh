#!/usr/bin/env bash
# Check what Terraform would make: checkov on the code with our own checks, parliament on every policy.
#
# Usage:        scripts/security.sh [setup|checkov|policies]...     (default: checkov policies)
# Environment:  SENDMILL_PYTHON   the interpreter of the environment (see scripts/find_python.sh)
# Output:       what is not as it should be; exit 1 if there is anything
#
# The tools live in build/security/venv, made from a hashed lock the first time; no network after that. A
# skipped check has its reason in the code, or in scripts/security/checkov.yaml when it is about all of it.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly venv=build/security/venv lock=scripts/requirements/security.txt
readonly log=build/logs/setup-security.log

say() { printf 'security: %s\n' "$*" >&2; }

set_up() {
  local python
  cmp -s "$venv/.stamp" "$lock" && return
  python="$(scripts/find_python.sh)"
  mkdir -p build/logs build/security
  say "$venv from $lock (about a minute, once)"
  rm -rf "$venv"
  "$python" -m venv "$venv"
  if ! PIP_DISABLE_PIP_VERSION_CHECK=1 "$venv/bin/python" -m pip install --require-hashes --no-deps \
    --progress-bar=off -r "$lock" >"$log" 2>&1; then
    say "$(scripts/explain_pip.sh "$log") (see $log)"
    exit 1
  fi
  cp "$lock" "$venv/.stamp"
}

setup() { :; } # which every part begins with

# Variables as production has them: what is off there is not looked at.
checkov() {
  say "checkov"
  env -u AWS_PROFILE LOG_LEVEL=ERROR CHECKOV_RUN_SCA_PACKAGE_SCAN_V2=false \
    "$venv/bin/checkov" --config-file scripts/security/checkov.yaml
}

policies() {
  say "parliament"
  "$venv/bin/python" -W ignore scripts/security/policies.py
}

set_up
[[ $# -gt 0 ]] || set -- checkov policies
for part in "$@"; do
  "$part"
done
