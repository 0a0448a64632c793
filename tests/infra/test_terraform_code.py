"""Rules that every Terraform file keeps, read from the files alone."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any, TypeGuard

import pytest

TERRAFORM = Path(__file__).resolve().parents[2] / "terraform"
CODE = sorted(
    path for path in TERRAFORM.rglob("*.tf") if path.relative_to(TERRAFORM).parts[0][0] != "."
)
ENVIRONMENTS = sorted(
    path.stem for path in (TERRAFORM / "env").glob("*.tfvars") if path.stem != "emulated"
)
MODULES = sorted(path for path in (TERRAFORM / "modules").iterdir() if path.is_dir())

# Where main.tf gives a function what this class of settings.py reads.
FUNCTION_OF = {
    "ApiSettings": "api",
    "DispatchSettings": "dispatch",
    "WorkerSettings": "email_worker",
    "FeedbackSettings": "feedback",
    "SweepSettings": "schedule",
    "TaskFileSettings": "tasks",
    "TaskSettings": "tasks",
}


def named(path: Path) -> str:
    return str(path.relative_to(TERRAFORM))


def blocks(text: str, kind: str) -> dict[str, str]:
    """Return the body of each top-level block of a kind by its name."""
    found = re.finditer(rf'^{kind} "([^"]+)" \{{\n(.*?)^\}}', text, flags=re.MULTILINE | re.DOTALL)
    return {match[1]: match[2] for match in found}


def without_comments(path: Path) -> str:
    return re.sub(r"(^|\s)#.*$", "", path.read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("root", [".", "bootstrap"])
def test_lock_pins_the_one_provider_for_every_platform(root: str) -> None:
    lock = (TERRAFORM / root / ".terraform.lock.hcl").read_text()
    assert re.findall(r'^provider "([^"]+)"', lock, flags=re.MULTILINE) == [
        "registry.terraform.io/hashicorp/aws"
    ]
    assert '  version     = "5.100.0"\n  constraints = "5.100.0"\n' in lock
    assert (lock.count('"h1:'), lock.count('"zh:')) == (14, 15)


@pytest.mark.parametrize("root", [".", "bootstrap"])
def test_state_is_encrypted_as_its_bucket_says(root: str) -> None:
    """Terraform's `encrypt` without a key asks for AES256, which goes before the bucket's key."""
    backend = without_comments(TERRAFORM / root / "backend.tf")
    assert re.findall(r"^ +(\w+) += ", backend, flags=re.MULTILINE) == ["use_lockfile"]


@pytest.mark.parametrize("path", CODE, ids=named)
def test_no_partition_region_or_account_is_written_out(path: Path) -> None:
    code = without_comments(path)
    literal = r"arn:aws|amazonaws\.com|\b(us|eu|ap|ca|sa)-(gov-)?[a-z]+-\d\b|\b\d{12}\b"
    assert re.findall(literal, code) == []


@pytest.mark.parametrize("path", CODE, ids=named)
def test_only_the_guard_looks_at_the_workspace(path: Path) -> None:
    uses = without_comments(path).count("terraform.workspace")
    assert uses == (2 if named(path) in ("variables.tf", "bootstrap/variables.tf") else 0)


@pytest.mark.parametrize("path", CODE, ids=named)
def test_every_variable_says_its_type_and_why_one_would_change_it(path: Path) -> None:
    for name, body in blocks(path.read_text(), "variable").items():
        assert re.search(r"^  type +=", body, flags=re.MULTILINE), f"{name} has no type"
        assert re.search(r'^  description = "[^"]{20,}\."$', body, flags=re.MULTILINE), name
        nullable = re.search(r"^  nullable    = false$", body, flags=re.MULTILINE)
        assert nullable or "null" in body, f"{name} may be null, and does not say what that means"


@pytest.mark.parametrize("path", CODE, ids=named)
def test_every_output_says_what_it_is(path: Path) -> None:
    for name, body in blocks(path.read_text(), "output").items():
        assert re.search(r'^  description = ".{10,}\."$', body, flags=re.MULTILINE), name


def test_the_root_only_calls_modules() -> None:
    opened = re.findall(r"^(\w+).*\{$", (TERRAFORM / "main.tf").read_text(), flags=re.MULTILINE)
    assert set(opened) == {"module"}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.name))
def test_every_module_is_pinned_alike_and_explains_itself(module: Path) -> None:
    expected = re.sub(r"^#.*\n", "", (TERRAFORM / "versions.tf").read_text(), flags=re.MULTILINE)
    assert (module / "versions.tf").read_text() == expected
    assert (module / "README.md").is_file()


def test_files_are_uploaded_from_wherever_the_console_is_opened() -> None:
    """A browser asks the bucket about the page's own origin, which may be a domain of its own."""
    store = blocks((TERRAFORM / "main.tf").read_text(), "module")["store"]
    assert re.findall(r"upload_origins += (.*)", store) == ["local.console_urls"]


@pytest.mark.parametrize("name", [*ENVIRONMENTS, "emulated"])
def test_values_are_of_variables_that_exist(name: str) -> None:
    variables = blocks((TERRAFORM / "variables.tf").read_text(), "variable")
    text = (TERRAFORM / f"env/{name}.tfvars").read_text()
    assert set(re.findall(r"^(\w+) +=", text, flags=re.MULTILINE)) <= set(variables)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_environment_has_its_name_and_a_state_of_its_own(name: str) -> None:
    values = (TERRAFORM / f"env/{name}.tfvars").read_text()
    backend = (TERRAFORM / f"env/{name}.s3.tfbackend").read_text()
    region = re.search(r'^aws_region += "([^"]+)"', values, flags=re.MULTILINE)
    assert re.search(rf'^environment += "{name}"$', values, flags=re.MULTILINE)
    assert region
    assert re.search(rf'^bucket +=? *"sendmill-{name}-terraform-state"$', backend, re.MULTILINE)
    assert re.search(rf'^region +=? *"{region[1]}"$', backend, flags=re.MULTILINE)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_bootstrap_shares_the_environments_values_one_a_line(name: str) -> None:
    """The script picks them out by lines, and adds the few that bootstrap alone has."""
    values = (TERRAFORM / f"env/{name}.tfvars").read_text()
    for variable in ("environment", "aws_region", "partition", "owner"):
        assert re.search(rf'^{variable} += "[^"]+"$', values, flags=re.MULTILINE), variable
    for line in re.findall(r"^allowed_account_ids.*$", values, flags=re.MULTILINE):
        assert line.endswith("]")
    own = (TERRAFORM / f"bootstrap/env/{name}.tfvars").read_text()
    assert set(re.findall(r"^(?:# )?(\w+) = ", own, flags=re.MULTILINE)) <= {
        "github",
        "code_signing",
    }


def test_routes_are_listed_once_and_few_are_open() -> None:
    routes = json.loads((TERRAFORM / "modules/api/routes.json").read_text())
    signed, anonymous = routes.pop("signed"), routes.pop("anonymous")
    assert not routes
    assert len(signed) == len(set(signed))
    route_of_v1 = r"(GET|POST|PUT|PATCH|DELETE) /v1/[a-z_{}/-]+"
    assert all(re.fullmatch(route_of_v1, route) for route in signed)
    link = "/u/{campaign_id}/{rid}/{token}"
    reading = {"GET /v1/openapi.json", "GET /docs", "GET /", "GET /app/{proxy+}"}
    assert set(anonymous) - reading == {f"GET {link}", f"HEAD {link}", f"POST {link}"}


def test_a_schedule_of_a_campaign_has_one_policy_and_only_its_own_group_takes_its_role() -> None:
    """A plan does not tell: it sees no policy attached beside the one, and no trust yet."""
    code = "".join(without_comments(path) for path in CODE)
    for role in ("jobs", "campaigns"):
        (body,) = re.findall(rf'"aws_iam_role" "{role}" {{(.*?)^}}', code, re.DOTALL | re.MULTILINE)
        assert f'assume_role_policy = data.aws_iam_policy_document.assume["{role}"].json' in body
    assert len(re.findall(r"role +=.*aws_iam_role\.campaigns\b", code)) == 1
    assert "aws_iam_role_policy_attachment" not in code
    assert "managed_policy_arns" not in code


def settings_read_by_the_code() -> dict[str, set[str]]:
    """Return the environment variables of each function, by the class that reads them."""
    tree = ast.parse((TERRAFORM.parent / "layers/sendmill/python/sendmill/settings.py").read_text())
    return {
        node.name: {part.target.id.upper() for part in node.body if named_field(part)}
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name in FUNCTION_OF
    }


def named_field(node: ast.stmt) -> TypeGuard[Any]:
    return isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)


def settings_given(module: str) -> set[str]:
    body = blocks((TERRAFORM / "main.tf").read_text(), "module")[module]
    (given,) = re.findall(r"environment_variables = \{\n(.*?)\n  \}", body, flags=re.DOTALL)
    own = TERRAFORM / "modules" / module / "main.tf"
    everywhere = (TERRAFORM / "modules/function/main.tf").read_text()
    text = "\n".join([given, everywhere, own.read_text() if own.exists() else ""])
    return {"AWS_REGION", *re.findall(r"\b([A-Z_]{5,}) += ", text)}  # the region is Lambda's own


@pytest.mark.parametrize(("name", "module"), FUNCTION_OF.items())
def test_every_setting_the_code_reads_is_given_to_its_function(name: str, module: str) -> None:
    read = settings_read_by_the_code()
    if name not in read:
        pytest.skip(f"settings.py has no {name}")
    assert read[name] <= settings_given(module)
