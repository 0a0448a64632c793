#!/usr/bin/env bash
# Check everything that needs nothing but the sources: format, lint, types, shell scripts, Terraform.
# Purpose:     make check, and the first step of make test.
# Parameters:  none. Environment: none. Exit: not 0 at the first check that fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bin=.venv/bin

step() {
  printf '== %s\n' "$1" >&2
  shift
  "$@"
}

types_of_functions() {
  local folder
  for folder in functions/*/; do
    (cd "$folder" && MYPYPATH=../../layers/sendmill/python "../../$bin/mypy" --config-file ../../pyproject.toml .)
  done
}

shell_scripts() {
  find scripts .ci -type f \( -name '*.sh' -o -name run \) -print0 | xargs -0 "$bin/shellcheck" -x
}

# The wheel with the linter's binary is there for Linux alone, which is what CI runs.
workflows() {
  local tools
  tools="$(scripts/pipeline_tools.sh)"
  if [ -x "$tools/bin/actionlint" ]; then
    PATH="$bin:$PATH" "$tools/bin/actionlint" .github/workflows/*.yml
  else
    echo "there is no actionlint for this machine: skipped" >&2
  fi
}

step "format" "$bin/ruff" format --check .
step "lint" "$bin/ruff" check .
step "types of the package" "$bin/mypy" layers/sendmill/python/sendmill
step "types of the functions" types_of_functions
step "types of the scripts" "$bin/mypy" scripts
step "shell scripts" shell_scripts
step "workflows" workflows
step "Terraform format" scripts/terraform.sh fmt-check
step "Terraform validity" scripts/terraform.sh validate
