#!/usr/bin/env bash
# Prints the path of the newest CPython on this machine that works: 3.11 at least, 3.13 at most.
#
# 3.13 is the newest that Lambda and the pinned Terraform provider know. Version managers put shims
# on PATH that exist and yet refuse to run, so every candidate has to answer before it is printed.
#
# Usage:        scripts/find_python.sh [newest minor version, default 13]
# Environment:  SENDMILL_PYTHON   use this interpreter, whatever else is there
#               PYENV_ROOT        where pyenv keeps its versions (default ~/.pyenv)
set -euo pipefail

readonly oldest=11
newest="${1:-13}"
readonly newest

# Succeeds when "$1" is a CPython from 3.$oldest to 3.$2; prints its real path.
works() {
  "$1" -IS -c '
import sys
oldest, newest = (int(minor) for minor in sys.argv[1:])
ours = sys.implementation.name == "cpython" and (3, oldest) <= sys.version_info[:2] <= (3, newest)
if not ours:
    sys.exit(1)
print(sys.executable)
' "$oldest" "$2" 2>/dev/null
}

# Candidates for version 3.$1, one a line; shims last, since asking one that lies is slow.
candidates() {
  local pyenv="${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}" found
  found="$(type -ap "python3.$1" || true)"
  grep -v /shims/ <<<"$found" || true
  compgen -G "$pyenv/versions/3.$1.*/bin/python3.$1" | sort -rV || true
  grep /shims/ <<<"$found" || true
}

if [[ -n "${SENDMILL_PYTHON:-}" ]]; then
  works "$SENDMILL_PYTHON" "$newest" && exit 0
  echo "SENDMILL_PYTHON must be a CPython from 3.$oldest to 3.$newest (got $SENDMILL_PYTHON)" >&2
  exit 1
fi

for ((minor = newest; minor >= oldest; minor--)); do
  while IFS= read -r candidate; do
    [[ -n "$candidate" ]] && works "$candidate" "$minor" && exit 0
  done < <(candidates "$minor")
done
works python3 "$newest" && exit 0

echo "no working CPython from 3.$oldest to 3.$newest found on PATH or in pyenv: install one, or" \
  "name it in SENDMILL_PYTHON" >&2
exit 1
