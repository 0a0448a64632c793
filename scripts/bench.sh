#!/usr/bin/env bash
# Measures Sendmill beside its peers in one run, and prints the ratios.
#
# Usage:        scripts/bench.sh [--only billed,plain,dispatch,cost,cold,pages,tasks,pipeline]
# Environment:  BENCH        full (default, about fifteen minutes) or quick (under 90 s, no emulator)
#               BENCH_PORT   port of the emulator of the pipeline row (default 4650)
# Output:       tables on stdout; figures in build/bench/results.json
#
# The rows at a Lambda's CPU share need a CPU quota, so a writable cgroup: run it as root on Linux.
# Full runs install redis-server from Debian's packages where that can be done, and Celery from its
# hashed lock into build/bench/venv. Whatever is missing is skipped with one sentence.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly mode="${BENCH:-full}"
readonly venv=build/bench/venv lock=scripts/requirements/bench.txt

say() { printf 'bench: %s\n' "$*" >&2; }

# The peer: a broker, and Celery in an environment that holds nothing else.
prepare_celery() {
  if ! command -v redis-server >/dev/null; then
    if [[ "$(id -u)" == 0 ]] && command -v apt-get >/dev/null; then
      say "installing redis-server from Debian's packages"
      # RUNLEVEL=1: the package must not start its own server
      RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        redis-server >build/logs/bench-redis.log 2>&1 ||
        say "redis-server could not be installed (build/logs/bench-redis.log)"
    else
      say "redis-server is missing: install it to see Celery's row"
    fi
  fi
  cmp -s "$lock" "$venv/.lock" && return
  say "making $venv from $lock"
  rm -rf "$venv"
  "$(scripts/find_python.sh)" -m venv "$venv"
  if "$venv/bin/python" -m pip install --require-hashes --no-deps --only-binary=:all: \
    --progress-bar=off -r "$lock" >build/logs/bench-celery.log 2>&1; then
    cp "$lock" "$venv/.lock"
  else
    say "$(scripts/explain_pip.sh build/logs/bench-celery.log); Celery's row is skipped"
    rm -rf "$venv"
  fi
}

# Nothing of the caller's settings may lead to an account.
# shellcheck disable=SC2046  # one word a variable
unset $(compgen -e | grep -E '^(AWS_|LOCALSTACK_|TF_VAR_|EMULATOR)' || true)
export AWS_EC2_METADATA_DISABLED=true PYTHONPATH=

options=()
case "$mode" in
  quick) options+=(--quick) ;;
  full) ;;
  *)
    say "BENCH must be full or quick (got '$mode')"
    exit 1
    ;;
esac
mkdir -p build/logs build/bench
if [[ "$mode" == full && ("$*" != *--only* || "$*" == *pipeline* || "$*" == *tasks*) ]]; then
  prepare_celery
fi
exec .venv/bin/python scripts/bench/measure.py ${options[@]+"${options[@]}"} "$@"
