"""ENV alone decides where Terraform works, and what goes wrong is said in one sentence.

A stand-in for terraform writes down how it was called and answers as a test wants; nothing here
reaches a network.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
AWS_PROVIDER = "registry.terraform.io/hashicorp/aws"
SYSTEM_MIRRORS = ("/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins")
MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
PLATFORM = f"{platform.system().lower()}_{MACHINES.get(platform.machine(), platform.machine())}"
OUTPUTS = {
    "api_id": {"sensitive": False, "type": "string", "value": "1ab0a910"},
    "api_url": {"sensitive": False, "type": "string", "value": "https://api.example.com"},
    "function_names": {"sensitive": False, "type": ["map", "string"], "value": {"api": "x"}},
}
STAND_IN = """#!/usr/bin/env bash
shift # -chdir
printf '%s | workspace=%s data=%s rc=%s\\n' \
  "$*" "${TF_WORKSPACE:-}" "${TF_DATA_DIR##*/}" "${TF_CLI_CONFIG_FILE:-}" >>"$CALLS"
[ "$1" = init ] && mkdir -p "$TF_DATA_DIR"
if [ "$1" = "${FAILS:-}" ]; then
  printf '%b\\n' "$MESSAGE" >&2
  exit 1
fi
case "$1" in
  plan) echo "the plan"; exit "${PLAN_STATUS:-2}" ;;
  output) cat "$OUTPUTS" ;;
  show) [ -n "${PLAN_JSON:-}" ] || PLAN_JSON='{"resource_changes": []}'; echo "$PLAN_JSON" ;;
esac
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkout:
    """A copy of the scripts and the Terraform files, with a stand-in for terraform on the PATH."""

    root: Path
    environment: dict[str, str]

    def run(self, *words: str, answer: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", str(self.root / "scripts/terraform.sh"), *words],
            env={**self.environment, **more},
            input=answer,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        calls = Path(self.environment["CALLS"])
        lines = calls.read_text().splitlines() if calls.exists() else []
        return [line for line in lines if not line.startswith("|")]

    def call(self, verb: str) -> str:
        return next(line for line in self.calls if line.split()[0] == verb)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    root = tmp_path / "checkout"
    (root / "scripts").mkdir(parents=True)
    for script in (
        "terraform.sh",
        "lib_terraform.sh",
        "lib_environment.sh",
        "find_provider_mirror.sh",
        "find_python.sh",
        "terraform_outputs.py",
        "plan_summary.py",
    ):
        shutil.copy(ROOT / "scripts" / script, root / "scripts" / script)
    ignored = shutil.ignore_patterns(".data-*", "tests", "modules")
    shutil.copytree(ROOT / "terraform", root / "terraform", ignore=ignored)
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "terraform").write_text(STAND_IN)
    (tools / "terraform").chmod(0o755)
    (tmp_path / "outputs.json").write_text(json.dumps(OUTPUTS))
    (tmp_path / "home").mkdir()
    return Checkout(
        root=root,
        environment={
            "PATH": f"{tools}:{os.environ['PATH']}",
            "HOME": str(tmp_path / "home"),
            "PYENV_ROOT": os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv")),
            "MIRROR_ROOTS": str(tmp_path / "nowhere"),
            "CALLS": str(tmp_path / "calls"),
            "OUTPUTS": str(tmp_path / "outputs.json"),
        },
    )


def make_mirror(folder: Path, version: str = "5.100.0") -> Path:
    (folder / AWS_PROVIDER / version / PLATFORM).mkdir(parents=True)
    return folder


# --- The name of an environment -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["production", "", "emulated", "prod;id", "d.v", "../env/prod"])
def test_unknown_environment_is_refused_with_the_list(checkout: Checkout, name: str) -> None:
    done = checkout.run("plan", ENV=name)
    assert done.returncode == 1
    assert done.stderr == f'ENV must be one of: dev govcloud local prod (got "{name}").\n'
    assert checkout.calls == []


def test_unknown_verb_is_refused_with_the_list(checkout: Checkout) -> None:
    done = checkout.run("aply", ENV="dev")
    assert done.returncode == 1
    assert (
        'init plan summary deploy destroy output env unlock validate test fmt-check (got "aply")'
        in (done.stderr)
    )


def test_environment_alone_selects_workspace_variables_backend_and_data(checkout: Checkout) -> None:
    done = checkout.run("plan", ENV="prod", TF_WORKSPACE="dev", TF_DATA_DIR="/elsewhere")
    assert (done.returncode, done.stdout) == (0, "the plan\n")
    init = checkout.call("init")
    assert "-lockfile=readonly" in init
    assert "-backend-config=env/prod.s3.tfbackend" in init
    assert "workspace=default data=.data-prod " in init
    assert checkout.call("workspace").startswith("workspace select -or-create -no-color prod |")
    plan = checkout.call("plan")
    assert "-var-file=env/prod.tfvars" in plan
    assert "emulated" not in plan
    assert f"-out={checkout.root}/build/plans/prod.tfplan" in plan
    assert "workspace= data=.data-prod " in plan


def test_pull_request_plan_takes_no_lock_and_a_deploy_does(checkout: Checkout) -> None:
    checkout.run("plan", ENV="dev")
    assert "-lock=false" in checkout.call("plan")
    Path(checkout.environment["CALLS"]).unlink()
    checkout.run("deploy", ENV="dev")
    assert "-lock=false" not in checkout.call("plan")
    assert "-lock-timeout=30s" in checkout.call("apply")


def test_init_runs_again_only_when_its_inputs_changed(checkout: Checkout) -> None:
    def initialised() -> int:
        checkout.run("plan", ENV="dev")
        return sum(line.startswith("init") for line in checkout.calls)

    assert [initialised(), initialised()] == [1, 1]
    backend = checkout.root / "terraform/env/dev.s3.tfbackend"
    backend.write_text(backend.read_text().replace("sendmill-dev", "our"))
    assert initialised() == 2


# --- The emulator ---------------------------------------------------------------------------------


def exports(checkout: Checkout, **more: str) -> dict[str, str]:
    done = checkout.run("env", **more)
    assert (done.returncode, done.stderr) == (0, "")
    lines = (line for line in done.stdout.splitlines() if line.startswith("export "))
    return dict(shlex.split(line)[1].split("=", 1) for line in lines)


def test_env_of_an_account_is_its_region_alone(checkout: Checkout) -> None:
    assert checkout.run("env", ENV="govcloud").stdout == "export AWS_REGION=us-gov-west-1\n"


@pytest.mark.parametrize(
    ("name", "account", "region"),
    [
        ("local", "000000000000", "us-gov-west-1"),
        ("dev", "111111111111", "us-east-1"),
        ("prod", "222222222222", "us-east-1"),
        ("govcloud", "333333333333", "us-gov-west-1"),
    ],
)
def test_env_of_the_emulator_leaves_nothing_of_a_real_account_in_reach(
    checkout: Checkout, name: str, account: str, region: str
) -> None:
    values = exports(checkout, ENV=name, EMULATED="1", EMULATOR_PORT="4999", PATH="/usr/bin:/bin")
    assert values["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4999"
    assert values["AWS_ACCESS_KEY_ID"] == account
    assert values["AWS_REGION"] == values["AWS_DEFAULT_REGION"] == region
    assert values["AWS_CONFIG_FILE"] == values["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    assert values["AWS_EC2_METADATA_DISABLED"] == "true"
    lines = checkout.run("env", ENV=name, EMULATED="1").stdout
    assert "AWS_PROFILE" in lines.split("unset", 1)[1]


def test_local_is_always_the_emulator(checkout: Checkout) -> None:
    assert exports(checkout, ENV="local") == exports(checkout, ENV="local", EMULATED="1")


def test_missing_emulator_is_one_sentence(checkout: Checkout) -> None:
    done = checkout.run("plan", ENV="local", EMULATOR_PORT="9")
    assert done.returncode == 1
    assert done.stderr.startswith("No emulator answers at http://127.0.0.1:9: start it with `make")
    assert done.stderr.count("\n") == 1


def test_endpoint_of_this_machine_is_taken_for_the_emulator_it_must_be(checkout: Checkout) -> None:
    done = checkout.run("env", ENV="prod", AWS_ENDPOINT_URL="http://localhost:4999")
    assert done.returncode == 0
    assert "export AWS_ENDPOINT_URL=http://127.0.0.1:4999" in done.stdout
    assert "prod goes to the emulator" in done.stderr


@pytest.mark.parametrize(("name", "value"), [("EMULATED", "yes"), ("EMULATOR_PORT", "45a")])
def test_setting_that_is_no_number_is_refused(checkout: Checkout, name: str, value: str) -> None:
    done = checkout.run("env", **{"ENV": "dev", name: value})
    assert done.returncode == 1
    assert f'(got "{value}")' in done.stderr


# --- Deploy and destroy ---------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["deploy", "destroy"])
@pytest.mark.parametrize("name", ["prod", "govcloud"])
def test_production_wants_its_name_typed(checkout: Checkout, verb: str, name: str) -> None:
    done = checkout.run(verb, ENV=name, answer="yes\n")
    assert done.returncode == 1
    assert f'"yes" is not "{name}". Nothing was changed.' in done.stderr
    assert not any(line.startswith("apply") for line in checkout.calls)


@pytest.mark.parametrize(
    "before",
    [
        {"deletion_protection_enabled": True},
        {"deletion_protection": "ACTIVE"},
        {"bucket": "contacts", "force_destroy": False},
    ],
    ids=["table", "user pool", "bucket"],
)
def test_destroy_stops_at_protected_data_before_anything_is_gone(
    checkout: Checkout, before: dict[str, object]
) -> None:
    change = {"actions": ["delete"], "before": before}
    protected = {"address": "module.store.it", "type": "t", "change": change}
    plan = json.dumps({"resource_changes": [protected]})
    done = checkout.run("destroy", ENV="prod", CI="true", PLAN_JSON=plan)
    assert done.returncode == 1
    assert "prod protects its data" in done.stderr
    assert done.stderr.endswith("Nothing was destroyed.\nmodule.store.it\n")
    assert not any(line.startswith("apply") for line in checkout.calls)
    free = {"deletion_protection_enabled": False, "deletion_protection": "INACTIVE"}
    change["before"] = {**free, "bucket": "b", "force_destroy": True}
    plan = json.dumps({"resource_changes": [protected]})
    assert checkout.run("destroy", ENV="prod", CI="true", PLAN_JSON=plan).returncode == 0


def test_the_plan_that_was_shown_is_the_plan_that_is_applied(checkout: Checkout) -> None:
    done = checkout.run("deploy", ENV="prod", answer="prod\n")
    assert (done.returncode, done.stdout) == (0, "")
    assert "the plan" in done.stderr
    assert f" {checkout.root}/build/plans/prod.tfplan |" in checkout.call("apply")


@pytest.mark.parametrize("way", [{"CI": "true"}, {"AUTO_APPROVE": "1"}])
def test_pipeline_is_not_asked(checkout: Checkout, way: dict[str, str]) -> None:
    assert checkout.run("deploy", ENV="prod", **way).returncode == 0
    assert checkout.call("apply")


def test_second_deploy_says_there_is_nothing_to_change(checkout: Checkout) -> None:
    done = checkout.run("deploy", ENV="prod", PLAN_STATUS="0")
    assert done.returncode == 0
    assert done.stderr.endswith("prod: nothing to change.\n")
    assert not any(line.startswith("apply") for line in checkout.calls)


def test_summary_is_of_the_last_plan(checkout: Checkout) -> None:
    assert "There is no plan of dev: run `make plan ENV=dev`" in (
        checkout.run("summary", ENV="dev").stderr
    )
    checkout.run("plan", ENV="dev")
    done = checkout.run("summary", ENV="dev")
    assert done.stdout == "### dev\n\nNothing to change.\n"
    assert f"show -json {checkout.root}/build/plans/dev.tfplan |" in checkout.call("show")


def test_an_older_release_is_planned_from_its_manifest(checkout: Checkout) -> None:
    done = checkout.run("deploy", ENV="dev", MANIFEST="5dca8ad83d66")
    assert done.returncode == 1
    assert "Nothing fetched 5dca8ad83d66" in done.stderr
    fetched = checkout.root / "build/manifests/dev/artefacts.json"
    fetched.parent.mkdir(parents=True)
    fetched.write_text("{}")
    assert checkout.run("deploy", ENV="dev", MANIFEST="5dca8ad83d66").returncode == 0
    assert "-var artefacts_dir=../build/manifests/dev " in checkout.call("plan")


# --- Output ---------------------------------------------------------------------------------------


def test_output_is_flat_json_and_nothing_else(checkout: Checkout) -> None:
    done = checkout.run("output", ENV="dev")
    assert json.loads(done.stdout) == {name: part["value"] for name, part in OUTPUTS.items()}


def test_output_of_the_emulator_gives_the_address_every_program_can_resolve() -> None:
    done = subprocess.run(
        ["python3", str(ROOT / "scripts/terraform_outputs.py"), "--emulator", "http://127.0.0.1:1"],
        input=json.dumps(OUTPUTS),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["api_url"] == (
        "http://127.0.0.1:1/_aws/execute-api/1ab0a910/$default"
    )


def test_output_that_fails_prints_nothing(checkout: Checkout) -> None:
    done = checkout.run(
        "output", ENV="dev", FAILS="output", MESSAGE="Error: dial tcp: no such host"
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr


def test_output_before_the_first_deploy_says_so(checkout: Checkout) -> None:
    Path(checkout.environment["OUTPUTS"]).write_text("{}")
    done = checkout.run("output", ENV="dev")
    assert done.returncode == 1
    assert done.stderr.endswith("Nothing is deployed to dev yet: run `make deploy ENV=dev`.\n")


# --- What goes wrong ------------------------------------------------------------------------------

LOCKED = (
    "│ Error: Error acquiring the state lock\\n│ \\n│ Lock Info:\\n"
    "│   ID:        5f6c6e2a-0b1c-4a5e-9b1d-0f5b1f0e7a11\\n│   Path:      bucket/key"
)


@pytest.mark.parametrize(
    ("fails", "message", "sentence"),
    [
        (
            "plan",
            LOCKED,
            "`make unlock ENV=dev ID=5f6c6e2a-0b1c-4a5e-9b1d-0f5b1f0e7a11`.",
        ),
        (
            "init",
            "Error: Failed to query available provider packages\\n\\ncould not connect to registry",
            "the Terraform registry does not answer, and no local mirror holds it",
        ),
        (
            "init",
            "│ Error: No valid credential\\n│ sources found",
            "There are no valid AWS credentials for dev",
        ),
        (
            "init",
            'Error: S3 bucket "sendmill-dev-terraform-state" does not exist.',
            "put the name of yours into terraform/env/dev.s3.tfbackend",
        ),
        ("plan", "AWS account ID not allowed: 444444444444", "allowed_account_ids in terraform"),
        ("apply", "ValidationException: DeletionProtection is on", "set protect_data = false"),
        ("apply", "The specified log group already exists", "`terraform import`"),
        ("init", "dial tcp: lookup sts.example.com: no such host", "AWS cannot be reached"),
    ],
)
def test_failure_starts_with_one_sentence_and_keeps_terraforms_own(
    checkout: Checkout, fails: str, message: str, sentence: str
) -> None:
    done = checkout.run("deploy", ENV="dev", FAILS=fails, MESSAGE=message)
    assert done.returncode == 1
    ours = next(line for line in done.stderr.splitlines() if sentence in line)
    assert done.stderr.index(ours) < done.stderr.index(message.split("\\n")[-1])


def test_unlock_wants_the_id_and_passes_it_on(checkout: Checkout) -> None:
    assert "ID must be the id of the lock" in checkout.run("unlock", ENV="dev").stderr
    assert checkout.run("unlock", ENV="dev", ID="5f6c").returncode == 0
    assert checkout.call("force-unlock").startswith("force-unlock -force 5f6c |")


def test_missing_terraform_is_one_sentence(checkout: Checkout, tmp_path: Path) -> None:
    tools = tmp_path / "few"
    tools.mkdir()
    for tool in ("bash", "basename", "dirname", "paste", "sed", "cat"):
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    done = checkout.run("plan", ENV="dev", PATH=str(tools))
    assert done.returncode == 1
    assert done.stderr == "terraform is not on the PATH: install version 1.11 or newer.\n"


# --- The provider mirror --------------------------------------------------------------------------


def find_mirror(checkout: Checkout, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(checkout.root / "scripts/find_provider_mirror.sh")],
        env={**checkout.environment, **more},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def mirrors(checkout: Checkout, tmp_path: Path) -> list[Path]:
    """Return the folders a mirror is looked for in, in this order; they are not made yet."""
    return [
        tmp_path / "named",
        checkout.root / "terraform/terraform.d/plugins",
        tmp_path / "home/.terraform.d/plugins",
        tmp_path / "data/terraform/plugins",
        tmp_path / "opt/of/somebody",
    ]


def roots(tmp_path: Path) -> dict[str, str]:
    return {"XDG_DATA_HOME": str(tmp_path / "data"), "MIRROR_ROOTS": str(tmp_path / "opt")}


@pytest.mark.parametrize("first", range(5))
def test_mirrors_are_searched_in_order(
    checkout: Checkout, tmp_path: Path, mirrors: list[Path], first: int
) -> None:
    for mirror in mirrors[first:]:
        make_mirror(mirror)
    if first == 4 and any(Path(mirror, AWS_PROVIDER).exists() for mirror in SYSTEM_MIRRORS):
        pytest.skip("this machine has a system-wide mirror, which goes before")
    named = {"TF_PLUGIN_MIRROR": str(mirrors[0])} if first == 0 else {}
    done = find_mirror(checkout, **roots(tmp_path), **named)
    assert (done.returncode, done.stdout) == (0, f"{mirrors[first]}\n")


def test_zipped_mirror_is_one_too(checkout: Checkout, tmp_path: Path, mirrors: list[Path]) -> None:
    (mirrors[2] / AWS_PROVIDER).mkdir(parents=True)
    (mirrors[2] / AWS_PROVIDER / f"terraform-provider-aws_5.100.0_{PLATFORM}.zip").touch()
    assert find_mirror(checkout, **roots(tmp_path)).stdout == f"{mirrors[2]}\n"


def test_mirror_of_another_version_is_passed_over(
    checkout: Checkout, tmp_path: Path, mirrors: list[Path]
) -> None:
    make_mirror(mirrors[2], version="6.0.0")
    make_mirror(mirrors[3])
    assert find_mirror(checkout, **roots(tmp_path)).stdout == f"{mirrors[3]}\n"


def test_named_mirror_without_the_provider_is_an_error(checkout: Checkout, tmp_path: Path) -> None:
    done = find_mirror(checkout, TF_PLUGIN_MIRROR=str(tmp_path))
    assert done.returncode == 1
    assert f"TF_PLUGIN_MIRROR names {tmp_path}, which holds no" in done.stderr
    assert checkout.run("plan", ENV="dev", TF_PLUGIN_MIRROR=str(tmp_path)).returncode == 1


def test_without_a_mirror_terraform_asks_its_registry(checkout: Checkout, tmp_path: Path) -> None:
    if any(Path(mirror, AWS_PROVIDER).exists() for mirror in SYSTEM_MIRRORS):
        pytest.skip("this machine has a system-wide mirror")
    done = checkout.run("plan", ENV="dev", TF_CLI_CONFIG_FILE=str(tmp_path / "missing.rc"))
    assert done.returncode == 0
    assert checkout.call("init").endswith("rc=")


def test_mirror_joins_the_callers_configuration(
    checkout: Checkout, tmp_path: Path, mirrors: list[Path]
) -> None:
    make_mirror(mirrors[4])
    own = tmp_path / "own.rc"
    own.write_text("disable_checkpoint = true\n")
    checkout.run("plan", ENV="dev", TF_CLI_CONFIG_FILE=str(own), **roots(tmp_path))
    written = checkout.root / "build/terraform.rc"
    assert checkout.call("init").endswith(f"rc={written}")
    assert "disable_checkpoint = true" in written.read_text()
    assert f'path    = "{mirrors[4]}"' in written.read_text()


def test_configuration_that_installs_providers_itself_stays(
    checkout: Checkout, tmp_path: Path, mirrors: list[Path]
) -> None:
    make_mirror(mirrors[4])
    own = tmp_path / "own.rc"
    own.write_text("provider_installation {\n  direct {}\n}\n")
    checkout.run("plan", ENV="dev", TF_CLI_CONFIG_FILE=str(own), **roots(tmp_path))
    assert checkout.call("init").endswith(f"rc={own}")
