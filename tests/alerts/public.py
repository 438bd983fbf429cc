"""Alerts in the layouts of templates that others have published, beside the senders' own defaults.

Each generator names its source. Values are invented. They are read by nobody's special case: what is common to them (a status,
labels with names, a name like an alert's) must be enough. `HELD_BACK`: what was left aside for a first look (see recognition.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.alerts import layouts as by
from tests.alerts.firing import A_JOB, A_NODE, A_POD, A_POOL, DESCRIBED, JOB, KSM, NODE, POD, Case, x
from tests.alerts.layouts import Event

AM = "alertmanager"
GRAPH = "<https://prometheus.example/graph?g0.expr=up|:chart:>"


def attached(username: str = "alertmanager", **attachment: Any) -> Event:
    return by.webhook(username, {"color": "danger", **attachment})


def bullets(labels: by.Labels) -> str:
    return "".join(f" • *{n}:* `{v}`\n" for n, v in by.ordered(labels))


def alertmanager() -> Iterator[Case]:
    pod = x(AM, "KubePodNotReady", "why-pod", **A_POD)
    node = x(AM, "KubeNodeNotReady", "why-node", **A_NODE)
    # harthoover.com, "Pretty AlertManager Alerts in Slack": summary as pretext, the default title, details below
    details = f"*Alert:* Pod is not ready - `warning`\n*Description:* {DESCRIBED}\n*Details:*\n{bullets(POD)}"
    yield (
        "harthoover",
        attached(
            "AlertManager",
            pretext="Pod is not ready",
            title=by.subject([POD], ("alertname",)),
            title_link="https://am.example/#/alerts?receiver=slack",
            text=details,
        ),
        pod,
    )
    # prometheus.io, notification examples: summaries as the title, descriptions as the text
    yield (
        "prometheus-docs",
        attached(
            "Alertmanager",
            title="Pod has been in a non-ready state for more than 15 minutes.\n",
            text=f"{DESCRIBED}\n",
            fallback=by.subject([POD], ("alertname",)) + " | https://am.example/#/alerts",
        ),
        pod,
    )
    # robustperception.io: "Instances: a b"
    yield (
        "robust-perception",
        attached(
            "Alertmanager",
            title=by.subject([NODE], ("alertname",)),
            text="Nodes: ip-10-0-12-7.eu-west-1.compute.internal ",
            title_link="https://am.example/#/alerts",
        ),
        node,
    )
    # alphagov/govuk-helm-charts, _slack-template.tpl: pretext, emoji in the title, fields, silence link with all labels
    filters = "%2C%20".join(f'{n}%3D"{v}"' for n, v in by.ordered(POD))
    for status, word in (("firing", "Firing"), ("resolved", "Resolved")):
        yield (
            f"govuk-{status}",
            attached(
                "Prometheus Alertmanager",
                pretext="The following alert is firing:" if status == "firing" else "This alert is resolved:",
                title=f":warning: {word}: KubePodNotReady",
                text=f"*Pod is not ready*\n*Description*:\n{DESCRIBED}",
                fields=[
                    {"title": "Status", "value": f":fire: {word}", "short": True},
                    {"title": "Severity", "value": ":warning: Warning", "short": True},
                    {"title": "Environment", "value": "Production", "short": True},
                ],
                actions=[
                    {
                        "type": "button",
                        "text": ":no_bell:",
                        "url": f"https://am.example/#/silences/new?filter=%7B{filters}%7D",
                    }
                ],
                footer="Sent by Alertmanager",
                color="danger" if status == "firing" else "#008000",
            ),
            x(AM, "KubePodNotReady", "why-pod", status, **A_POD),
        )
    # duplocloud/opentelemetry-release: portal and cluster before the bracket, "Alert: - `sev` Name for pod", details
    yield (
        "duplocloud",
        attached(
            "alerts",
            title="acme - osprey-prod [FIRING:1]",
            title_link="https://grafana.example/alerting/list?search=KubePodNotReady",
            text=f"📢 *Alert:*  - `warning`  KubePodNotReady for {POD['pod']}\n\n*📝 Description:* {DESCRIBED}\n\n*📌 Details:*\n{bullets(POD)}📖 No Runbook Available\n",
        ),
        pod | {"sender": [AM, "grafana"]},  # Mimir's Alertmanager, linked to Grafana
    )
    # kalisio/kargo: the host as title, status and summary in the text
    yield (
        "kargo",
        attached(
            "alertmanager",
            title="prod.example",
            text="[RESOLVED] Pod checkout/cart-7c9f6b5d48-xk2lp was not ready",
            title_link="https://am.example/#/alerts",
            color="good",
        ),
        x(AM, None, "why-pod", "resolved", namespace="checkout", pod=A_POD["pod"]) | {"alertname": [...]},
    )
    # a template of many: "🔥 Alert: Name", labels in words
    yield (
        "fire-title",
        attached(
            "alertmanager",
            title="🔥 Alert: KubePodNotReady",
            text=f"*Cluster*: osprey-prod\n*Summary*: Pod is not ready\n*Description*: {DESCRIBED}\n",
        ),
        pod,
    )
    # medium.com/quiq-blog: "[FIRING:1] Name @ identifier", description below
    yield (
        "quiq",
        attached(
            "alertmanager",
            title="[FIRING:1] KubePodNotReady @ checkout/cart-7c9f6b5d48-xk2lp",
            text=DESCRIBED,
        ),
        pod,
    )
    yield (
        "quiq-many",
        attached(
            "alertmanager",
            title="[FIRING:2] ",
            text="*Alerts Firing:*\n- cart: Pod checkout/cart-7c9f6b5d48-xk2lp has been in a non-ready state\n- cart: Pod checkout/cart-7c9f6b5d48-9zr7d has been in a non-ready state\n",
        ),
        {"recognised": True, "sender": AM, "status": "firing", "question": "why-pod", "namespace": "checkout"},
    )
    # templates with a key a line, `Alert`, `Status`, `Severity` ... in bold
    keyed = "".join(f"*{n.title()}:* {v}\n" for n, v in by.ordered(POD) if n != "alertname")
    for status in ("firing", "resolved"):
        yield (
            f"keyed-{status}",
            attached(
                "prometheus",
                title=f"[{status.upper()}] KubePodNotReady",
                text=f"*Alert:* KubePodNotReady\n*Status:* {status.upper()}\n{keyed}*Started:* 2025-12-28 06:03:00 UTC\n",
                color="warning" if status == "firing" else "good",
            ),
            x(AM, "KubePodNotReady", "why-pod", status, **A_POD),
        )
    # emoji for names of labels
    yield (
        "emoji-keys",
        by.webhook(
            "alertmanager",
            text="*🔥 FIRING ALERTS*\n*KubeNodeNotReady* [Critical]\n📍 ip-10-0-12-7.eu-west-1.compute.internal\n📝 Node is not ready\n🏷️ cluster: osprey-prod\n⏰ Started: Dec 28, 06:03 UTC\n🔗 <http://alertmanager:9093/#/alerts|Alertmanager>",
        ),
        node,
    )
    # lidofinance/alertmanager-discord: Slack's table block
    cells = [[{"type": "raw_text", "text": n}, {"type": "raw_text", "text": v}] for n, v in by.ordered(POD)]
    yield (
        "table",
        by.app(
            "alertmanager-discord",
            "FIRING: KubePodNotReady",
            blocks=[
                {"type": "section", "text": {"type": "mrkdwn", "text": "🚨 *FIRING: KubePodNotReady*"}},
                {"type": "table", "rows": cells},
            ],
        ),
        pod,
    )
    # a rich text of a relay
    listed = [
        {
            "type": "rich_text_section",
            "elements": [{"type": "text", "text": f"{n}: "}, {"type": "text", "text": v, "style": {"code": True}}],
        }
        for n, v in by.ordered(JOB)
    ]
    yield (
        "rich-text",
        by.app(
            "prometheus-relay",
            "[FIRING] KubeJobNotCompleted",
            attachments=[
                {
                    "color": "danger",
                    "fallback": "[no preview available]",
                    "blocks": [
                        {
                            "type": "rich_text",
                            "elements": [{"type": "rich_text_list", "style": "bullet", "elements": listed}],
                        }
                    ],
                }
            ],
        ),
        x(AM, "KubeJobNotCompleted", "why-pod", **A_JOB),
    )
    # fields of an attachment, exporter labels among them
    yield (
        "fields",
        attached(
            "Prometheus",
            title="[FIRING:1] KubeNodeNotReady",
            fields=[{"title": n, "value": v, "short": True} for n, v in {**KSM, **NODE}.items()],
        ),
        x(AM, "KubeNodeNotReady", "why-node", **A_NODE),
    )
    # labels in a code block, as JSON
    yield (
        "json-labels",
        attached(
            "alertmanager",
            title="[FIRING:1] KarpenterNodepoolNearCapacity",
            text='```{"alertname": "KarpenterNodepoolNearCapacity", "cluster": "osprey-prod", "nodepool": "gpu-a100", "severity": "warning"}```',
        ),
        x(AM, "KarpenterNodepoolNearCapacity", "nodepool", **A_POOL),
    )
    # everything in the dashboard's link
    yield (
        "in-a-link",
        attached(
            "alertmanager",
            title="[FIRING:1] KubePodNotReady",
            text="Pod is not ready. <https://grafana.example/d/pods?var-cluster=osprey-prod&amp;var-namespace=checkout&amp;var-pod=cart-7c9f6b5d48-xk2lp|Dashboard>",
        ),
        pod,
    )
    # cut in the middle of the labels
    whole = f"*Details:*\n{bullets({'cluster': 'osprey-prod', 'namespace': 'checkout', 'pod': POD['pod'], 'uid': '0' * 40})}"
    yield "cut", attached("alertmanager", title="[FIRING:1] KubePodNotReady", text=whole[:-30] + "..."), pod
    yield (
        "kps-karpenter-registration",
        attached(
            "Prometheus",
            title="[FIRING:1] Monitoring Event Notification",
            text=f"*Alert:* KarpenterCanNotRegisterNewNodes - `warning`\n*Description:* Karpenter in the nodepool gpu-a100 launched new nodes, but some of the nodes did not register in the cluster during 15 min.\n*Graph:* {GRAPH}\n*Details:*\n{bullets({'alertname': 'KarpenterCanNotRegisterNewNodes', 'cluster': 'osprey-prod', 'nodepool': 'gpu-a100', 'severity': 'warning'})}",
        ),
        x(AM, "KarpenterCanNotRegisterNewNodes", "nodepool", **A_POOL),
    )
    # deckhouse's names
    yield (
        "deckhouse",
        attached(
            "alertmanager",
            title="[FIRING:1] K8SNodeNotReady",
            text="*summary:* The status of node ip-10-0-12-7.eu-west-1.compute.internal is NotReady.\n*cluster:* osprey-prod",
        ),
        x(AM, "K8SNodeNotReady", "why-node", **A_NODE),
    )
    # VictoriaMetrics' and community rules' names and sentences
    yield (
        "unschedulable",
        attached(
            "vmalert",
            title="[FIRING:1] KubernetesPodUnschedulable",
            text="• namespace: checkout\n• pod: cart-7c9f6b5d48-xk2lp\n• cluster: osprey-prod\nPod cannot be scheduled for more than 10 minutes: 0/12 nodes are available",
            title_link="https://am.example/#/alerts",
        ),
        x(AM, "KubernetesPodUnschedulable", "why-pod", **A_POD),
    )


def others() -> Iterator[Case]:
    # robusta: core/sinks/slack/templates/header.j2 (the preview sink)
    for status, mark in (("Firing", "⚠️"), ("Resolved", "✅")):
        header = {
            "type": "section",
            "text": {
                "type": "mrkdwn",
                "text": f"{mark} *[{status}] <https://platform.robusta.dev/a|Pod has been in a non-ready state>*",
            },
        }
        told = (
            ":bell: Type: Alert",
            "🟡 Severity: Medium",
            ":globe_with_meridians: Cluster: osprey-prod",
            ":ship: Resource: Pod/checkout/cart-7c9f6b5d48-xk2lp",
        )
        context = {"type": "context", "elements": [{"type": "mrkdwn", "text": text} for text in told]}
        rest = {"type": "section", "text": {"type": "mrkdwn", "text": "*Source:* `osprey-prod`"}}
        labels = {
            "type": "section",
            "text": {"type": "mrkdwn", "text": "*Alert labels*\n" + "\n".join(f"● {n} `{v}`" for n, v in POD.items())},
        }
        yield (
            f"robusta-preview-{status}",
            by.app(
                "Robusta",
                ("[RESOLVED] " if status == "Resolved" else "") + "Pod has been in a non-ready state",
                blocks=[header, context, rest],
                attachments=[{"color": "danger", "blocks": [labels]}],
            ),
            x("robusta", "KubePodNotReady", "why-pod", status.lower(), **A_POD),
        )
    # robusta: integrations/slack/sender.py before 0.10.30
    old = [
        {
            "type": "section",
            "text": {
                "type": "mrkdwn",
                "text": "🔥 `firing` 🔴 `high` <https://platform.robusta.dev/a|*Node is not ready*>",
            },
        },
        {"type": "section", "text": {"type": "mrkdwn", "text": "*Source:* `osprey-prod`"}},
        {
            "type": "section",
            "text": {
                "type": "mrkdwn",
                "text": "🚨 *Alert:* ip-10-0-12-7.eu-west-1.compute.internal has been unready for more than 15 minutes.",
            },
        },
    ]
    yield (
        "robusta-old",
        by.app("Robusta", "Node is not ready", blocks=old),
        x("robusta", None, "why-node", **A_NODE) | {"alertname": [None, "Node is not ready"]},
    )
    # grafana: a custom template of the documentation, and a footer without a version
    yield (
        "grafana-custom",
        by.app(
            "Grafana",
            attachments=[
                {
                    "color": "d63232",
                    "title": "[FIRING:1] Pod pending Kubernetes (osprey-prod checkout cart-7c9f6b5d48-xk2lp)",
                    "fallback": "x",
                    "text": "1 firing:\n[firing] Pod pending\ncluster=osprey-prod namespace=checkout pod=cart-7c9f6b5d48-xk2lp",
                    "footer": "Grafana",
                    "title_link": "https://grafana.example/alerting/grafana/abc/view?orgId=1",
                }
            ],
        ),
        {"recognised": True, "sender": "grafana", "status": "firing", "question": "why-pod", **A_POD},
    )
    pending = {**POD, "alertname": "Pod pending"}
    multi = by.grafana([pending], {"description": "waits"}, folder="EKS")
    multi["attachments"][0]["text"] = multi["attachments"][0]["text"].replace("Value: A=1, C=1", "Value: [no value]")
    yield "grafana-no-value", multi, x("grafana", "Pod pending", "why-pod", **A_POD)
    # datadog: a webhook with $EVENT_TITLE and $TEXT_ONLY_MSG; a title with the priority; the tags without braces
    yield (
        "datadog-webhook",
        by.webhook(
            "Datadog",
            {
                "color": "danger",
                "title": "[P2] [Triggered on {kube_cluster_name:osprey-prod,kube_namespace:checkout,pod_name:cart-7c9f6b5d48-xk2lp}] Pod is pending",
                "text": "%%% Pod cart-7c9f6b5d48-xk2lp is Pending for 15m %%%",
                "fields": [
                    {"title": "Priority", "value": "normal"},
                    {"title": "Link", "value": "https://app.datadoghq.com/event/event?id=1"},
                ],
            },
            text="[P2] [Triggered on {kube_cluster_name:osprey-prod,kube_namespace:checkout,pod_name:cart-7c9f6b5d48-xk2lp}] Pod is pending",
        ),
        x("datadog", "Pod is pending", "why-pod", **A_POD),
    )
    yield (
        "datadog-blocks",
        by.app(
            "Datadog",
            "Triggered: Node is NotReady on kube_node:ip-10-0-12-7.eu-west-1.compute.internal",
            attachments=[
                {
                    "color": "danger",
                    "fallback": "[no preview available]",
                    "blocks": [
                        {
                            "type": "section",
                            "text": {
                                "type": "mrkdwn",
                                "text": "*<https://app.datadoghq.eu/monitors/1|Triggered: Node is NotReady on kube_node:ip-10-0-12-7.eu-west-1.compute.internal>*",
                            },
                        },
                        {
                            "type": "context",
                            "elements": [
                                {
                                    "type": "mrkdwn",
                                    "text": "*Tags:* kube_cluster_name:osprey-prod, kube_node:ip-10-0-12-7.eu-west-1.compute.internal, monitor",
                                }
                            ],
                        },
                    ],
                }
            ],
        ),
        x("datadog", "Node is NotReady", "why-node", **A_NODE),
    )
    # pagerduty: the second integration's layouts
    yield (
        "pagerduty-link",
        by.app(
            "PagerDuty",
            "",
            attachments=[
                {
                    "color": "d4183d",
                    "fallback": "Triggered #4711: [FIRING:1] KubePodNotReady checkout (osprey-prod cart-7c9f6b5d48-xk2lp warning)",
                    "title": "#4711: [FIRING:1] KubePodNotReady checkout (osprey-prod cart-7c9f6b5d48-xk2lp warning)",
                    "title_link": "https://acme.pagerduty.com/incidents/P1",
                    "text": "*Triggered* by Prometheus\nAssigned: Ines",
                    "fields": [{"title": "Service", "value": "EKS"}],
                }
            ],
        ),
        x("pagerduty", "KubePodNotReady", "why-pod", **A_POD),
    )
    yield (
        "pagerduty-resolved",
        by.app(
            "PagerDuty",
            "Incident #4711 resolved by Ines: <https://acme.pagerduty.com/incidents/P1|[FIRING:1] KubePodNotReady checkout (osprey-prod cart-7c9f6b5d48-xk2lp warning)>",
        ),
        x("pagerduty", "KubePodNotReady", "why-pod", "resolved", **A_POD),
    )
    # opsgenie: who did it before the quoted title; an alert's id in front
    for action, status in (("acknowledged", "firing"), ("closed", "resolved")):
        yield (
            f"opsgenie-{action}-by",
            by.webhook(
                "Opsgenie",
                {
                    "color": "439FE0",
                    "fallback": f"Ines {action} alert",
                    "text": f'Ines {action} alert <https://acme.app.opsgenie.com/alert/detail/1/details|#55> "[FIRING:1] KubeJobNotCompleted osprey-prod (train-bert-29397480 ml warning)"',
                },
            ),
            x("opsgenie", "KubeJobNotCompleted", "why-pod", status, **A_JOB),
        )
    yield (
        "jsm",
        by.app(
            "Jira Service Management",
            "",
            attachments=[
                {
                    "color": "f2a33a",
                    "fallback": "New alert: KubePodNotReady",
                    "pretext": "New alert",
                    "title": "#812: KubePodNotReady",
                    "title_link": "https://acme.atlassian.net/jira/ops/alerts/1",
                    "text": "cluster: osprey-prod\nnamespace: checkout\npod: cart-7c9f6b5d48-xk2lp",
                    "fields": [{"title": "Priority", "value": "P3"}, {"title": "Status", "value": "Open"}],
                }
            ],
        ),
        x("opsgenie", "KubePodNotReady", "why-pod", **A_POD),
    )
    # terraform-aws-notify-slack with the name in the text; Amazon Q's composite alarm; a custom notification
    lambda_ = by.notify_slack(
        "eks-pods-pending", "ALARM", "Pods pending in namespace checkout on cluster osprey-prod", "Threshold Crossed"
    )
    lambda_["text"] = "AWS CloudWatch notification - eks-pods-pending"
    lambda_["username"] = "AWS notifications"
    yield (
        "notify-slack-text",
        lambda_,
        x("aws-chatbot", "eks-pods-pending", "why-pod", cluster="osprey-prod", namespace="checkout"),
    )
    q = by.cloudwatch(
        "osprey-node-not-ready",
        "ALARM",
        "A node is not ready",
        {"ClusterName": "osprey-prod", "InstanceId": "i-0abc123def4567890"},
        "ContainerInsights / node_status_condition_ready",
    )
    q["bot_profile"] = {"id": "B0APP", "app_id": "A6L22LZNH", "name": "Amazon Q Developer"}
    yield (
        "amazonq-developer",
        q,
        x("aws-chatbot", "osprey-node-not-ready", "why-node", cluster="osprey-prod", node="i-0abc123def4567890"),
    )


def chat() -> Iterator[tuple[str, Event]]:
    """What looks like these and is no alert."""
    yield (
        "robusta-welcome",
        by.app(
            "Robusta",
            "Welcome to Robusta",
            blocks=[
                {
                    "type": "section",
                    "text": {
                        "type": "mrkdwn",
                        "text": "Robusta is installed on `osprey-prod`. <https://platform.robusta.dev|Open>",
                    },
                }
            ],
        ),
    )
    yield (
        "robusta-scan",
        by.app(
            "Robusta",
            "KRR scan",
            blocks=[
                {
                    "type": "section",
                    "text": {
                        "type": "mrkdwn",
                        "text": "👀 *Notification* 🟢 *Info*\nKRR scan finished: 12 pods over-provisioned",
                    },
                }
            ],
        ),
    )
    yield (
        "grafana-annotation",
        by.app(
            "Grafana",
            "meadow added an annotation: node pool migration",
            attachments=[{"title": "Pods", "title_link": "https://grafana.example/d/abc?orgId=1", "fallback": "x"}],
        ),
    )
    yield (
        "pagerduty-note",
        by.app(
            "PagerDuty",
            "Ines added a note: the node is back",
            attachments=[{"text": "restarted kubelet", "fallback": "x"}],
        ),
    )
    yield "pagerduty-summary", by.app("PagerDuty", "Weekly summary: 12 incidents, 3 open")
    yield (
        "opsgenie-schedule",
        by.webhook("Opsgenie", {"text": "Schedule platform_schedule: Ines is on-call now", "fallback": "x"}),
    )
    yield "datadog-slo", by.app("Datadog", "Your SLO report is ready: pods ready 99.9 %")
    yield "amazonq-chat", by.app("Amazon Q", "You have 3 alarms in ALARM state? Ask me with @Amazon Q show alarms")
    yield (
        "amazonq-health",
        by.app(
            "Amazon Q",
            "AWS Health Event | eu-north-1",
            attachments=[{"text": "Scheduled maintenance of RDS", "fallback": "x"}],
        ),
    )
    yield (
        "github-release",
        by.app(
            "GitHub",
            "Release published: alertmanager 0.28",
            attachments=[
                {
                    "title": "[FIRING] fix default template",
                    "fallback": "x",
                    "title_link": "https://github.com/prometheus/alertmanager",
                }
            ],
        ),
    )
    yield (
        "deploy-bot",
        by.webhook(
            "deploybot",
            {
                "color": "good",
                "title": "checkout deployed",
                "text": "namespace: checkout\npods: 12 ready",
                "fallback": "x",
            },
        ),
    )
    yield (
        "runbook",
        by.human(
            "runbook for KubePodNotReady:\n1. kubectl describe pod\n2. look for FailedScheduling\n3. ask karpenter-bot"
        ),
    )
    yield "status-table", by.human("*Status*\nnamespace: checkout\npods pending: 0\nnodes: 12 ready")
    yield "template", by.human("our title is now `[{{ .Status | toUpper }}] {{ .CommonLabels.alertname }}`, ok?")
    yield (
        "describe-ok",
        by.human(
            "```Name:         trainer-0\nNamespace:    ml-train\nStatus:       Running\nConditions:\n  Type           Status\n  Ready          True```"
        ),
    )
    yield (
        "log-ok",
        by.human(
            '```{"level":"INFO","time":"2025-11-23T19:58:12.114Z","logger":"controller","message":"initialized nodeclaim","NodeClaim":{"name":"gpu-8kx2p"}}```\nfine, right?'
        ),
    )


HELD_BACK = frozenset(
    [
        "robust-perception",
        "govuk-resolved",
        "kargo",
        "quiq",
        "quiq-many",
        "keyed-resolved",
        "emoji-keys",
        "rich-text",
        "json-labels",
        "in-a-link",
        "deckhouse",
        "robusta-preview-Resolved",
        "robusta-old",
        "grafana-no-value",
        "datadog-blocks",
        "pagerduty-resolved",
        "opsgenie-closed-by",
        "amazonq-developer",
        "robusta-scan",
        "pagerduty-note",
        "opsgenie-schedule",
        "amazonq-chat",
        "github-release",
        "runbook",
        "template",
        "log-ok",
    ]
)


def cases() -> list[Case]:
    """Every alert of these layouts."""
    return [*alertmanager(), *others()]
