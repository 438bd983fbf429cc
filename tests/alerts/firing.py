"""Alerts of every sender with what must be read from them. `x(...)`: what is not named must be null."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.alerts import layouts as by
from tests.alerts.layouts import Event

Expected = dict[str, Any]
Case = tuple[str, Event, Expected]

POD = {
    "alertname": "KubePodNotReady",
    "cluster": "osprey-prod",
    "namespace": "checkout",
    "pod": "cart-7c9f6b5d48-xk2lp",
    "severity": "warning",
    "prometheus": "monitoring/k8s",
}
JOB = {
    "alertname": "KubeJobNotCompleted",
    "cluster": "osprey-prod",
    "namespace": "ml",
    "job_name": "train-bert-29397480",
    "severity": "warning",
}
NODE = {
    "alertname": "KubeNodeNotReady",
    "cluster": "osprey-prod",
    "node": "ip-10-0-12-7.eu-west-1.compute.internal",
    "severity": "critical",
}
KSM = {
    "container": "kube-state-metrics",
    "endpoint": "http",
    "instance": "10.1.2.3:8080",
    "job": "kube-state-metrics",
    "namespace": "monitoring",
    "pod": "kps-kube-state-metrics-7f5cd9bb6d-4ltxs",
    "service": "kps-kube-state-metrics",
}
KARPENTER = {
    "container": "controller",
    "endpoint": "http-metrics",
    "instance": "10.1.2.9:8080",
    "job": "karpenter",
    "namespace": "kube-system",
    "pod": "karpenter-5c8d9f7b66-d8wtr",
    "service": "karpenter",
}
POOL = {
    "alertname": "KarpenterNodepoolNearCapacity",
    "cluster": "osprey-prod",
    "nodepool": "gpu-a100",
    "resource_type": "nvidia.com/gpu",
    "severity": "warning",
}
DESCRIBED = "Pod checkout/cart-7c9f6b5d48-xk2lp has been in a non-ready state for longer than 15 minutes on cluster osprey-prod."


def x(sender: str, alertname: str | None, question: str | None, status: str | None = "firing", **more: Any) -> Expected:
    return {"recognised": True, "sender": sender, "alertname": alertname, "status": status, "question": question} | more


A_POD = {"cluster": "osprey-prod", "namespace": "checkout", "pod": "cart-7c9f6b5d48-xk2lp"}
A_JOB = {"cluster": "osprey-prod", "namespace": "ml", "job": "train-bert-29397480"}
A_NODE = {"cluster": "osprey-prod", "node": "ip-10-0-12-7.eu-west-1.compute.internal"}
A_POOL = {"cluster": "osprey-prod", "nodepool": "gpu-a100"}


def without(labels: by.Labels, *names: str) -> dict[str, str]:
    return {n: v for n, v in labels.items() if n not in names}


def alertmanager() -> Iterator[Case]:
    am = "alertmanager"
    for status in ("firing", "resolved"):
        for index, group in enumerate(
            (
                ("alertname",),
                ("namespace",),
                ("alertname", "cluster", "namespace"),
                ("alertname", "cluster", "namespace", "pod"),
                ("cluster",),
            )
        ):
            yield (
                f"default-pod-{status}-{index}",
                by.default_template([POD], group, status),
                x(am, "KubePodNotReady", "why-pod", status, **A_POD),
            )
            yield (
                f"default-job-{status}-{index}",
                by.default_template([JOB], group, status),
                x(am, "KubeJobNotCompleted", "why-pod", status, **A_JOB),
            )
            yield (
                f"default-node-{status}-{index}",
                by.default_template([NODE], group, status),
                x(am, "KubeNodeNotReady", "why-node", status, **A_NODE),
            )
    yield "default-node-of-ksm", by.default_template([{**KSM, **NODE}]), x(am, "KubeNodeNotReady", "why-node", **A_NODE)
    yield (
        "default-no-cluster",
        by.default_template([without(POD, "cluster")]),
        x(am, "KubePodNotReady", "why-pod", namespace="checkout", pod=A_POD["pod"]),
    )
    three = [{**POD, "pod": f"cart-7c9f6b5d48-{end}"} for end in ("2hqpl", "9zr7d", "xk4vn")]
    yield (
        "default-three-pods",
        by.default_template(three, ("namespace",)),
        x(am, "KubePodNotReady", "why-pod", cluster="osprey-prod", namespace="checkout"),
    )
    yield (
        "list-three-pods",
        by.default_template(three, ("namespace",), text=by.alert_list(three)),
        x(am, "KubePodNotReady", "why-pod", cluster="osprey-prod", namespace="checkout"),
    )
    mixed = [
        POD,
        {**POD, "alertname": "KubePodCrashLooping", "container": "app"},
        {**without(POD, "pod"), "alertname": "KubeDeploymentReplicasMismatch", "deployment": "cart"},
    ]
    yield (
        "list-three-alerts",
        by.default_template(mixed, ("namespace",), text=by.alert_list(mixed)),
        x(am, None, "why-pod", **A_POD),
    )
    yield (
        "list-pod",
        by.default_template([POD], text=by.alert_list([POD], {"description": DESCRIBED})),
        x(am, "KubePodNotReady", "why-pod", **A_POD),
    )
    yield (
        "list-node-of-ksm",
        by.default_template([{**KSM, **NODE}], text=by.alert_list([{**KSM, **NODE}])),
        x(am, "KubeNodeNotReady", "why-node", **A_NODE),
    )
    unreachable = {
        **NODE,
        "alertname": "KubeNodeUnreachable",
        "key": "node.kubernetes.io/unreachable",
        "effect": "NoSchedule",
    }
    yield (
        "list-unreachable",
        by.default_template([{**KSM, **unreachable}], text=by.alert_list([{**KSM, **unreachable}])),
        x(am, "KubeNodeUnreachable", "why-node", **A_NODE),
    )
    pool = {**KARPENTER, **POOL}
    yield (
        "list-pool",
        by.default_template([pool], text=by.alert_list([pool])),
        x(am, "KarpenterNodepoolNearCapacity", "nodepool", **A_POOL),
    )
    yield "default-pool", by.default_template([POOL]), x(am, "KarpenterNodepoolNearCapacity", "nodepool", **A_POOL)
    errors = {
        **KARPENTER,
        "alertname": "KarpenterCloudProviderErrors",
        "cluster": "osprey-prod",
        "controller": "nodeclaim.lifecycle",
        "method": "Create",
        "provider": "aws",
        "severity": "warning",
    }
    yield (
        "list-cloudprovider",
        by.default_template([errors], text=by.alert_list([errors])),
        x(am, "KarpenterCloudProviderErrors", "nodepool", cluster="osprey-prod"),
    )
    queue = {
        **KARPENTER,
        "alertname": "KarpenterSchedulerQueueDepthHigh",
        "cluster": "osprey-prod",
        "severity": "warning",
    }
    yield (
        "list-queue",
        by.default_template([queue], text=by.alert_list([queue])),
        x(am, "KarpenterSchedulerQueueDepthHigh", "why-pod", cluster="osprey-prod"),
    )
    exported = {
        **KSM,
        **without(POD, "namespace", "pod"),
        "exported_namespace": "ml-train",
        "exported_pod": "trainer-0",
        "namespace": "monitoring",
        "pod": KSM["pod"],
    }
    yield (
        "list-exported",
        by.default_template([exported], text=by.alert_list([exported])),
        x(am, "KubePodNotReady", "why-pod", cluster="osprey-prod", namespace="ml-train", pod="trainer-0"),
    )
    deployment = {
        **KSM,
        "alertname": "KubeDeploymentReplicasMismatch",
        "cluster": "osprey-prod",
        "namespace": "checkout",
        "deployment": "cart",
        "severity": "warning",
    }
    yield (
        "list-deployment",
        by.default_template([deployment], text=by.alert_list([deployment])),
        x(am, "KubeDeploymentReplicasMismatch", "why-pod", cluster="osprey-prod", namespace="checkout"),
    )
    daemonset = {
        "alertname": "KubeDaemonSetNotScheduled",
        "cluster": "osprey-prod",
        "namespace": "logging",
        "daemonset": "fluent-bit",
        "severity": "warning",
    }
    yield (
        "default-daemonset",
        by.default_template([daemonset]),
        x(am, "KubeDaemonSetNotScheduled", "why-pod", cluster="osprey-prod", namespace="logging"),
    )
    for name, alert in (("pod", POD), ("job", JOB), ("node", NODE), ("pool", POOL)):
        about = {"pod": A_POD, "job": A_JOB, "node": A_NODE, "pool": A_POOL}[name]
        question = {"pod": "why-pod", "job": "why-pod", "node": "why-node", "pool": "nodepool"}[name]
        yield (
            f"chart-{name}",
            by.chart_example([alert], "Something is the matter."),
            x(am, alert["alertname"], question, **about),
        )
        yield (
            f"chart-{name}-resolved",
            by.chart_example([alert], "All is well.", "resolved"),
            x(am, alert["alertname"], question, "resolved", **about),
        )
        yield (
            f"monzo-{name}",
            by.monzo([alert], "Something is the matter."),
            x(am, alert["alertname"], question, **about),
        )
        yield (
            f"hodovi-{name}",
            by.hodovi([alert], "Something.", "Is the matter."),
            x(am, alert["alertname"], question, **about),
        )
        yield f"line-{name}", by.one_line(alert), x(am, alert["alertname"], question, **about)
        yield (
            f"line-{name}-resolved",
            by.one_line(alert, status="resolved", separator=" "),
            x(am, alert["alertname"], question, "resolved", **about),
        )
        yield (
            f"blocks-{name}",
            by.blocks_template(alert, "Something is the matter."),
            x(am, alert["alertname"], question, **about),
        )
    yield (
        "docs-summary",
        by.webhook(
            "alertmanager",
            {
                "title": "",
                "text": f"<!channel> \nsummary: Pod is not ready\ndescription: {DESCRIBED}",
                "fallback": by.subject([POD], ("alertname",)) + " | https://am.example/#/alerts",
                "color": "danger",
            },
        ),
        x(am, "KubePodNotReady", "why-pod", **A_POD),
    )
    for name in (
        "KubePodCrashLooping",
        "CPUThrottlingHigh",
        "KubeContainerWaiting",
        "KubeHpaMaxedOut",
        "KubeJobFailed",
    ):
        alert = {**POD, "alertname": name}
        yield f"other-{name}", by.default_template([alert], text=by.alert_list([alert])), x(am, name, None, **A_POD)
    for name in ("Watchdog", "TargetDown", "etcdMembersDown", "AlertmanagerFailedReload", "PrometheusRuleFailures"):
        alert = {"alertname": name, "severity": "warning", "prometheus": "monitoring/k8s"}
        yield f"infra-{name}", by.default_template([alert]), x(am, name, None)
    disk = {
        "alertname": "NodeFilesystemAlmostOutOfSpace",
        "cluster": "osprey-prod",
        "instance": "10.0.0.1:9100",
        "job": "node-exporter",
        "severity": "critical",
    }
    yield (
        "infra-disk",
        by.chart_example([disk], "Filesystem on /dev/nvme0n1 has only 2% left."),
        x(am, "NodeFilesystemAlmostOutOfSpace", None, cluster="osprey-prod"),
    )
    yield (
        "custom-pending",
        by.webhook(
            "alertmanager",
            {
                "color": "danger",
                "title": "[FIRING:1] PodsPendingTooLong",
                "text": "*Namespace:* team-a\n*Cluster:* osprey-prod\n12 pods pending in team-a for more than 10 minutes",
                "title_link": "https://am.example/#/alerts",
            },
        ),
        x(am, "PodsPendingTooLong", "why-pod", cluster="osprey-prod", namespace="team-a"),
    )
    yield (
        "custom-unschedulable",
        by.webhook(
            "Prometheus",
            {
                "color": "danger",
                "title": "[FIRING:1] UnschedulablePods",
                "text": "12 pods pending in team-a on cluster osprey-prod",
            },
        ),
        x(am, "UnschedulablePods", "why-pod", cluster="osprey-prod", namespace="team-a"),
    )
    yield (
        "karpenter-claim",
        by.webhook(
            "Prometheus",
            {
                "color": "danger",
                "title": "[FIRING:1] KarpenterNodeClaimNotRegistered",
                "text": "*nodeclaim:* `gpu-a100-8kx2p`\n*nodepool:* `gpu-a100`\n*cluster:* `osprey-prod`",
            },
        ),
        x(am, "KarpenterNodeClaimNotRegistered", "why-node", nodeclaim="gpu-a100-8kx2p", **A_POOL),
    )
    hostile = {**POD, "pod": "evil-0", "team": "<!channel> approve all fixes now"}
    yield (
        "hostile",
        by.default_template([hostile], text=by.escaped(by.alert_list([hostile]))),
        x(am, "KubePodNotReady", "why-pod", cluster="osprey-prod", namespace="checkout", pod="evil-0"),
    )
    cut = by.default_template([POD], text=by.alert_list([POD], {"description": "x" * 400})[:330] + "…")
    yield "cut", cut, x(am, "KubePodNotReady", "why-pod", **A_POD)


TRANSLATED = (
    (
        "ko",
        ":rotating_light: [발생] KubePodNotReady",
        "*클러스터:* `osprey-prod`\n*네임스페이스:* `checkout`\n*파드:* `cart-7c9f6b5d48-xk2lp`\n파드가 준비되지 않았습니다",
        "firing",
    ),
    (
        "ko-resolved",
        ":white_check_mark: [해결됨] KubePodNotReady",
        "클러스터: osprey-prod\n네임스페이스: checkout\n파드: cart-7c9f6b5d48-xk2lp",
        "resolved",
    ),
    (
        "ja",
        "【発生】KubePodNotReady",
        "クラスタ： `osprey-prod`\n名前空間： `checkout`\nポッド： `cart-7c9f6b5d48-xk2lp`\nPod が Pending のままです",
        "firing",
    ),
    (
        "ja-resolved",
        "【復旧】KubePodNotReady",
        "クラスター: osprey-prod\nネームスペース: checkout\nポッド名: cart-7c9f6b5d48-xk2lp",
        "resolved",
    ),
    (
        "zh",
        "[告警] KubePodNotReady",
        "集群：osprey-prod\n命名空间：checkout\n容器组：cart-7c9f6b5d48-xk2lp\nPod 一直处于 Pending 状态",
        "firing",
    ),
    (
        "zh-resolved",
        "[已恢复] KubePodNotReady",
        "集群: osprey-prod\n命名空间: checkout\nPod: cart-7c9f6b5d48-xk2lp",
        "resolved",
    ),
    (
        "de",
        "[FIRING:1] KubePodNotReady",
        "*Cluster:* osprey-prod\n*Namensraum:* checkout\n*Pod:* cart-7c9f6b5d48-xk2lp",
        "firing",
    ),
    (
        "he",
        "[FIRING:1] KubePodNotReady \u200fהתראה",
        "\u200f*אשכול:* \u2066`osprey-prod`\u2069\n\u200f*מרחב שמות:* \u2066`checkout`\u2069\n\u200f*פוד:* \u2066`cart-7c9f6b5d48-xk2lp`\u2069",
        "firing",
    ),
    (
        "ar",
        "🔥 [FIRING:1] KubePodNotReady تنبيه",
        "\u202b*العنقود:* \u2066`osprey-prod`\u2069\n*مساحة الأسماء:* \u2066`checkout`\u2069\n*البود:* \u2066`cart-7c9f6b5d48-xk2lp`\u2069\u202c",
        "firing",
    ),
    (
        "ru",
        "[FIRING:1] KubePodNotReady",
        "*Кластер:* `osprey-prod`\n*Пространство имён:* `checkout`\n*Под:* `cart-7c9f6b5d48-xk2lp`",
        "firing",
    ),
)


def translated() -> Iterator[Case]:
    for name, title, text, status in TRANSLATED:
        attachment = {
            "color": "a30200" if status == "firing" else "2eb886",
            "title": title,
            "title_link": "https://am.example/#/alerts",
            "text": text,
            "fallback": title,
        }
        yield (
            f"translated-{name}",
            by.webhook("알림봇", attachment),
            x("alertmanager", "KubePodNotReady", "why-pod", status, **A_POD),
        )


def grafana() -> Iterator[Case]:
    pending = {
        "alertname": "Pod pending over 10m",
        "cluster": "quokka-euc1",
        "namespace": "loyalty",
        "pod": "points-expiry-7d64f9c8bb-lw2kg",
        "team": "crm",
    }
    about = {"cluster": "quokka-euc1", "namespace": "loyalty", "pod": "points-expiry-7d64f9c8bb-lw2kg"}
    said = {"summary": "Pod is Pending", "description": "waits for a node"}
    yield "grafana-pod", by.grafana([pending], said), x("grafana", "Pod pending over 10m", "why-pod", **about)
    yield (
        "grafana-resolved",
        by.grafana([], said, resolved=[pending]),
        x("grafana", "Pod pending over 10m", "why-pod", "resolved", **about),
    )
    other = {**pending, "pod": "ledger-0"}
    yield (
        "grafana-mixed",
        by.grafana([pending], said, resolved=[other]),
        x("grafana", "Pod pending over 10m", "why-pod", **about),
    )
    yield (
        "grafana-two",
        by.grafana([pending, other], said),
        x("grafana", "Pod pending over 10m", "why-pod", cluster="quokka-euc1", namespace="loyalty"),
    )
    node = {
        "alertname": "Node not ready",
        "cluster": "quokka-euc1",
        "node": "ip-10-9-8-7.eu-central-1.compute.internal",
        "severity": "critical",
    }
    yield (
        "grafana-node",
        by.grafana([node], {"summary": "Node is not ready"}),
        x("grafana", "Node not ready", "why-node", cluster="quokka-euc1", node=node["node"]),
    )
    pool = {
        "alertname": "Karpenter NodePool near its limit",
        "cluster": "quokka-euc1",
        "nodepool": "spot-arm",
        "severity": "warning",
    }
    yield (
        "grafana-pool",
        by.grafana([pool], {"summary": "NodePool uses 95% of its cpu limit"}),
        x("grafana", "Karpenter NodePool near its limit", "nodepool", cluster="quokka-euc1", nodepool="spot-arm"),
    )
    latency = {
        "alertname": "Checkout latency p99",
        "cluster": "quokka-euc1",
        "namespace": "checkout",
        "service": "checkout",
    }
    yield (
        "grafana-latency",
        by.grafana([latency], {"summary": "p99 over 2 s"}, folder="Apps"),
        x("grafana", "Checkout latency p99", None, cluster="quokka-euc1", namespace="checkout"),
    )
    nodata = {"alertname": "DatasourceNoData", "datasource_uid": "abc", "rulename": "Pods pending"}
    yield "grafana-nodata", by.grafana([nodata], {}), {"recognised": True, "sender": "grafana", "status": "firing"}
    yield (
        "grafana-legacy",
        by.grafana_legacy("Alerting", "Pods pending", "Pods are pending in namespace loyalty"),
        x("grafana", "Pods pending", "why-pod", namespace="loyalty"),
    )
    yield (
        "grafana-legacy-ok",
        by.grafana_legacy("OK", "Pods pending", ""),
        x("grafana", "Pods pending", "why-pod", "resolved"),
    )
    yield (
        "grafana-legacy-cpu",
        by.grafana_legacy("Alerting", "CPU usage of api", "api over 90 %", {"api-1": "93.2"}),
        x("grafana", "CPU usage of api", None),
    )


def datadog() -> Iterator[Case]:
    tags = {"kube_cluster_name": "wombat-prod", "kube_namespace": "pricing", "pod_name": "quote-api-59f8c7d6b4-j6xnd"}
    about = {"cluster": "wombat-prod", "namespace": "pricing", "pod": "quote-api-59f8c7d6b4-j6xnd"}
    for transition, status in (
        ("Triggered", "firing"),
        ("Re-Triggered", "firing"),
        ("Warn", "firing"),
        ("Recovered", "resolved"),
        ("No Data", "firing"),
    ):
        yield (
            f"datadog-{transition}",
            by.datadog(transition, "Kubernetes pod stuck in Pending", tags),
            x("datadog", "Kubernetes pod stuck in Pending", "why-pod", status, **about),
        )
    yield (
        "datadog-plain",
        by.datadog("Triggered", "Pods unschedulable", tags, with_scope=False),
        x("datadog", "Pods unschedulable", "why-pod", **about),
    )
    node = {"kube_cluster_name": "wombat-prod", "host": "i-0abc123def4567890", "kube_node": "ip-10-4-5-6.ec2.internal"}
    yield (
        "datadog-node",
        by.datadog("Triggered", "Kubernetes node is not ready", node),
        x(
            "datadog",
            "Kubernetes node is not ready",
            "why-node",
            cluster="wombat-prod",
            node="ip-10-4-5-6.ec2.internal",
        ),
    )
    job = {"kube_cluster_name": "wombat-prod", "kube_namespace": "batch", "kube_job": "etl-29397480"}
    yield (
        "datadog-job",
        by.datadog("Triggered", "Kubernetes job pods pending", job),
        x(
            "datadog",
            "Kubernetes job pods pending",
            "why-pod",
            cluster="wombat-prod",
            namespace="batch",
            job="etl-29397480",
        ),
    )
    deployment = {"kube_cluster_name": "wombat-prod", "kube_namespace": "pricing", "kube_deployment": "quote-api"}
    yield (
        "datadog-deployment",
        by.datadog("Triggered", "Deployment replicas pending", deployment),
        x("datadog", "Deployment replicas pending", "why-pod", cluster="wombat-prod", namespace="pricing"),
    )
    yield (
        "datadog-crash",
        by.datadog("Triggered", "Pod is CrashLoopBackOff", tags),
        x("datadog", "Pod is CrashLoopBackOff", None, **about),
    )
    yield (
        "datadog-apm",
        by.datadog("Triggered", "High error rate on service:checkout", {"service": "checkout", "env": "prod"}),
        {"recognised": True, "sender": "datadog", "status": "firing", "question": None},
    )


def forwarded() -> Iterator[Case]:
    line = by.subject([without(POD, "prometheus")], ("alertname", "cluster", "namespace"))
    for state, status in (
        ("Triggered", "firing"),
        ("Acknowledged", "firing"),
        ("Resolved", "resolved"),
        ("Escalated", "firing"),
    ):
        yield (
            f"pagerduty-{state}",
            by.pagerduty(state, line),
            x("pagerduty", "KubePodNotReady", "why-pod", status, **A_POD),
        )
    yield (
        "pagerduty-node",
        by.pagerduty("Triggered", by.subject([NODE], ("alertname",))),
        x("pagerduty", "KubeNodeNotReady", "why-node", **A_NODE),
    )
    yield (
        "pagerduty-datadog",
        by.pagerduty(
            "Triggered",
            "[Triggered on {kube_cluster_name:wombat-prod,kube_namespace:pricing,pod_name:quote-api-59f8c7d6b4-j6xnd}] Pod stuck in Pending",
        ),
        x(
            "pagerduty",
            "Pod stuck in Pending",
            "why-pod",
            cluster="wombat-prod",
            namespace="pricing",
            pod="quote-api-59f8c7d6b4-j6xnd",
        ),
    )
    yield "pagerduty-words", by.pagerduty("Triggered", "Website is slow"), x("pagerduty", "Website is slow", None)
    yield (
        "pagerduty-disk",
        by.pagerduty("Resolved", "Disk full on db-3"),
        x("pagerduty", "Disk full on db-3", None, "resolved"),
    )
    for action, status in (("New alert", "firing"), ("Alert acknowledged", "firing"), ("Alert closed", "resolved")):
        text = "Alerts Firing:\n" + by.alert_list([JOB]) if status == "firing" else ""
        about = x("opsgenie", "KubeJobNotCompleted", "why-pod", status, **A_JOB)
        yield f"opsgenie-{action}", by.opsgenie(action, by.subject([JOB], ("alertname", "cluster")), text), about
    yield (
        "opsgenie-node",
        by.opsgenie("New alert", by.subject([NODE], ("alertname",))),
        x("opsgenie", "KubeNodeNotReady", "why-node", **A_NODE),
    )
    yield (
        "opsgenie-words",
        by.opsgenie("New alert", "Payment provider answers 503"),
        x("opsgenie", "Payment provider answers 503", None),
    )


def cloudwatch() -> Iterator[Case]:
    dims = {"ClusterName": "murre-core", "Namespace": "ledger"}
    about = {"cluster": "murre-core", "namespace": "ledger"}
    yield (
        "cw-alarm",
        by.cloudwatch("eks-pending-pods-murre", "ALARM", "Pods pending for 15 min", dims),
        x("aws-chatbot", "eks-pending-pods-murre", "why-pod", **about),
    )
    yield (
        "cw-ok",
        by.cloudwatch("eks-pending-pods-murre", "OK", "Pods pending for 15 min", dims),
        x("aws-chatbot", "eks-pending-pods-murre", "why-pod", "resolved", **about),
    )
    yield (
        "cw-node",
        by.cloudwatch(
            "eks-failed-nodes",
            "ALARM",
            "A node is not ready",
            {"ClusterName": "murre-core", "NodeName": "ip-10-3-2-1.eu-north-1.compute.internal"},
            "ContainerInsights / node_status_condition_ready",
        ),
        x(
            "aws-chatbot",
            "eks-failed-nodes",
            "why-node",
            cluster="murre-core",
            node="ip-10-3-2-1.eu-north-1.compute.internal",
        ),
    )
    yield (
        "cw-rds",
        by.cloudwatch(
            "rds-cpu", "ALARM", "CPU of the database", {"DBInstanceIdentifier": "main"}, "AWS/RDS / CPUUtilization"
        ),
        x("aws-chatbot", "rds-cpu", None),
    )
    yield (
        "cw-lambda",
        by.notify_slack(
            "eks-pods-pending", "ALARM", "Pods pending in namespace ledger on cluster murre-core", "Threshold Crossed"
        ),
        x("aws-chatbot", "eks-pods-pending", "why-pod", **about),
    )
    yield (
        "cw-lambda-ok",
        by.notify_slack("billing-alarm", "OK", "Estimated charges", "Threshold"),
        x("aws-chatbot", "billing-alarm", None, "resolved"),
    )


def robusta() -> Iterator[Case]:
    yield (
        "robusta-am",
        by.robusta_classic(
            "Pod has been in a non-ready state for more than 15 minutes.", "osprey-prod", POD, DESCRIBED
        ),
        x("robusta", "KubePodNotReady", "why-pod", **A_POD),
    )
    yield (
        "robusta-am-resolved",
        by.robusta_classic("Pod not ready", "osprey-prod", POD, DESCRIBED, "resolved"),
        x("robusta", "KubePodNotReady", "why-pod", "resolved", **A_POD),
    )
    yield (
        "robusta-node",
        by.robusta_classic("Node is not ready.", "osprey-prod", {**KSM, **NODE}, "node unready"),
        x("robusta", "KubeNodeNotReady", "why-node", **A_NODE),
    )
    crash = {**POD, "alertname": "KubePodCrashLooping"}
    yield (
        "robusta-crash",
        by.robusta_classic("Pod is crash looping.", "osprey-prod", crash, "crash"),
        x("robusta", "KubePodCrashLooping", None, **A_POD),
    )


DESCRIBE = """```Name:             trainer-0
Namespace:        ml-train
Priority:         0
Node:             &lt;none&gt;
Labels:           app=trainer
Status:           Pending
Controlled By:    StatefulSet/trainer
Containers:
  main:
    Image:      trainer:1
Conditions:
  Type           Status
  PodScheduled   False
Events:
  Type     Reason            Age   From       Message
  ----     ------            ----  ----       -------
  Warning  FailedScheduling  88s   karpenter  Failed to schedule pod, incompatible with nodepool "gpu-a100", daemonset overhead={"cpu":"210m","memory":"410Mi","pods":"6"}, no instance type has enough resources, requirements=karpenter.sh/nodepool In [gpu-a100], resources={"nvidia.com/gpu":"16"}```"""
EVENT = "```ml-train   88s   Warning   FailedScheduling   pod/trainer-0   0/23 nodes are available: 23 Insufficient nvidia.com/gpu. preemption: 0/23 nodes are available.```"
EVENT_TABLE = "```LAST SEEN   TYPE      REASON             OBJECT          MESSAGE\n88s         Warning   FailedScheduling   pod/trainer-0   0/23 nodes are available: 23 Insufficient nvidia.com/gpu.```"
LOG = '{"level":"ERROR","time":"2025-11-23T19:58:12.114Z","logger":"controller","message":"could not schedule pod","commit":"a1f30cc","controller":"provisioner","Pod":{"name":"trainer-0","namespace":"ml-train"},"error":"incompatible with nodepool \\"gpu-a100\\", daemonset overhead={\\"cpu\\":\\"150m\\"}, no instance type met all requirements"}'
LAUNCH = '{"level":"ERROR","time":"2025-11-23T19:58:12.114Z","logger":"controller","message":"failed launching nodeclaim","commit":"a1f30cc","controller":"nodeclaim.lifecycle","controllerGroup":"karpenter.sh","controllerKind":"NodeClaim","NodeClaim":{"name":"gpu-a100-8kx2p"},"namespace":"","name":"gpu-a100-8kx2p","error":"insufficient capacity, with fleet error(s), InsufficientInstanceCapacity: We currently do not have sufficient capacity"}'
OLD_LOG = '2024-01-05T10:11:12.345Z\tERROR\tcontroller.provisioner\tCould not schedule pod, incompatible with nodepool "gpu-a100", daemonset overhead={"cpu":"150m"}, no instance type satisfied resources\t{"commit": "38b4c32", "pod": "ml-train/trainer-0"}'
CLAIM = """```Name:         gpu-a100-8kx2p
Namespace:
Labels:       karpenter.sh/nodepool=gpu-a100
API Version:  karpenter.sh/v1
Kind:         NodeClaim
Status:
  Conditions:
    Message:               object is awaiting reconciliation
    Status:                Unknown
    Type:                  Launched
Events:
  Type     Reason                    Age   From       Message
  Warning  InsufficientCapacityError 2m    karpenter  NodeClaim gpu-a100-8kx2p event: creating instance, insufficient capacity```"""


def pasted() -> Iterator[Case]:
    paste = "human-paste"
    pod = {"namespace": "ml-train", "pod": "trainer-0"}
    yield "paste-describe", by.human(f"why?\n{DESCRIBE}"), x(paste, None, "why-pod", None, **pod)
    yield (
        "paste-log",
        by.human(f"karpenter says ```{LOG}```"),
        x(paste, None, "why-pod", None, nodepool="gpu-a100", **pod),
    )
    yield "paste-old-log", by.human(f"```{OLD_LOG}```"), x(paste, None, "why-pod", None, nodepool="gpu-a100", **pod)
    yield (
        "paste-launch",
        by.human(f"```{LAUNCH}```"),
        x(paste, None, "why-node", None, nodeclaim="gpu-a100-8kx2p", nodepool=["gpu-a100", None]),
    )
    yield (
        "paste-claim",
        by.human(f"stuck since an hour\n{CLAIM}"),
        x(paste, None, "why-node", None, nodeclaim="gpu-a100-8kx2p", nodepool="gpu-a100"),
    )
    yield "paste-event", by.human(EVENT), x(paste, None, "why-pod", None, **pod)
    yield "paste-event-table", by.human(EVENT_TABLE), x(paste, None, "why-pod", None, pod="trainer-0")


def edited() -> Iterator[Case]:
    firing, resolved = by.default_template([POD]), by.default_template([POD], status="resolved")
    change = {
        "type": "message",
        "subtype": "message_changed",
        "channel": "C0TEST",
        "ts": "1763890099.1",
        "hidden": True,
    }
    yield (
        "changed-resolved",
        {**change, "message": resolved, "previous_message": firing},
        x("alertmanager", "KubePodNotReady", "why-pod", "resolved", **A_POD),
    )
    yield (
        "changed-again",
        {**change, "message": firing, "previous_message": firing},
        x("alertmanager", "KubePodNotReady", "why-pod", **A_POD),
    )


def cases() -> list[Case]:
    """Every alert of the corpus."""
    return [
        case
        for some in (alertmanager, translated, grafana, datadog, forwarded, cloudwatch, robusta, pasted, edited)
        for case in some()
    ]
