#!/usr/bin/env bash
# Print the folder of a local provider mirror that holds the pinned AWS provider for this machine, or
# nothing when there is none (then Terraform asks its registry).
# Purpose:     a machine without a way to the registry needs no settings of its own.
# Parameters:  none
# Environment: TF_PLUGIN_MIRROR  a mirror to use before all others; an error if it lacks the provider
#              XDG_DATA_HOME     as everywhere (default ~/.local/share)
#              MIRROR_ROOTS      folders searched last, two folders deep (default /opt)
set -euo pipefail

terraform_dir="$(cd "$(dirname "${BASH_SOURCE[0]}")/../terraform" && pwd)"
provider=registry.terraform.io/hashicorp/aws
version="$(sed -n 's/^ *version *= *"\([0-9.]*\)".*/\1/p' "$terraform_dir/.terraform.lock.hcl" | head -n 1)"

platform() {
  local system machine
  system="$(uname -s | tr '[:upper:]' '[:lower:]')"
  case "$(uname -m)" in
    x86_64 | amd64) machine=amd64 ;;
    aarch64 | arm64) machine=arm64 ;;
    *) machine="$(uname -m)" ;;
  esac
  echo "${system}_${machine}"
}

# Both layouts of a filesystem mirror: unpacked, and zipped.
holds_provider() {
  [ -d "$1/$provider/$version/$platform" ] ||
    [ -f "$1/$provider/terraform-provider-aws_${version}_${platform}.zip" ]
}

platform="$(platform)"

if [ -n "${TF_PLUGIN_MIRROR:-}" ]; then
  holds_provider "$TF_PLUGIN_MIRROR" || {
    echo "TF_PLUGIN_MIRROR names $TF_PLUGIN_MIRROR, which holds no $provider $version for $platform." >&2
    exit 1
  }
  echo "$TF_PLUGIN_MIRROR"
  exit 0
fi

# Terraform's implied local mirrors: https://developer.hashicorp.com/terraform/cli/config/config-file
for mirror in \
  "$terraform_dir/terraform.d/plugins" \
  "$HOME/.terraform.d/plugins" \
  "${XDG_DATA_HOME:-$HOME/.local/share}/terraform/plugins" \
  /usr/local/share/terraform/plugins \
  /usr/share/terraform/plugins; do
  if holds_provider "$mirror"; then
    echo "$mirror"
    exit 0
  fi
done

for root in ${MIRROR_ROOTS:-/opt}; do
  [ -d "$root" ] || continue
  while IFS= read -r found; do
    mirror="$(dirname "$found")"
    if holds_provider "$mirror"; then
      echo "$mirror"
      exit 0
    fi
  done < <(find -L "$root" -maxdepth 3 -type d -name registry.terraform.io 2>/dev/null | sort)
done
