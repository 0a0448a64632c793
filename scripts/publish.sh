#!/usr/bin/env bash
# Bring the zips of a release to where a deploy takes them from.
# Purpose:     make publish, make releases, and the first step of make plan and make deploy
# Parameters:  build   build, or fetch the manifest that MANIFEST names; uploads nothing (a plan needs no zip)
#              upload  the same, then upload what the artefact bucket does not have yet
#              list    the releases in the bucket, the newest first
# Environment: ENV, EMULATED, EMULATOR_PORT  see scripts/lib_environment.sh
#              MANIFEST   name of an older release, or a file: nothing is built or uploaded then
# Output:      with MANIFEST, build/manifests/<environment>/artefacts.json, which scripts/terraform.sh takes
set -euo pipefail

# shellcheck source=scripts/lib_environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib_environment.sh"
cd "$REPOSITORY"
verb="${1:-}"

publish() {
  local profile
  profile="$(environment_value code_signing_profile_version_arn)"
  profile="${profile#*/signing-profiles/}"
  .venv/bin/python scripts/publish.py --bucket "$bucket" --profile "${profile%%/*}" "$@"
}

# A file is taken as it is; a name is looked up in the bucket, and every zip it names with it.
take_manifest() {
  local to="build/manifests/$ENV/artefacts.json"
  if [ -f "$MANIFEST" ]; then
    mkdir -p "$(dirname "$to")"
    cp "$MANIFEST" "$to"
  elif [ -n "$bucket" ]; then
    publish fetch "$MANIFEST" "$to"
  else
    die "MANIFEST must be a file for $ENV, which has no artefact_bucket (got \"$MANIFEST\")."
  fi
}

# What bootstrap does once for an account, for whoever only wants to try an environment.
make_bucket() {
  local values="build/manifests/$ENV.tfvars"
  mkdir -p build/manifests
  printf 'environment = "%s"\naws_region = "%s"\npartition = "aws"\nemulated = true\n' \
    "$ENV" "$AWS_REGION" >"$values"
  .venv/bin/python scripts/make_buckets.py --values "$values" "$bucket"
}

current_release() {
  scripts/terraform.sh output 2>/dev/null | sed -n 's/^ *"release": "\(.*\)".*/\1/p' || true
}

require_environment
bucket="$(environment_value artefact_bucket)"
if is_emulated; then
  target="$([ "$ENV" = local ] && echo local || echo lambda)"
  eval "$(environment_exports)"
else
  target=lambda
  AWS_REGION="$(environment_value aws_region)"
  export AWS_REGION
fi
export AWS_DEFAULT_REGION="$AWS_REGION"
scripts/setup.sh dev

case "$verb" in
  build | upload)
    if [ -n "${MANIFEST:-}" ]; then
      take_manifest
    else
      scripts/build.sh "$target" >&2
      if [ "$verb" = upload ] && [ -n "$bucket" ]; then
        if is_emulated; then make_bucket; fi
        publish upload "build/$target/artefacts.json"
      fi
    fi
    ;;
  list)
    [ -n "$bucket" ] || die "$ENV has no artefact_bucket, so it keeps no releases."
    publish list --current "$(current_release)"
    ;;
  *) die "The verb must be build, upload or list (got \"$verb\")." ;;
esac
