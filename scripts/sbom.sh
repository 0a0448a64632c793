#!/usr/bin/env bash
# Write what Lambda runs besides our own code: a bill of materials (CycloneDX, JSON) and the licences.
#
# Usage:        scripts/sbom.sh, after scripts/build.sh lambda
# Environment:  SOURCE_DATE_EPOCH   the time in the bill; without it there is none, so that it is reproducible
# Output:       build/sbom/sendmill.cdx.json, build/sbom/LICENSES.md; a count on stderr. No network.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
tools="$(scripts/pipeline_tools.sh)"
readonly tools out=build/sbom
mkdir -p "$out"
# What is in the zips, not what a lock asks for: a lock also names what only other machines need.
.venv/bin/python scripts/sbom.py packages build/lambda >"$out/packages.txt"
"$tools/bin/cyclonedx-py" requirements --pyproject pyproject.toml --output-reproducible --of JSON \
  -o "$out/plain.json" "$out/packages.txt"
.venv/bin/python scripts/sbom.py complete build/lambda "$out/plain.json" "$out/sendmill.cdx.json"
.venv/bin/python scripts/sbom.py licences build/lambda >"$out/LICENSES.md"
rm "$out/plain.json" "$out/packages.txt"
echo "sbom: $(grep -c '^| ' "$out/LICENSES.md") packages in $out" >&2
