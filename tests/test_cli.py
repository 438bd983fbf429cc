"""The command line as a script meets it: exit codes, one clear line on stderr, nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.recorded import CASES, RECORDED, RecordedCase

SEED = CASES / "seed-efa-8-on-g6e-8xlarge"
POD = "default/llama-3-8b-node-0-1-z49j4"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The installed command's own entry point, in a process of its own, without any cluster or AWS at hand."""
    nowhere = {"KUBECONFIG": "/nonexistent/kubeconfig", "AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent"}
    path = str(Path(sys.executable).parent)
    return subprocess.run(
        [sys.executable, "-m", "bot.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": path, **nowhere, **environment},
        cwd=CASES.parent.parent,
    )


def assert_one_line(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert done.returncode == code, done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("karpenter-bot: ")
    assert "Traceback" not in done.stderr
    assert not done.stdout
    for word in words:
        assert word in done.stderr


def test_an_answer_is_exit_code_0_blocked_or_not() -> None:
    done = run("why", POD, "--snapshot", str(SEED))
    assert done.returncode == 0, done.stderr
    assert "g6e.8xlarge has 1 EFA interface, you asked for 8." in done.stdout.splitlines()[0]
    assert not done.stderr


def test_json_is_one_object_with_the_contract_s_fields() -> None:
    done = run("why", POD, "--snapshot", str(SEED), "-o", "json")
    answer = json.loads(done.stdout)
    assert answer["pod"] == {"namespace": "default", "name": POD.partition("/")[2], "uid": answer["pod"]["uid"]}
    assert answer["verdict"] == "blocked"
    assert set(answer) >= {
        "pod", "verdict", "karpenterVersion", "karpenterSays", "causes", "nodepools", "remedies", "missing", "elapsedMs",
    }  # fmt: skip
    assert set(answer["causes"][0]) >= {"id", "playbook", "summary", "constraints", "facts", "evidence"}
    assert set(answer["nodepools"][0]) >= {"name", "blockedBy", "karpenterMessage", "offerings"}
    assert set(answer["remedies"][0]) >= {
        "id", "summary", "relaxes", "target", "patchType", "patch", "opens", "applicable", "whyNot",
    }  # fmt: skip
    assert answer["elapsedMs"] > 0


def test_slack_output_is_a_message() -> None:
    message = json.loads(run("why", POD, "--snapshot", str(SEED), "-o", "slack").stdout)
    assert message["text"].startswith("g6e.8xlarge has 1 EFA interface")
    assert message["blocks"]


def test_an_unknown_pod_names_the_nearest() -> None:
    done = run("why", "default/llama-3-8b-node-0-1-z49j5", "--snapshot", str(SEED))
    assert_one_line(done, 3, POD)


def test_a_name_that_fits_several_pods_names_them() -> None:
    assert_one_line(run("why", "llama-3-8b", "--snapshot", str(SEED)), 3, "fits 4 pods", POD)


@pytest.mark.parametrize(
    "arguments", [(), ("whi",), ("why",), ("why", POD, "-o", "xml"), ("playbooks", "show", "no-such")]
)
def test_bad_usage_is_exit_code_2(arguments: tuple[str, ...]) -> None:
    assert_one_line(run(*arguments), 2)


def test_a_folder_that_is_not_there_is_exit_code_2() -> None:
    assert_one_line(run("why", POD, "--snapshot", "/nonexistent"), 2, "/nonexistent")


def test_broken_yaml_names_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "pods.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: a\n")
    assert_one_line(run("why", "a", "--snapshot", str(tmp_path)), 2, "pods.yaml:")


def test_no_cluster_is_exit_code_4() -> None:
    assert_one_line(run("why", POD), 4, "kubeconfig")


def test_a_reader_that_stops_reading_is_no_error() -> None:
    command = f"{sys.executable} -m bot.cli why {POD} --snapshot {SEED} | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, cwd=CASES.parent.parent)
    assert done.stdout.count("\n") == 1
    assert not done.stderr


def test_the_shipped_playbooks_are_in_order() -> None:
    assert run("playbooks", "check").returncode == 0
    assert "efa-count-exceeds-instance" in run("playbooks", "list").stdout
    assert run("playbooks", "show", "efa-unsupported", "--lang", "ko").stdout.startswith("---\n")


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case.name)
def test_every_recorded_case_can_be_asked_about(case: RecordedCase) -> None:
    done = run("why", case.spec["question"], "--snapshot", str(case.folder), "-o", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"] == case.expect["verdict"]
