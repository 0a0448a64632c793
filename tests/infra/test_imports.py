"""Modules of the package import only from layers below their own, and pure rules touch nothing."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import sendmill
import sendmill.store

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "layers/sendmill/python/sendmill"
FUNCTIONS = ROOT / "functions"
MODULES = sorted(PACKAGE.rglob("*.py"))
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}
# The layers that take clocks and adapters as arguments.
PURE_LAYERS = 4
IMPURE_MODULES = {"boto3", "botocore", "aws_lambda_powertools", "socket", "requests", "random"}
# ``datetime.now(UTC)`` and friends: a rule that reads a clock cannot be tested at another time.
CLOCKS = {
    ("time", "time"),
    ("time", "monotonic"),
    ("time", "sleep"),
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("date", "today"),
    ("os", "environ"),
    ("os", "getenv"),
}


def layers() -> list[set[str]]:
    """Return the layers that the package's docstring names, lowest first."""
    return layers_of(sendmill.__doc__, "errors <")


def layers_of(doc: str | None, first: str) -> list[set[str]]:
    """Return the layers that a docstring names from its first one on, lowest first."""
    _, _, order = (doc or "").partition(first)
    return [set(part.split()) for part in (first + order.rstrip(". \n")).split("<")]


def level(module: str) -> int:
    """Return the layer of a module, by its first name below the package."""
    for number, names in enumerate(layers()):
        if module in names:
            return number
    return len(layers())  # test_the_docstring_names_every_module_once says so


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imported(path: Path) -> set[str]:
    """Return every module that a file imports, also inside functions, but for types alone."""
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: imports are absolute"
            found.add(node.module or "")
            if node.module == "sendmill":
                found |= {f"sendmill.{alias.name}" for alias in node.names}
    return found


def own(path: Path) -> set[str]:
    """Return the parts of the package that a file imports."""
    names = {name.split(".")[1] for name in imported(path) if name.startswith("sendmill.")}
    return names - {"__version__"}


def modules() -> list[Path]:
    return [path for path in MODULES if name_of(path) != "__init__"]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_layers_below_its_own(path: Path) -> None:
    mine = name_of(path)
    for other in own(path) - {mine}:
        assert level(other) <= level(mine), f"{mine} imports {other} from a layer above"


def test_no_two_modules_import_each_other() -> None:
    edges = {name: set[str]() for name in {name_of(path) for path in modules()}}
    for path in modules():
        edges[name_of(path)] |= own(path) - {name_of(path)}
    done: list[str] = []
    while edges:
        free = sorted(name for name, needed in edges.items() if not needed - set(done))
        assert free, f"these import each other: {sorted(edges)}"
        for name in free:
            del edges[name]
        done += free


STORE = sorted(path for path in (PACKAGE / "store").glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("path", STORE, ids=lambda path: path.stem)
def test_a_module_of_the_store_imports_only_from_those_below_it(path: Path) -> None:
    order = layers_of(sendmill.store.__doc__, "item <")
    levels = {name: number for number, names in enumerate(order) for name in names}
    assert [path.stem in names for names in order].count(True) == 1
    for other in (name.split(".") for name in imported(path)):
        if other[:2] == ["sendmill", "store"]:
            assert levels[other[2]] < levels[path.stem], f"{path.stem} imports {other[2]}"


def files_imported(path: Path) -> set[Path]:
    """Return the files of the package that a file imports: inside functions and for types too."""
    found: set[Path] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sendmill"):
            whole = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            whole = [alias.name for alias in node.names]
        else:
            continue
        found |= {PACKAGE.parent.joinpath(*name.split(".")).with_suffix(".py") for name in whole}
    return found - {path}


def test_no_files_import_each_other_in_a_circle() -> None:
    edges = {path: files_imported(path) for path in MODULES if path.name != "__init__.py"}
    while edges:
        free = [path for path, needed in edges.items() if not needed & set(edges)]
        around = sorted(str(path.relative_to(PACKAGE)) for path in edges)
        assert free, f"these, or some of these, import each other: {around}"
        for path in free:
            del edges[path]


@pytest.mark.parametrize("module", sorted({name_of(path) for path in modules()}))
def test_the_docstring_names_every_module_once(module: str) -> None:
    assert [module in names for names in layers()].count(True) == 1


@pytest.mark.parametrize(
    "path",
    [path for path in modules() if level(name_of(path)) < PURE_LAYERS],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_a_pure_rule_knows_no_aws_no_environment_and_no_clock(path: Path) -> None:
    roots = {name.split(".")[0] for name in imported(path)}
    assert not roots & IMPURE_MODULES
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) not in CLOCKS, f"line {node.lineno}"
        if isinstance(node, ast.ImportFrom) and node.module in ("time", "os"):
            assert not {alias.name for alias in node.names} & {name for _, name in CLOCKS}


def test_the_pure_layers_hold_the_rules() -> None:
    pure = set().union(*layers()[:PURE_LAYERS])
    assert {"ledger", "outcome", "template", "delivery", "dispatch", "lifecycle"} <= pure


@pytest.mark.parametrize("root", [PACKAGE, FUNCTIONS, ROOT / "scripts", ROOT / "tests"])
def test_no_module_is_a_drawer_for_everything(root: Path) -> None:
    # the project of somebody else, by whose names our users know theirs
    theirs = ROOT / "tests/django_project"
    for path in (found for found in root.rglob("*.py") if theirs not in found.parents):
        assert not BANNED_NAMES & {*path.relative_to(root).parent.parts, path.stem}, path


@pytest.mark.parametrize(
    "path", sorted(FUNCTIONS.rglob("*.py")), ids=lambda path: str(path.relative_to(FUNCTIONS))
)
def test_a_function_imports_the_package_and_its_own_neighbours_alone(path: Path) -> None:
    neighbours = {found.stem for found in path.parent.glob("*.py")}
    others = {found.stem for found in FUNCTIONS.rglob("*.py")} - neighbours
    roots = {name.split(".")[0] for name in imported(path)}
    assert not roots & (others | {"boto3", "botocore", "functions"})


def test_the_package_imports_nothing_of_the_functions() -> None:
    names = {path.name for path in FUNCTIONS.iterdir() if path.is_dir()} | {"functions"}
    for path in modules():
        outside = {name.split(".")[0] for name in imported(path) if not name.startswith("sendmill")}
        assert not outside & names
