#!/usr/bin/env bash
# What an environment is: its name, its region, and whether it stands on AWS or on the emulator.
# Purpose:     sourced by the scripts that talk to AWS; defines functions and runs nothing.
# Environment: ENV            name of the environment: a file terraform/env/<name>.tfvars
#              EMULATED       1 sends any environment to the emulator; ENV=local always goes there
#              EMULATOR_PORT  port of the emulator on 127.0.0.1 (default 4566)

REPOSITORY="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

say() { printf '%s\n' "$*" >&2; }

die() {
  say "$*"
  exit 1
}

known_environments() {
  local file
  for file in "$REPOSITORY"/terraform/env/*.tfvars; do
    file="$(basename "$file" .tfvars)"
    [ "$file" = emulated ] || printf '%s\n' "$file"
  done
}

# Check ENV, and set EMULATED and EMULATOR_URL from it.
require_environment() {
  local known
  ENV="${ENV:-}"
  known="$(known_environments | paste -sd ' ' -)"
  case "$ENV" in
    "" | *[!a-z0-9-]*) die "ENV must be one of: $known (got \"$ENV\")." ;;
  esac
  case " $known " in
    *" $ENV "*) ;;
    *) die "ENV must be one of: $known (got \"$ENV\")." ;;
  esac
  adopt_endpoint
  EMULATOR_PORT="${EMULATOR_PORT:-4566}"
  case "$EMULATOR_PORT" in
    *[!0-9]*) die "EMULATOR_PORT must be a number (got \"$EMULATOR_PORT\")." ;;
  esac
  EMULATOR_URL="http://127.0.0.1:$EMULATOR_PORT"
  [ "$ENV" = local ] && EMULATED=1
  case "${EMULATED:-0}" in
    1) EMULATED=1 ;;
    0) EMULATED=0 ;;
    *) die "EMULATED must be 1 or 0 (got \"$EMULATED\")." ;;
  esac
}

# A loopback AWS_ENDPOINT_URL can only be an emulator: the same as EMULATED=1 with its port.
adopt_endpoint() {
  local port
  [ -z "${EMULATED:-}" ] && [ "$ENV" != local ] || return 0
  case "${AWS_ENDPOINT_URL:-}" in
    http://127.0.0.1:* | http://localhost:*) ;;
    *) return 0 ;;
  esac
  port="${AWS_ENDPOINT_URL##*:}"
  EMULATED=1 EMULATOR_PORT="${port%%/*}"
  say "AWS_ENDPOINT_URL is $AWS_ENDPOINT_URL: $ENV goes to the emulator there (as with EMULATED=1)."
}

is_emulated() { [ "$EMULATED" = 1 ]; }

# A string from the environment's tfvars, for instance aws_region.
environment_value() {
  sed -n "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*\"\([^\"]*\)\".*/\1/p" \
    "$REPOSITORY/terraform/env/$ENV.tfvars"
}

# Bucket of the zips, the layers and their manifests.
artefact_bucket() {
  local name
  name="$(environment_value artefact_bucket)"
  echo "${name:-sendmill-$ENV-artefacts}"
}

# Prod and GovCloud want their name typed before something is done to them.
confirm_by_name() {
  local answer=""
  is_emulated && return 0
  case "$ENV" in prod | govcloud) ;; *) return 0 ;; esac
  case "${CI:-}/${AUTO_APPROVE:-}" in true/* | 1/* | */1 | */true) return 0 ;; esac
  printf 'This will %s %s. Type %s to go on: ' "$1" "$ENV" "$ENV" >&2
  read -r answer || true
  [ "$answer" = "$ENV" ] || die "Stopped: \"$answer\" is not \"$ENV\". Nothing was changed."
}

# The emulator takes an access key of 12 digits for the account: each environment has its own there.
emulator_account() {
  case "$ENV" in
    dev) echo 111111111111 ;;
    prod) echo 222222222222 ;;
    govcloud) echo 333333333333 ;;
    *) echo 000000000000 ;;
  esac
}

# Shell lines that point every AWS client at the environment. On the emulator no profile, token or
# configuration file of the person at the keyboard remains in reach.
environment_exports() {
  local region
  region="$(environment_value aws_region)"
  echo "export AWS_REGION=$region"
  is_emulated || return 0
  cat <<LINES
export AWS_DEFAULT_REGION=$region
export AWS_ENDPOINT_URL=$EMULATOR_URL
export AWS_ACCESS_KEY_ID=$(emulator_account)
export AWS_SECRET_ACCESS_KEY=emulator
export AWS_EC2_METADATA_DISABLED=true
export AWS_CONFIG_FILE=/dev/null
export AWS_SHARED_CREDENTIALS_FILE=/dev/null
export PATH=$(printf %q "$REPOSITORY/scripts/emulator/bin:$PATH")
export NO_PROXY=127.0.0.1,localhost${NO_PROXY:+,$NO_PROXY}
export no_proxy=127.0.0.1,localhost${no_proxy:+,$no_proxy}
unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN AWS_SECURITY_TOKEN
unset AWS_ROLE_ARN AWS_WEB_IDENTITY_TOKEN_FILE AWS_USE_FIPS_ENDPOINT AWS_USE_DUALSTACK_ENDPOINT
LINES
}
