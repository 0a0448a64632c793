"""Read what the built layers hold: names, versions and licences, from the packages' own metadata.

packages  BUILD            lines of a requirements file, for the generator of the bill
complete  BUILD BILL OUT   the bill with each component's licence
licences  BUILD            a table in Markdown; exit 1 if a package does not name its licence
"""

from __future__ import annotations

import argparse
import json
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path

CLASSIFIER = "License :: OSI Approved :: "
LONGEST = 60  # a licence field may hold the whole text


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """One third-party package of a layer."""

    name: str
    version: str
    licence: str
    layer: str


def main() -> int:
    """Do what the words say, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("verb", choices=("packages", "complete", "licences"))
    parser.add_argument("build", type=Path)
    parser.add_argument("files", type=Path, nargs="*")
    arguments = parser.parse_args()
    found = packages(arguments.build)
    if arguments.verb == "packages":
        print("\n".join(sorted({f"{one.name}=={one.version}" for one in found})))
    elif arguments.verb == "complete":
        source, target = arguments.files
        bill = complete(json.loads(source.read_text()), found)
        target.write_text(json.dumps(bill, indent=2, sort_keys=True) + "\n")
    else:
        print("\n".join(table(found)))
        nameless = [one.name for one in found if not one.licence]
        if nameless:
            print(f"sbom: no licence is named by {', '.join(nameless)}", file=sys.stderr)
        return 1 if nameless else 0
    return 0


def packages(build: Path) -> list[Package]:
    """Return every package of every layer, by name."""
    found = [one for path in sorted((build / "layers").glob("*.zip")) for one in _of_layer(path)]
    return sorted(found, key=lambda one: (one.name.lower(), one.layer))


def _of_layer(path: Path) -> Iterator[Package]:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".dist-info/METADATA"):
                fields = HeaderParser().parsestr(archive.read(name).decode("utf-8", "replace"))
                yield Package(
                    name=fields["Name"],
                    version=fields["Version"],
                    licence=licence_of(
                        fields.get("License-Expression", ""),
                        fields.get_all("Classifier") or [],
                        fields.get("License", ""),
                    ),
                    layer=path.stem,
                )


def licence_of(expression: str, classifiers: list[str], text: str) -> str:
    """Return the licence a package names: as an expression, a classifier, or a short field."""
    approved = [line.removeprefix(CLASSIFIER) for line in classifiers if CLASSIFIER in line]
    first = (text.strip().splitlines() or [""])[0]
    return expression or " or ".join(approved) or (first if len(first) <= LONGEST else "")


def complete(bill: dict[str, object], found: list[Package]) -> dict[str, object]:
    """Return the bill with the licences of its components; raise KeyError if one is missing."""
    licences = {_plain(one.name): one.licence for one in found}
    components = bill.get("components", [])
    assert isinstance(components, list)  # noqa: S101  the generator checks its own shape
    for component in components:
        component["licenses"] = [{"license": {"name": licences[_plain(component["name"])]}}]
    return bill


def table(found: list[Package]) -> Iterator[str]:
    """Yield the licences as a table."""
    yield "# Third-party packages in the layers"
    yield ""
    yield "Each carries its own licence text in its zip (`*.dist-info`)."
    yield ""
    yield "|package|version|licence|layer|"
    yield "|---|---|---|---|"
    for one in found:
        yield f"| {one.name} | {one.version} | {one.licence} | {one.layer} |"


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


if __name__ == "__main__":
    sys.exit(main())
