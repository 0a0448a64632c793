#!/usr/bin/env bash
# Invite somebody to use an environment: make admin ENV=... EMAIL=... (ROLE=viewer, editor, sender)
# Purpose:     the first admin of a deployment, and anybody after; there is no default password
# Environment: ENV, EMULATED, EMULATOR_PORT  see scripts/lib_environment.sh
#              EMAIL  whom; Cognito mails the invitation. On the emulator, which mails nobody, the
#                     temporary password is printed.
#              ROLE   admin (default), sender, editor or viewer
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ -z "${EMAIL:-}" ]; then
  echo "EMAIL must be an address (got nothing): make admin ENV=${ENV:-local} EMAIL=you@example.com" >&2
  exit 1
fi
outputs="$(scripts/terraform.sh output)"
eval "$(scripts/terraform.sh env)"
exec .venv/bin/python scripts/invite.py --email "$EMAIL" --role "${ROLE:-admin}" <<<"$outputs"
