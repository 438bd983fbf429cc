"""Layouts that were written after the recognisers had been mended: the first look at them read 17 of 19 without a fault."""

from __future__ import annotations

from typing import Final

from tests.alerts import layouts as by
from tests.alerts.firing import A_JOB, A_NODE, A_POD, A_POOL, Case, x
from tests.alerts.layouts import Event
from tests.alerts.public import attached

AM: Final = "alertmanager"
CASES: Final[list[Case]] = [
    (
        "team-de",
        attached(
            "Alertmanager",
            title="🚨 [AUSGELÖST] KubePodNotReady",
            title_link="https://am.example/#/alerts",
            text="Cluster: osprey-prod\nNamensraum: checkout\nPod: cart-7c9f6b5d48-xk2lp",
        ),
        x(AM, "KubePodNotReady", "why-pod", **A_POD),
    ),
    (
        "ja-text",
        by.webhook(
            "アラート",
            {
                "color": "danger",
                "title": "【障害】KubeNodeNotReady",
                "text": "クラスタ名：osprey-prod\nノード名：ip-10-0-12-7.eu-west-1.compute.internal\n状態：発生",
                "title_link": "https://am.example/#/alerts",
            },
        ),
        x(AM, "KubeNodeNotReady", "why-node", **A_NODE),
    ),
    (
        "zh-resolved",
        by.webhook(
            "告警机器人",
            {
                "color": "good",
                "title": "✅ 已恢复 - KubeJobNotCompleted",
                "text": "> 集群: osprey-prod\n> 命名空间: ml\n> job_name: train-bert-29397480",
            },
        ),
        x(AM, "KubeJobNotCompleted", "why-pod", "resolved", **A_JOB),
    ),
    (
        "two-columns",
        attached(
            "Prometheus",
            title="FIRING | KubePodNotReady | warning",
            text="`cluster`      osprey-prod\n`namespace`    checkout\n`pod`          cart-7c9f6b5d48-xk2lp",
            title_link="https://am.example/#/alerts",
        ),
        x(AM, "KubePodNotReady", "why-pod", **A_POD),
    ),
    (
        "braces",
        by.webhook(
            "alertmanager",
            text='🔴 FIRING: KarpenterNodepoolNearCapacity{cluster="osprey-prod", nodepool="gpu-a100", resource_type="cpu"}',
        ),
        x(AM, "KarpenterNodepoolNearCapacity", "nodepool", **A_POOL),
    ),
    (
        "sections",
        by.app(
            "monitoring",
            "Alert firing: KubePodNotReady",
            blocks=[
                {"type": "header", "text": {"type": "plain_text", "text": "🔥 KubePodNotReady (firing)"}},
                {
                    "type": "section",
                    "fields": [
                        {"type": "mrkdwn", "text": "*Cluster*\nosprey-prod"},
                        {"type": "mrkdwn", "text": "*Namespace*\ncheckout"},
                        {"type": "mrkdwn", "text": "*Pod*\n`cart-7c9f6b5d48-xk2lp`"},
                    ],
                },
                {
                    "type": "actions",
                    "elements": [
                        {
                            "type": "button",
                            "text": {"type": "plain_text", "text": "Silence"},
                            "url": "https://am.example/#/silences/new",
                        }
                    ],
                },
            ],
        ),
        x(AM, "KubePodNotReady", "why-pod", **A_POD),
    ),
    (
        "grafana-managed-node",
        by.app(
            "Grafana",
            attachments=[
                {
                    "color": "d63232",
                    "title": "[FIRING:2] Node not ready EKS (osprey-prod critical)",
                    "fallback": "x",
                    "text": "**Firing**\n\nValue: A=0\nLabels:\n - alertname = Node not ready\n - cluster = osprey-prod\n - node = ip-10-0-12-7.eu-west-1.compute.internal\nAnnotations:\n - summary = node is down\n\nValue: A=0\nLabels:\n - alertname = Node not ready\n - cluster = osprey-prod\n - node = ip-10-0-12-8.eu-west-1.compute.internal\nAnnotations:\n",
                    "footer": "Grafana v12.1.0",
                }
            ],
        ),
        x("grafana", "Node not ready", "why-node", cluster="osprey-prod"),
    ),
    (
        "dd-warn",
        by.app(
            "Datadog",
            attachments=[
                {
                    "color": "f0ad4e",
                    "title": "[Warn on {kube_cluster_name:osprey-prod,kube_namespace:ml,kube_job:train-bert-29397480}] Job pods cannot be scheduled",
                    "fallback": "x",
                    "title_link": "https://us5.datadoghq.com/monitors/1",
                    "text": "@slack-alerts",
                }
            ],
        ),
        x("datadog", "Job pods cannot be scheduled", "why-pod", **A_JOB),
    ),
    (
        "pd-ack",
        by.app(
            "PagerDuty",
            "*Acknowledged* <https://acme.pagerduty.com/incidents/Q2|#99: [FIRING:1] KubeNodeNotReady (osprey-prod ip-10-0-12-7.eu-west-1.compute.internal critical)>",
        ),
        x("pagerduty", "KubeNodeNotReady", "why-node", **A_NODE),
    ),
    (
        "og-create",
        by.webhook(
            "OpsGenie",
            {
                "color": "danger",
                "pretext": "New alert",
                "title": "[Prometheus] [FIRING:1] KubePodNotReady checkout (osprey-prod cart-7c9f6b5d48-xk2lp warning)",
                "title_link": "https://opsg.in/a/i/acme/1",
                "text": "x",
                "fallback": "New alert",
            },
        ),
        x("opsgenie", "KubePodNotReady", "why-pod", **A_POD),
    ),
    (
        "cw-old",
        by.webhook(
            "AWS Chatbot",
            {
                "color": "danger",
                "title": ":rotating_light: CloudWatch Alarm | osprey-pods-pending | us-east-1 | Account: 1",
                "text": "Threshold Crossed\n*Alarm Description*\nPods are pending\n*Dimensions*\nClusterName: osprey-prod\nNamespace: checkout",
                "fallback": "x",
            },
        ),
        x("aws-chatbot", "osprey-pods-pending", "why-pod", cluster="osprey-prod", namespace="checkout"),
    ),
    (
        "robusta-event",
        by.app(
            "Robusta",
            "Pod pending",
            blocks=[
                {
                    "type": "section",
                    "text": {
                        "type": "mrkdwn",
                        "text": "👀 *K8s event detected* 🔴 *High*\nPod checkout/cart-7c9f6b5d48-xk2lp is pending",
                    },
                },
                {"type": "section", "text": {"type": "mrkdwn", "text": "*Source:* `osprey-prod`"}},
            ],
        ),
        x("robusta", None, "why-pod", **A_POD),
    ),
    (
        "am-oom",
        attached("Alertmanager", title="[FIRING:1] KubeContainerOOMKilled", text="*pod:* cart-7c9f6b5d48-xk2lp"),
        {
            "recognised": True,
            "sender": AM,
            "alertname": "KubeContainerOOMKilled",
            "status": "firing",
            "question": None,
            "cluster": [...],
            "namespace": [...],
            "pod": [...],
        },
    ),
]
CHAT: Final[list[tuple[str, Event]]] = [
    (
        "argocd",
        by.webhook(
            "argocd-notifications",
            {
                "color": "danger",
                "title": "checkout",
                "text": "Application checkout sync failed: pods pending",
                "fallback": "x",
            },
        ),
    ),
    ("poll", by.app("Simple Poll", "Which alert is the noisiest? KubePodNotReady / KubeNodeNotReady")),
    ("human-q", by.human("prometheus says node not ready for ip-10-0-12-7, is that spot?")),
    (
        "gh-issue",
        by.app(
            "GitHub",
            "Issue opened by min: [FIRING] titles are cut",
            attachments=[{"title": "#3 [FIRING] titles are cut", "fallback": "x", "text": "namespace: monitoring"}],
        ),
    ),
    ("digest", by.app("karpenter-bot", "This week: 12 pods waited, 3 nodes lost")),
    ("yaml", by.human("```alertname: KubePodNotReady\nnamespace: checkout\nfor: 15m```")),
]
