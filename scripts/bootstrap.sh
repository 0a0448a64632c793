#!/usr/bin/env bash
# Make what an account needs before its first deploy: state bucket, artefact bucket, pipeline roles.
# Purpose:     make bootstrap. A second run, from any machine, finds what the first one made and changes
#              nothing: the state of all this lies in the state bucket. So the two buckets are made first, by
#              one call each; Terraform then adopts them and does the rest.
# Parameters:  none
# Environment: ENV, EMULATED, EMULATOR_PORT  see scripts/lib_environment.sh
#              ID                            id of a lock that a killed run left, to release it first
#              CI, AUTO_APPROVE, LOCK_TIMEOUT, TF_PLUGIN_MIRROR  see scripts/lib_terraform.sh
set -euo pipefail

# shellcheck source=scripts/lib_terraform.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib_terraform.sh"

TERRAFORM_DIR="$REPOSITORY/terraform/bootstrap"
UNLOCK=bootstrap

# The root's values that bootstrap shares; each stands on a line of its own there.
shared_values() {
  local file
  for file in "$@"; do
    grep -E '^(environment|aws_region|partition|owner|use_fips_endpoints|allowed_account_ids|emulated) *=' "$file"
  done
}

select_account() {
  select_environment ../env
  local files=("$ENVIRONMENTS/$ENV.tfvars") values="$BUILD/bootstrap/$SLUG.tfvars"
  mkdir -p "$BUILD/bootstrap"
  shared_values "${files[@]}" >"$values"
  is_emulated && override_values "$values" "$ENVIRONMENTS/emulated.tfvars"
  VARIABLES=(-var-file="$values" -var-file="env/$ENV.tfvars")
  VARIABLES+=(-var "state_bucket=$(backend_value bucket)" -var "artefact_bucket=$(artefact_bucket)")
  BACKEND+=(-backend-config=key=bootstrap.tfstate)
  export AWS_REGION
  AWS_REGION="$(environment_value aws_region)"
}

# A file of values may name each once: the later ones win.
override_values() {
  local line
  while read -r line; do
    sed -i.old "/^${line%% *} *=/d" "$1"
    echo "$line" >>"$1"
  done < <(shared_values "$2")
  rm -f "$1.old"
}

make_buckets() {
  "$REPOSITORY/scripts/setup.sh" dev
  "$REPOSITORY/.venv/bin/python" "$REPOSITORY/scripts/make_buckets.py" --values "$BUILD/bootstrap/$SLUG.tfvars" \
    "$(backend_value bucket)" "$(artefact_bucket)"
}

select_account
make_buckets
init
[ -z "${ID:-}" ] || run_terraform force-unlock -force "$ID" >&2
status=0
make_plan -lock-timeout="${LOCK_TIMEOUT:-30s}" >&2 || status=$?
if [ "$status" = 0 ]; then
  say "$ENV: the account has everything."
  run_terraform output ${COLOUR[@]+"${COLOUR[@]}"}
else
  confirm_by_name bootstrap
  apply_plan
fi
