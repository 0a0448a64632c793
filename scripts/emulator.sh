#!/usr/bin/env bash
# Runs AWS on this machine: the embedded emulator with the SES stand-in beside it, or LocalStack.
#
# Usage:        scripts/emulator.sh up|down|status|logs
# Environment:  EMULATOR            embedded (default) or localstack (docker, LOCALSTACK_AUTH_TOKEN)
#               EMULATOR_PORT       where AWS answers (default 4566)
#               EMULATOR_SES_PORT   where SES and the mailbox answer (default EMULATOR_PORT + 1)
#               EMULATOR_AUTH       1: enforce IAM and queue policies (default 0; embedded only)
#               EMULATOR_RECORD     1: keep what each function asks of AWS in calls*.jsonl (default 0)
#               EMULATOR_LOG_LEVEL  DEBUG, INFO (default), WARNING or ERROR
#               EMULATOR_PYTHON     interpreter to run it on (default: that of .venv-emulator,
#                                   which `up` makes when it is missing)
# Output:       build/emulator-<port>/: ministack.log, ses.log, mailbox/, processes.json
#
# Both listen on 127.0.0.1 only. `up` waits until both answer and does nothing when they run.
# `down` ends only what `up` recorded, after proving by its start time that it still is that.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly command="${1:-}" kind="${EMULATOR:-embedded}"
readonly port="${EMULATOR_PORT:-4566}"

fail() {
  printf 'emulator: %s\n' "$*" >&2
  exit 1
}

require_port() {
  [[ "$2" =~ ^[1-9][0-9]{0,4}$ && "$2" -ge 1024 && "$2" -le 65535 ]] ||
    fail "$1 must be a port from 1024 to 65535 (got '$2')"
}

embedded() {
  local python="${EMULATOR_PYTHON:-.venv-emulator/bin/python}" options=()
  if [[ -z "${EMULATOR_PYTHON:-}" && "$command" == up ]]; then
    scripts/setup.sh emulator
  fi
  if ! [[ -x "$python" ]] && [[ "$command" != up ]]; then
    python="$(scripts/find_python.sh)" # the environment is gone; what it started may still run
  fi
  [[ "${EMULATOR_AUTH:-0}" != 1 ]] || options+=(--auth)
  [[ "${EMULATOR_RECORD:-0}" != 1 ]] || options+=(--record-calls)
  exec "$python" scripts/emulator/supervisor.py "$command" --build build --port "$port" \
    --ses-port "$ses_port" --log-level "${EMULATOR_LOG_LEVEL:-INFO}" ${options[@]+"${options[@]}"}
}

# LocalStack's own SES does the sending there; docker-compose.yml says what differs.
localstack() {
  command -v docker >/dev/null ||
    fail "EMULATOR=localstack needs docker: install it, or use the embedded emulator (unset EMULATOR)"
  docker info >/dev/null 2>&1 ||
    fail "the docker daemon does not answer: start it, or use the embedded emulator (unset EMULATOR)"
  [[ "$command" != up || -n "${LOCALSTACK_AUTH_TOKEN:-}" ]] ||
    fail "LocalStack needs LOCALSTACK_AUTH_TOKEN (an account of yours at localstack.cloud gives one)"
  export EMULATOR_PORT="$port" LOCALSTACK_AUTH_TOKEN="${LOCALSTACK_AUTH_TOKEN:-}"
  local compose=(docker compose --project-name "sendmill-$port")
  case "$command" in
    up) exec "${compose[@]}" up --detach --wait </dev/null ;;
    down) exec "${compose[@]}" down --volumes ;;
    status) exec "${compose[@]}" ps ;;
    logs) exec "${compose[@]}" logs --tail 60 ;;
  esac
}

case "$command" in
  up | down | status | logs) ;;
  *) fail "the command must be up, down, status or logs (got '$command')" ;;
esac
require_port EMULATOR_PORT "$port"
readonly ses_port="${EMULATOR_SES_PORT:-$((port + 1))}"
require_port EMULATOR_SES_PORT "$ses_port"
[[ "$port" != "$ses_port" ]] || fail "EMULATOR_PORT and EMULATOR_SES_PORT must differ (both $port)"

case "$kind" in
  embedded) embedded ;;
  localstack) localstack ;;
  *) fail "EMULATOR must be embedded or localstack (got '$kind')" ;;
esac
