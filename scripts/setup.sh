#!/usr/bin/env bash
# Makes a virtual environment at the repository root from its hashed lock.
#
#   dev        .venv            tests, linters, the aws command; imports the first-party package
#   emulator   .venv-emulator   the emulator, which runs the functions inside its interpreter
#
# Does nothing, quickly, while the lock and the interpreter are those of the last run. A failed or
# interrupted run leaves no stamp, so the next one starts afresh. Two runs at once wait in line.
#
# Usage:        scripts/setup.sh [dev|emulator]...   (default: dev)
# Environment:  SENDMILL_PYTHON   the interpreter to use (see scripts/find_python.sh)
#               PIP_*             pip's own settings: index, proxy, certificate
# Output:       progress on stderr; pip's words in build/logs/setup-<environment>.log
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
root="$PWD"
readonly root
# Wheels alone, so that no compiler is needed. The one exception is pure Python without a wheel.
readonly formats=(--only-binary=:all: --no-binary=localstack-client)
readonly layout=1 # raise it when this script starts to lay an environment out differently

say() { printf 'setup: %s\n' "$*" >&2; }

fail() {
  say "$@"
  exit 1
}

# What an environment was made from. Paths count: the scripts in bin/ hold absolute ones.
stamp_of() {
  local venv="$1" lock="$2"
  printf 'layout %s\nroot %s\npython %s\n' "$layout" "$root" \
    "$(sed -n 's/^version *= *//p' "$venv/pyvenv.cfg" 2>/dev/null)"
  cat "$lock"
}

current() {
  local venv="$1" lock="$2"
  [[ -f "$venv/.stamp" ]] && cmp -s "$venv/.stamp" <(stamp_of "$venv" "$lock") &&
    [[ -z "${SENDMILL_PYTHON:-}" || "$venv/bin/python" -ef "$(scripts/find_python.sh)" ]] &&
    "$venv/bin/python" -ISc '' 2>/dev/null
}

# First-party code is imported from the source tree, so an edit needs no installation.
link_package() {
  local site
  site="$("$1/bin/python" -Ic 'import sysconfig; print(sysconfig.get_path("purelib"))')"
  printf '%s\n' "$root/layers/sendmill/python" >"$site/sendmill.pth"
}

make_environment() {
  local name="$1" venv="$2" lock="$3" log="$4" python="$5" started=$SECONDS
  say "$venv from $lock with $("$python" -V)"
  rm -rf "$venv"
  if ! {
    "$python" -m venv "$venv" &&
      "$venv/bin/python" -m pip install --require-hashes --no-deps "${formats[@]}" \
        --progress-bar=off -r "$lock"
  } >"$log" 2>&1; then
    fail "$(scripts/explain_pip.sh "$log") (see ${log#"$root"/})"
  fi
  [[ "$name" != dev ]] || link_package "$venv"
  stamp_of "$venv" "$lock" >"$venv/.stamp"
  say "$venv is ready after $((SECONDS - started)) s"
}

set_up() {
  local name="$1" venv
  case "$name" in
    dev) venv=.venv ;;
    emulator) venv=.venv-emulator ;;
    *) fail "unknown environment '$name': must be dev or emulator" ;;
  esac
  local lock="scripts/requirements/$name.txt" log="$root/build/logs/setup-$name.log" python
  current "$venv" "$lock" && return

  python="$(scripts/find_python.sh)" || exit 1
  mkdir -p "$root/build/logs"
  exec 9>"$root/build/logs/setup-$name.lock"
  # The lock belongs to descriptor 9, so it outlives this Python; flock(1) is missing on macOS.
  "$python" -ISc 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
  current "$venv" "$lock" || make_environment "$name" "$venv" "$lock" "$log" "$python"
  exec 9>&-
}

# Settings of the person's own that would send the packages somewhere else.
unset PYTHONHOME PYTHONPATH PIP_TARGET PIP_PREFIX PIP_REQUIREMENT PIP_CONSTRAINT
export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

[[ $# -gt 0 ]] || set -- dev
for name in "$@"; do
  set_up "$name"
done
