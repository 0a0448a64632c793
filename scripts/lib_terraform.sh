#!/usr/bin/env bash
# How Terraform is run here: the provider's mirror, failures in one sentence, one environment's settings.
# Purpose:     sourced by terraform.sh and bootstrap.sh; defines functions and runs nothing.
# Environment: TERRAFORM_DIR     set by the script that sources it: the folder of the root module
#              TF_PLUGIN_MIRROR  see scripts/find_provider_mirror.sh
#              CI, AUTO_APPROVE  true or 1: prod and govcloud are changed without asking
#              LOCK_TIMEOUT      how long another's lock is waited for (default 30s)

# shellcheck source=scripts/lib_environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib_environment.sh"

BUILD="$REPOSITORY/build"
ENVIRONMENTS="$REPOSITORY/terraform/env"
UNLOCK=unlock # the target of make that releases a lock

# --- Terraform itself ---------------------------------------------------------------------------------

require_terraform() {
  command -v terraform >/dev/null || die "terraform is not on the PATH: install version 1.11 or newer."
  export TF_IN_AUTOMATION=1 TF_INPUT=0 CHECKPOINT_DISABLE=1
  unset TF_WORKSPACE TF_CLI_ARGS
  use_provider_mirror
  [ -t 2 ] && COLOUR=() || COLOUR=(-no-color)
}

# Point Terraform at a local mirror, if there is one. A configuration file of the caller's keeps its other
# settings; one that installs providers in its own way stays as it is; one that does not exist is dropped.
use_provider_mirror() {
  local own="${TF_CLI_CONFIG_FILE:-$HOME/.terraformrc}" mirror
  [ -f "${TF_CLI_CONFIG_FILE:-/dev/null}" ] || unset TF_CLI_CONFIG_FILE
  [ -f "$own" ] || own=/dev/null
  if [ -z "${TF_PLUGIN_MIRROR:-}" ] && grep -q '^[[:space:]]*provider_installation' "$own"; then
    return 0
  fi
  mirror="$("$REPOSITORY/scripts/find_provider_mirror.sh")"
  [ -n "$mirror" ] || return 0
  mkdir -p "$BUILD"
  {
    [ "$own" = /dev/null ] || [ "$own" = "$BUILD/terraform.rc" ] || cat "$own"
    cat <<LINES

provider_installation {
  filesystem_mirror {
    path    = "$mirror"
    include = ["registry.terraform.io/hashicorp/aws"]
  }
  direct {
    exclude = ["registry.terraform.io/hashicorp/aws"]
  }
}
LINES
  } >"$BUILD/terraform.rc.$$"
  mv "$BUILD/terraform.rc.$$" "$BUILD/terraform.rc"
  export TF_CLI_CONFIG_FILE="$BUILD/terraform.rc"
}

# Run terraform with its errors kept aside, so that a failure starts with one clear sentence. Statuses 0
# and, of a plan, 2 (there are changes) are returned; others end the script.
run_terraform() {
  local errors status=0
  errors="$(mktemp)"
  terraform -chdir="$TERRAFORM_DIR" "$@" 2>"$errors" || status=$?
  if [ "$status" = 0 ] || { [ "$status" = 2 ] && [ "$1" = plan ]; }; then
    rm -f "$errors"
    return "$status"
  fi
  explain "$errors"
  tail -n 60 "$errors" >&2
  rm -f "$errors"
  exit 1
}

# One sentence for the failures that are nobody's bug.
explain() {
  local text escape=$'\033' bar=$'\342\224\202'
  text="$(sed -e "s/$escape\[[0-9;]*m//g" -e "s/$bar//g" "$1" | tr -s '[:space:]' ' ')"
  case "$text" in
    *"Error acquiring the state lock"*) explain_lock "$text" ;;
    *"Failed to query available provider packages"* | *"Failed to install provider"* | *"registry.terraform.io"*"connect"*)
      say "The AWS provider cannot be had: the Terraform registry does not answer, and no local mirror holds it for this machine (TF_PLUGIN_MIRROR names one)."
      ;;
    *"No valid credential sources found"* | *"no EC2 IMDS role found"* | *"failed to refresh cached credentials"* | *"ExpiredToken"* | *"InvalidClientTokenId"* | *"failed to get shared config profile"*)
      say "There are no valid AWS credentials for $ENV: sign in (AWS_PROFILE, aws sso login), or add EMULATED=1 for the emulator."
      ;;
    *"AWS account ID not allowed"*)
      say "These credentials belong to an account that allowed_account_ids in terraform/env/$ENV.tfvars does not list."
      ;;
    *"S3 bucket"*"does not exist"* | *"NoSuchBucket"*)
      say "The state bucket of $ENV does not exist: put the name of yours into terraform/env/$ENV.s3.tfbackend, and make it with \`make bootstrap ENV=$ENV\`."
      ;;
    *"EntityAlreadyExists"*"Provider with url"*)
      say "This account trusts GitHub already, and can do so only once: set github = { repository = ..., provider_exists = true } in terraform/bootstrap/env/$ENV.tfvars."
      ;;
    *"already exists"* | *"AlreadyOwnedByYou"*)
      if is_emulated; then
        say "The emulator holds things this state does not know, as a killed deploy leaves them: start it anew with \`make down up\`."
      else
        say "$ENV holds things its state does not know, as a killed deploy leaves them: delete them, or bring each into the state with \`terraform import\`."
      fi
      ;;
    *"connection refused"*)
      if is_emulated; then say "The emulator at $EMULATOR_URL stopped answering."; fi
      ;;
    *"no such host"* | *"i/o timeout"*)
      say "AWS cannot be reached from here: is there a way to the network?"
      ;;
    *"DeletionProtection"* | *"deletion protection"* | *"BucketNotEmpty"*)
      say "$ENV protects its data: set protect_data = false in terraform/env/$ENV.tfvars, deploy, and destroy again."
      ;;
  esac
}

explain_lock() {
  local id
  id="$(sed -n 's/.* ID: \([0-9a-f-]*\).*/\1/p' <<<"$1")"
  say "The state of $ENV is locked by a run that still works or was killed: if none works any more, release it with \`make $UNLOCK ENV=$ENV$(emulated_word) ID=$id\`."
}

emulated_word() { if is_emulated && [ "$ENV" != local ]; then echo " EMULATED=1"; fi; }

# --- One environment ----------------------------------------------------------------------------------

# The folder of the environments' files may be given, seen from the root module.
select_environment() {
  local env="${1:-env}"
  require_environment
  SLUG="$ENV"
  VARIABLES=(-var-file="$env/$ENV.tfvars")
  BACKEND=(-backend-config="$env/$ENV.s3.tfbackend")
  if is_emulated; then
    SLUG="$ENV-emulated-$EMULATOR_PORT"
    VARIABLES+=(-var-file="$env/emulated.tfvars" -var="emulator_url=$EMULATOR_URL")
    BACKEND+=(-backend-config="$env/emulated.s3.tfbackend")
    # Also the addresses of single services, which would go before the common one.
    local name
    for name in $(compgen -v AWS_ENDPOINT_URL || true); do unset "$name"; done
    eval "$(environment_exports)"
    require_emulator
    make_state_bucket
  fi
  require_terraform
  export TF_DATA_DIR="$TERRAFORM_DIR/.data-$SLUG"
  PLAN="$BUILD/plans/$SLUG.tfplan"
}

require_emulator() {
  curl -sf --noproxy '*' -m 5 -o /dev/null "$EMULATOR_URL/_localstack/health" ||
    die "No emulator answers at $EMULATOR_URL: start it with \`make up\`, or give its EMULATOR_PORT."
}

# A string from the environment's backend file.
backend_value() {
  sed -n "s/^$1 *= *\"\(.*\)\".*/\1/p" "$ENVIRONMENTS/$ENV.s3.tfbackend"
}

# What bootstrap does once for a real account.
make_state_bucket() {
  local bucket region body="" answer
  bucket="$(backend_value bucket)"
  region="$(backend_value region)"
  [ "$region" = us-east-1 ] ||
    body="<CreateBucketConfiguration><LocationConstraint>$region</LocationConstraint></CreateBucketConfiguration>"
  answer="$(curl -s --noproxy '*' -m 20 -o /dev/null -w '%{http_code}' -X PUT --data-raw "$body" \
    --aws-sigv4 "aws:amz:$region:s3" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
    "$EMULATOR_URL/$bucket")"
  case "$answer" in
    200 | 409) ;; # made, or there already
    *) die "The emulator would not make the state bucket $bucket (HTTP $answer)." ;;
  esac
}

# Init takes seconds, and is needed only when one of its inputs is another.
init() {
  local stamp inputs
  inputs="$(
    cd "$TERRAFORM_DIR" || exit
    terraform version | head -n 1
    echo "${BACKEND[*]} ${TF_CLI_CONFIG_FILE:-}"
    cat .terraform.lock.hcl versions.tf backend.tf "$ENVIRONMENTS"/*.s3.tfbackend \
      "${TF_CLI_CONFIG_FILE:-/dev/null}"
    grep -rhE '^[[:space:]]*(module|source)[[:space:]]' --include='*.tf' . | sort
  )"
  stamp="$(cksum <<<"$inputs")"
  if [ "$(cat "$TF_DATA_DIR/stamp" 2>/dev/null)" = "$stamp" ] && [ "${1:-}" != always ]; then
    return 0
  fi
  # A workspace that does not exist yet would stop init, so init runs in `default`.
  TF_WORKSPACE=default run_terraform init -lockfile=readonly -reconfigure ${COLOUR[@]+"${COLOUR[@]}"} \
    "${BACKEND[@]}" >&2
  run_terraform workspace select -or-create ${COLOUR[@]+"${COLOUR[@]}"} "$ENV" >&2
  echo "$stamp" >"$TF_DATA_DIR/stamp"
}

# Write the plan to a file, and show it. Returns 0 when there is nothing to change, 2 when there is.
make_plan() {
  local status=0
  mkdir -p "$BUILD/plans"
  (umask 077 && : >"$PLAN") # a plan holds every value it would set
  run_terraform plan -detailed-exitcode -out="$PLAN" ${COLOUR[@]+"${COLOUR[@]}"} "${VARIABLES[@]}" "$@" ||
    status=$?
  return "$status"
}

apply_plan() {
  run_terraform apply ${COLOUR[@]+"${COLOUR[@]}"} -lock-timeout="${LOCK_TIMEOUT:-30s}" "$PLAN" >&2
  rm -f "$PLAN"
}
