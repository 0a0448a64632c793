#!/usr/bin/env bash
# Print the path of a Chromium for the browser tests; install one if there is none.
#
# Looked for in this order: BROWSER_PATH, Playwright's own download, a Chromium or Chrome on the PATH; then
# Playwright's download is tried, then Debian's or Ubuntu's package chromium (as root, or by sudo without a password).
#
# Usage:        scripts/find_browser.sh
# Environment:  BROWSER_PATH   the browser to use
# Output:       the path on stdout; progress on stderr; exit 1 with what to install when there is none
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly log="build/logs/find-browser.log"

say() { printf 'find_browser: %s\n' "$*" >&2; }

found() {
  printf '%s\n' "$1"
  exit 0
}

look_on_path() {
  local name path
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    # Ubuntu's chromium-browser is a stub that wants snap: what cannot say its version is none.
    if path="$(command -v "$name")" && "$path" --version >/dev/null 2>&1; then found "$path"; fi
  done
}

look_in_downloads() {
  local path
  path="$(.venv/bin/python - <<'PY' 2>/dev/null
from playwright.sync_api import sync_playwright

with sync_playwright() as playwright:
    print(playwright.chromium.executable_path)
PY
)" || return 0
  if [ -x "$path" ] && "$path" --version >/dev/null 2>&1; then found "$path"; fi
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

if [ -n "${BROWSER_PATH:-}" ]; then
  [ -x "$BROWSER_PATH" ] || { say "BROWSER_PATH is no program (got $BROWSER_PATH)" && exit 1; }
  found "$BROWSER_PATH"
fi
look_on_path
look_in_downloads

mkdir -p build/logs
say "there is no browser yet; installing one (see $log)"
if timeout 300 .venv/bin/python -m playwright install --no-shell chromium >"$log" 2>&1; then look_in_downloads; fi
if command -v apt-get >/dev/null; then
  say "Playwright's download did not come or does not run; asking apt-get"
  {
    as_root apt-get update -qq &&
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core
  } >>"$log" 2>&1 || true
  look_on_path
fi
say "no Chromium could be installed. Install it by hand ('apt-get install chromium', or" \
  "'.venv/bin/python -m playwright install --with-deps chromium'), or set BROWSER_PATH."
exit 1
