"""The write role grants patching of exactly the kinds that some remedy can patch; the recreate role, of those recreated."""

from pathlib import Path
from typing import Any

import yaml

from bot.remediation.immutability import RULES
from bot.remediation.recreation import RECREATED

MANIFESTS = Path(__file__).parents[2] / "deploy" / "manifests"
ROLE = MANIFESTS / "rbac-write.yaml"


def rules(file: Path = ROLE) -> list[dict[str, Any]]:
    [role] = [one for one in yaml.safe_load_all(file.read_text("utf-8")) if one["kind"] == "ClusterRole"]
    return list(role["rules"])


def test_exactly_the_kinds_that_can_be_patched() -> None:
    granted = {
        (group, resource)
        for rule in rules()
        if "patch" in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    patched = {key for key, rule in RULES.items() if rule.always or rule.suspended}
    expected = {(group, f"{kind.lower()}s") for group, kind in (*patched, ("karpenter.sh", "NodePool"))}
    assert granted == expected


def test_nothing_else_is_granted() -> None:
    verbs = {(rule["apiGroups"][0], rule["resources"][0], verb) for rule in rules() for verb in rule["verbs"]}
    assert {verb for *_, verb in verbs} == {"get", "patch", "create"}
    assert [(group, resource) for group, resource, verb in verbs if verb == "create"] == [("", "events")]
    assert "*" not in ROLE.read_text("utf-8")
    assert "secrets" not in ROLE.read_text("utf-8")


def test_exactly_the_kinds_that_are_recreated_and_their_three_verbs() -> None:
    granted = {
        (group, resource, *sorted(rule["verbs"]))
        for rule in rules(MANIFESTS / "rbac-recreate.yaml")
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert granted == {(group, f"{kind.lower()}s", "create", "delete", "get") for group, kind in RECREATED}
