#!/usr/bin/env bash
# Run the long part of the fault tests and print what came out: thousands of seeds, every mutant
# over all its seeds, dozens of kills. The short part of each runs in make test.
# Purpose:     make fault
# Parameters:  what pytest takes; default: tests/fault
# Environment: SEED    replays one seed of the simulation and of the random kills
#              FAULT_PORT  uses a stack that stands already on this emulator port, instead of its own
#              the caller's AWS settings are left behind, so that nothing can reach an account
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck disable=SC2046  # one word a variable
unset $(compgen -e | grep -E '^(AWS_|LOCALSTACK_|TF_VAR_|EMULATOR)' || true)
export AWS_EC2_METADATA_DISABLED=true FAULT=long
[ "$#" -gt 0 ] || set -- tests/fault

mkdir -p build
log=build/fault.log
started=$(date +%s)
status=0
.venv/bin/python -m pytest -s --durations=0 --durations-min=10 "$@" 2>&1 | tee "$log" || status=$?

echo
echo "== fault: $(($(date +%s) - started)) s; everything above is in $log"
grep -E '^(policy |SEED=|[a-z A-Z]+: [0-9]+ of |[0-9]+ recipients: )' "$log" || true
tail -n 1 "$log"
exit "$status"
