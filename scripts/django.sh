#!/usr/bin/env bash
# Fetches one release of Django for the tests of the Django side, by its hashed lock.
#
# No environment of its own: the packages go to a folder that is put in front of .venv's with
# PYTHONPATH, so boto3 and the rest are there already. Nothing happens while the lock stands.
#
# Usage:        scripts/django.sh packages django52|django60|django61
#               scripts/django.sh tests    the tests of task backends that Django 6.1 and
#                                          django-tasks-db have; none is kept in this repository
# Output:       the folder, on stdout; pip's words in build/logs/. Exit 3: .venv's Python is too old.
# Environment:  PIP_*   pip's own settings
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
root="$PWD"
python="$root/.venv/bin/python"
readonly root python

say() { printf 'django: %s\n' "$*" >&2; }

# Runs pip; its words go to a log and, when it fails, one sentence to stderr.
pip() {
  local log="$1"
  shift
  "$python" -m pip "$@" --disable-pip-version-check --progress-bar=off --no-deps --require-hashes \
    >"$log" 2>&1 || {
    say "$(scripts/explain_pip.sh "$log") (see ${log#"$root"/})"
    exit 1
  }
}

require_python() {
  [[ "$name" != django6? ]] && return
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' && return
  say "$name needs Python 3.12 or newer (.venv has $("$python" -V)): install one, then make setup"
  exit 3
}

fetch_packages() {
  pip "$root/build/logs/$name.log" install --only-binary=:all: --no-compile \
    --target "$1" -r "$lock"
}

# The lines of the lock for one package, hashes and all.
pinned() { awk -v name="$1" 'index($0, name "==") == 1 {on = 1} on {print} !/\\$/ {on = 0}' "$lock"; }

# Django needs no Python 3.12 for this: its tests are text here.
fetch_tests() {
  local tools archive
  tools="$("$0" packages django52)"
  { pinned django && pinned django-tasks-db; } >"$1.txt"
  PYTHONPATH="$tools" pip "$root/build/logs/$name.log" download --no-binary=:all: \
    --no-build-isolation --ignore-requires-python --dest "$1" -r "$1.txt"
  for archive in "$1"/*.tar.gz; do
    tar -xzf "$archive" -C "$1" --strip-components=2 "$(tests_of "$(basename "$archive" .tar.gz)")"
  done
  rm "$1.txt" "$1"/*.tar.gz
}

tests_of() {
  case "$1" in
    django_tasks_db-*) echo "$1/tests/tests.py" ;;
    *) echo "$1/tests/tasks" ;;
  esac
}

stamp() {
  printf 'layout 1\n%s\n' "$("$python" -V)"
  cat "$lock"
}

what="${1:-}" name="${2:-tests}"
[[ "$what $name" =~ ^(packages\ django(52|60|61)|tests\ tests)$ ]] || {
  say "usage: scripts/django.sh packages django52|django60|django61, or tests (got: $*)"
  exit 2
}
lock="scripts/requirements/${name/tests/django61}.txt"
folder="$root/build/django/$name"
require_python
# Settings of the person's own that would send the packages somewhere else.
unset PYTHONHOME PYTHONPATH PIP_TARGET PIP_PREFIX PIP_REQUIREMENT PIP_CONSTRAINT
export PIP_USER=0 PIP_NO_INPUT=1

if ! cmp -s "$folder.stamp" <(stamp); then
  mkdir -p "$root/build/logs" "$root/build/django"
  rm -rf "$folder" "$folder.stamp" "$folder.new"
  "fetch_$what" "$folder.new"
  mv "$folder.new" "$folder"
  stamp >"$folder.stamp"
fi
printf '%s\n' "$folder"
