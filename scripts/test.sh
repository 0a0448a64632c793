#!/usr/bin/env bash
# Run the tests; an emulator and a stack of their own are started and stopped by the tests themselves.
# All of them run in two lanes side by side: what looks at one deployed stack, which waits most of
# its time, and at low priority everything else.
# Purpose:     make test, make integration
# Parameters:  what pytest takes; default: every test, in two lanes
# Environment: none; the caller's AWS settings are left behind, so that nothing can reach an account
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck disable=SC2046  # one word a variable
unset $(compgen -e | grep -E '^(AWS_|LOCALSTACK_|TF_VAR_|EMULATOR)' || true)
export AWS_EC2_METADATA_DISABLED=true
pytest=(.venv/bin/python -m pytest --durations=15)

if [ "$#" -gt 0 ]; then
  exec "${pytest[@]}" "$@"
fi

mkdir -p build
log=build/tests-without-a-stack.log
echo "== tests that need no stack run beside the others; they write to $log"
nice -n 10 "${pytest[@]}" -p no:cacheprovider -m 'not integration' tests >"$log" 2>&1 &
beside=$!
trap 'kill "$beside" 2>/dev/null || true' EXIT
status=0
"${pytest[@]}" -m integration tests || status=$?
echo "== waiting for the tests that need no stack"
beside_status=0
wait "$beside" || beside_status=$?
trap - EXIT
cat "$log"
echo "== through the stack: exit $status; without a stack: exit $beside_status"
exit $((status > beside_status ? status : beside_status))
