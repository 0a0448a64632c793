#!/usr/bin/env bash
# Look at a deployed environment, or stop it. Finds everything by the outputs of Terraform.
# Purpose:     make status, make logs, make dead-letters, make halt, make pause-all
# Parameters:  status | logs | dead-letters | halt | pause-all
# Environment: ENV, EMULATED, EMULATOR_PORT  see scripts/lib_environment.sh
#              FUNCTION   logs: one function (default: all);  SINCE   how far back (default 10m)
#              FOLLOW     logs: 0 ends after what is there (default 1)
#              TABLE      pause-all: a restored table that is not the deployed one yet
set -euo pipefail

# shellcheck source=scripts/lib_environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib_environment.sh"
cd "$REPOSITORY"
verb="${1:-}"

require_environment
eval "$(environment_exports)"
export AWS_DEFAULT_REGION="$AWS_REGION"
if [ "$verb" = status ] && is_emulated; then
  scripts/emulator.sh status || exit 1
fi
scripts/setup.sh dev
values="$(scripts/terraform.sh output)"
options=()
case "$verb" in
  status | halt) ;;
  dead-letters) ;;
  logs)
    options+=(--since "${SINCE:-10m}")
    [ -z "${FUNCTION:-}" ] || options+=(--function "$FUNCTION")
    [ "${FOLLOW:-1}" = 0 ] || options+=(--follow)
    ;;
  pause-all) [ -z "${TABLE:-}" ] || options+=(--table "$TABLE") ;;
  *) die "The verb must be one of: status logs dead-letters halt pause-all (got \"$verb\")." ;;
esac
if [ "$verb" = halt ] || [ "$verb" = pause-all ]; then
  confirm_by_name "$verb"
fi
exec .venv/bin/python scripts/operate.py "$verb" ${options[@]+"${options[@]}"} <<<"$values"
