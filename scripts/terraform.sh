#!/usr/bin/env bash
# Run Terraform for one environment. ENV alone decides workspace, variables, backend and data folder, so
# that nothing can be applied into the state of another environment.
# Parameters:  verb  init | plan | summary | deploy | destroy | output | env | unlock, for the environment ENV
#                    validate | test | fmt-check, without an environment
#              `output` prints JSON and `env` prints shell lines, and nothing else goes to stdout.
# Environment: ENV, EMULATED, EMULATOR_PORT  see scripts/lib_environment.sh
#              TF_PLUGIN_MIRROR              see scripts/find_provider_mirror.sh
#              MANIFEST                      plan, deploy: the older release that scripts/publish.sh fetched
#              ID                            unlock: id of the lock, as the error message shows it
#              CI, AUTO_APPROVE              true or 1: deploy and destroy prod and govcloud without asking
#              LOCK_TIMEOUT                  how long deploy waits for another's lock (default 30s)
set -euo pipefail

# shellcheck source=scripts/lib_terraform.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib_terraform.sh"

TERRAFORM_DIR="$REPOSITORY/terraform"
verb="${1:-}"

# Another manifest than the one that was built last.
take_manifest() {
  [ -n "${MANIFEST:-}" ] || return 0
  [ -f "$BUILD/manifests/$ENV/artefacts.json" ] || die "Nothing fetched $MANIFEST: run this as \`make\`."
  VARIABLES+=(-var "artefacts_dir=../build/manifests/$ENV")
}

deploy() {
  local status=0
  make_plan -lock-timeout="${LOCK_TIMEOUT:-30s}" >&2 || status=$?
  if [ "$status" = 0 ]; then
    say "$ENV: nothing to change."
    return 0
  fi
  [ "$status" = 2 ] || return "$status"
  confirm_by_name deploy
  apply_plan
}

# Before anything is gone: AWS would refuse the tables too, but only after the rest was destroyed.
refuse_protected() {
  local plan protected python status=0
  plan="$(run_terraform show -json "$PLAN")"
  python="$("$REPOSITORY/scripts/find_python.sh")"
  protected="$("$python" "$REPOSITORY/scripts/plan_summary.py" "$ENV" --protected <<<"$plan")" || status=$?
  [ "$status" != 0 ] || return 0
  [ "$status" = 3 ] || exit "$status"
  rm -f "$PLAN"
  say "$ENV protects its data: set protect_data = false in terraform/env/$ENV.tfvars, deploy, and destroy again. Nothing was destroyed."
  die "$protected"
}

destroy() {
  local status=0
  make_plan -destroy -lock-timeout="${LOCK_TIMEOUT:-30s}" >&2 || status=$?
  if [ "$status" = 0 ]; then
    say "$ENV: nothing to destroy."
    return 0
  fi
  [ "$status" = 2 ] || return "$status"
  refuse_protected
  confirm_by_name destroy
  apply_plan
}

output() {
  local status=0 flags=() values python
  if is_emulated; then flags=(--emulator "$EMULATOR_URL"); fi
  values="$(run_terraform output -json)"
  python="$("$REPOSITORY/scripts/find_python.sh")"
  "$python" "$REPOSITORY/scripts/terraform_outputs.py" ${flags[@]+"${flags[@]}"} <<<"$values" || status=$?
  case "$status" in
    0) ;;
    3) die "Nothing is deployed to $ENV yet: run \`make deploy ENV=$ENV$(emulated_word)\`." ;;
    *) return "$status" ;;
  esac
}

# The last plan in a few lines of Markdown, for the comment on a pull request.
summary() {
  local plan python
  [ -f "$PLAN" ] || die "There is no plan of $ENV: run \`make plan ENV=$ENV$(emulated_word)\` first."
  plan="$(run_terraform show -json "$PLAN")"
  python="$("$REPOSITORY/scripts/find_python.sh")"
  "$python" "$REPOSITORY/scripts/plan_summary.py" "$ENV" <<<"$plan"
}

unlock() {
  [ -n "${ID:-}" ] || die "ID must be the id of the lock, as the error message shows it."
  run_terraform force-unlock -force "$ID" >&2
}

# --- Without an environment ---------------------------------------------------------------------------

# A data folder of its own, without a backend: these verbs reach no account and no state.
prepare_offline() {
  EMULATED=0
  require_terraform
  export TF_DATA_DIR="$TERRAFORM_DIR/.data-offline"
  if [ ! -f "$TF_DATA_DIR/stamp" ] || [ -n "$(find "$TERRAFORM_DIR" -name '*.hcl' -newer "$TF_DATA_DIR/stamp" -o -name '*.tf' -newer "$TF_DATA_DIR/stamp" | head -n 1)" ]; then
    run_terraform init -backend=false -lockfile=readonly ${COLOUR[@]+"${COLOUR[@]}"} >&2
    touch "$TF_DATA_DIR/stamp"
  fi
}

# The guard compares environment and workspace, so the tests run in the workspace of theirs, dev.
# Dummy keys, and no way to a real account even if a test forgot to override something.
run_tests() {
  export TF_WORKSPACE=dev AWS_EC2_METADATA_DISABLED=true
  export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
  unset AWS_PROFILE AWS_SESSION_TOKEN AWS_ENDPOINT_URL
  terraform -chdir="$TERRAFORM_DIR" test ${COLOUR[@]+"${COLOUR[@]}"} "$@"
}

case "$verb" in
  env)
    require_environment
    environment_exports
    ;;
  init)
    select_environment
    init always
    ;;
  plan)
    select_environment
    take_manifest
    init
    # Without the lock: a plan changes nothing, and a pull request's role may not write into the bucket.
    status=0
    make_plan -lock=false || status=$?
    [ "$status" = 2 ] || exit "$status"
    say "The plan is in ${PLAN#"$REPOSITORY"/}."
    ;;
  deploy | destroy | output | summary | unlock)
    select_environment
    take_manifest
    init
    "$verb"
    ;;
  validate)
    for TERRAFORM_DIR in "$REPOSITORY/terraform" "$REPOSITORY/terraform/bootstrap"; do
      prepare_offline
      run_terraform validate ${COLOUR[@]+"${COLOUR[@]}"}
    done
    ;;
  test)
    prepare_offline
    shift
    run_tests "$@"
    ;;
  fmt-check)
    EMULATED=0
    require_terraform
    run_terraform fmt -check -diff -recursive
    ;;
  *)
    die "The verb must be one of: init plan summary deploy destroy output env unlock validate test fmt-check (got \"$verb\")."
    ;;
esac
