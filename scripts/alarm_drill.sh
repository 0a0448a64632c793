#!/usr/bin/env bash
# Fire one alarm of each severity in an environment, and see whether anybody would hear it.
# Purpose:     make alarm-drill ENV=prod
# Parameters:  none
# Environment: ENV, EMULATED, EMULATOR_PORT  see scripts/lib_environment.sh
#              ALARM                         the name of another alarm to fire
set -euo pipefail

# shellcheck source=scripts/lib_environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib_environment.sh"

require_environment
outputs="$("$REPOSITORY/scripts/terraform.sh" output)"
eval "$(environment_exports)"
"$REPOSITORY/.venv/bin/python" "$REPOSITORY/scripts/alarm_drill.py" <<<"$outputs"
