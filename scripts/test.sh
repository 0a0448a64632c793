#!/usr/bin/env bash
# Run the tests; an emulator and a stack of their own are started and stopped by the tests themselves.
# Purpose:     make test, make integration
# Parameters:  what pytest takes; default: every test
# Environment: none; the caller's AWS settings are left behind, so that nothing can reach an account
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck disable=SC2046  # one word a variable
unset $(compgen -e | grep -E '^(AWS_|LOCALSTACK_|TF_VAR_|EMULATOR)' || true)
export AWS_EC2_METADATA_DISABLED=true
[ "$#" -gt 0 ] || set -- tests
exec .venv/bin/python -m pytest --durations=15 "$@"
