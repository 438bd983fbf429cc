"""The shipped rules and Alertmanager's snippet: what their alerts become is understood by the bot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.alerting.receiver import PATH
from bot.alerts import Status, of_labels

DEPLOY = Path(__file__).parents[2] / "deploy" / "alerting"
SAMPLE = {
    "cluster": "prod",
    "namespace": "ml",
    "pod": "train-0",
    "node": "ip-10-0-0-1.ec2.internal",
    "nodepool": "gpu",
    "resource_type": "cpu",
    "controller": "nodeclaim.lifecycle",
    "method": "Create",
}
RULES: list[dict[str, Any]] = yaml.safe_load((DEPLOY / "prometheusrule.yaml").read_text("utf-8"))["spec"]["groups"][0][
    "rules"
]
ASKED = {
    "PodPending": "why-pod",
    "KarpenterNodeNotReady": "why-node",
    "KarpenterNodePoolNearLimit": "nodepool",
    "KarpenterCloudProviderErrors": "nodepool",
    "KarpenterUnschedulablePods": "why-pod",
}


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_every_rule_asks_its_question_about_its_subject(rule: dict[str, Any]) -> None:
    by = rule["expr"].split("by (")[1].split(")")[0].split(", ")
    labels = {"alertname": rule["alert"], **{name: SAMPLE[name] for name in by}}
    alert = of_labels(labels, rule["annotations"], Status.FIRING)
    assert str(alert.question) == ASKED[rule["alert"]]
    for name in set(by) & {"cluster", "namespace", "pod", "node", "nodepool"}:
        assert getattr(alert.subject, name) == SAMPLE[name]


def test_the_webhook_goes_to_the_path_that_is_served() -> None:
    receivers = yaml.safe_load((DEPLOY / "alertmanager.yaml").read_text("utf-8"))["receivers"]
    assert receivers[1]["webhook_configs"][0]["url"].endswith(PATH)
