"""The routes that the code answers are the routes that API Gateway lets in."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = sorted((ROOT / "functions/api").glob("*routes.py"))
TERRAFORM = ROOT / "terraform/modules/api/routes.json"
METHODS = {"get", "head", "post", "put", "patch", "delete"}
# A problem for programs, a page for people who press a link in a mail.
GUARDS = {"guarded", "paged"}


def routes_in_terraform() -> list[str]:
    routes = json.loads(TERRAFORM.read_text())
    return [*routes["signed"], *routes["anonymous"]]


def nodes() -> Iterator[ast.AST]:
    for path in CODE:
        yield from ast.walk(ast.parse(path.read_text()))


def routes_in_code() -> list[str]:
    found = []
    for node in nodes():
        if not isinstance(node, ast.FunctionDef):
            continue
        for decorator in node.decorator_list:
            if not isinstance(decorator, ast.Call) or not isinstance(decorator.func, ast.Attribute):
                continue
            if decorator.func.attr in METHODS:
                (path,) = decorator.args
                assert isinstance(path, ast.Constant)
                gateway = re.sub(r"<(\w+)>", r"{\1}", str(path.value))
                found.append(f"{decorator.func.attr.upper()} {gateway}")
    return found


def guarded_routes() -> set[str]:
    """Return the functions that are routes and turn errors into problems."""
    return {
        node.name
        for node in nodes()
        if isinstance(node, ast.FunctionDef)
        and any(isinstance(one, ast.Name) and one.id in GUARDS for one in node.decorator_list)
    }


def test_every_route_in_the_code_is_one_in_terraform_and_the_other_way_round() -> None:
    in_code, in_terraform = routes_in_code(), routes_in_terraform()
    assert sorted(in_code) == sorted(in_terraform)
    assert len(in_code) == len(set(in_code)) >= 11


def test_every_route_turns_errors_into_problems() -> None:
    assert len(guarded_routes()) == len(routes_in_code())


def test_no_route_takes_what_no_other_does() -> None:
    for route in routes_in_terraform():
        assert re.fullmatch(r"(GET|HEAD|POST|PUT|PATCH|DELETE) (/[a-z0-9-]+|/\{[a-z_]+\})+", route)
