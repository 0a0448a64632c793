"""The routes that the code answers are the routes that API Gateway lets in, each with its role."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = sorted((ROOT / "functions/api").glob("*routes.py"))
TERRAFORM = json.loads((ROOT / "terraform/modules/api/routes.json").read_text())
METHODS = {"get", "head", "post", "put", "patch", "delete"}


def routes() -> Iterator[tuple[str, str]]:
    """Yield each route's name in API Gateway and its role, as they stand in the code."""
    for path in CODE:
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                texts = texts_of(tree, node)
                for decorator in node.decorator_list:
                    if is_route(decorator):
                        yield route_of(decorator, texts)


def is_route(decorator: ast.expr) -> bool:
    return (
        isinstance(decorator, ast.Call)
        and isinstance(decorator.func, ast.Attribute)
        and decorator.func.attr in METHODS
    )


def texts_of(tree: ast.Module, node: ast.FunctionDef) -> dict[str, str]:
    """Return what the names of texts mean where the function stands."""
    around = [tree, *(one for one in tree.body if node in ast.walk(one))]
    return {
        one.targets[0].id: str(one.value.value)
        for block in around
        for one in getattr(block, "body", [])
        if isinstance(one, ast.Assign)
        and isinstance(one.targets[0], ast.Name)
        and isinstance(one.value, ast.Constant)
    }


def route_of(decorator: ast.expr, texts: dict[str, str]) -> tuple[str, str]:
    assert isinstance(decorator, ast.Call)
    assert isinstance(decorator.func, ast.Attribute)
    (path,) = decorator.args
    role = next(one.value for one in decorator.keywords if one.arg == "role")
    assert isinstance(role, ast.Attribute)
    gateway = re.sub(r"<(\w+)>", r"{\1}", text_of(path, texts)).replace(".+", "{proxy+}")
    return f"{decorator.func.attr.upper()} {gateway}", role.attr


def text_of(node: ast.expr, texts: dict[str, str]) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.Name):
        return texts[node.id]
    if isinstance(node, ast.FormattedValue):
        return text_of(node.value, texts)
    assert isinstance(node, ast.JoinedStr)
    return "".join(text_of(part, texts) for part in node.values)


def test_every_route_in_the_code_is_one_in_terraform_and_the_other_way_round() -> None:
    in_code = [key for key, _ in routes()]
    assert sorted(in_code) == sorted([*TERRAFORM["signed"], *TERRAFORM["anonymous"]])
    assert len(in_code) == len(set(in_code)) >= 11


def test_a_route_without_a_role_is_one_without_a_token() -> None:
    open_in_code = {key for key, role in routes() if role == "ANONYMOUS"}
    assert open_in_code == set(TERRAFORM["anonymous"])


def test_no_route_takes_what_no_other_does() -> None:
    for route in [*TERRAFORM["signed"], *TERRAFORM["anonymous"]]:
        assert re.fullmatch(
            r"(GET|HEAD|POST|PUT|PATCH|DELETE) (/|(/[a-z0-9.-]+|/\{[a-z_]+[+]?\})+)", route
        )
