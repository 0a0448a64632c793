#!/usr/bin/env bash
# Prints one sentence on why pip (or venv) failed, from its log.
#
# Usage:        scripts/explain_pip.sh LOG
set -euo pipefail

log="$1"

says() { grep -qiE "$1" "$log"; }

if says 'do not match the hashes'; then
  echo "a package is not the one in the lock (its hash differs), so it was not installed"
elif says 'no space left'; then
  echo "the disk is full"
elif says 'ensurepip is not available|no module named .?ensurepip'; then
  echo "this Python cannot make environments: install its venv package (Debian: python3-venv)"
elif says 'connection|name resolution|timed out|proxyerror|certificate verify|no route to host'; then
  echo "the package index cannot be reached: check the network, the proxy, or PIP_INDEX_URL"
elif says 'no matching distribution|could not find a version'; then
  echo "the package index does not have $(sed -nE 's/.*No matching distribution found for ([^ ]*).*/\1/p' "$log" |
    tail -n 1): check PIP_INDEX_URL"
else
  echo "pip failed"
fi
