"""The names of labels as senders, people and languages write them -> the one name that is used here."""

import re
from typing import Final

_ALIASES: Final[dict[str, str]] = {
    "cluster": "cluster cluster_name clustername kube_cluster kube_cluster_name k8s_cluster k8s_cluster_name eks_cluster "
    "eks_cluster_name kubernetes_cluster kubernetes_cluster_name cluster_id clusterid 클러스터 클러스터명 클러스터_이름 クラスタ クラスター クラスタ名 クラスター名 集群 集群名 集群名称 "
    "叢集 אשכול קלאסטר кластер العنقود الكلستر كلستر الكتلة المجموعة clúster grappe klaster küme",
    "namespace": "namespace ns kube_namespace kube_ns k8s_namespace k8s_namespace_name kubernetes_namespace "
    "kubernetes_namespace_name namespace_name 네임스페이스 네임스페이스명 이름공간 ネームスペース ネームスペース名 名前空間 名前空間名 命名空间 命名空間 名称空间 "
    "namensraum espace_de_noms espacio_de_nombres espaço_de_nomes spazio_dei_nomi пространство_имен пространство_имён "
    "неймспейс מרחב_שמות مساحة_الأسماء مساحة_الاسم مساحة_أسماء فضاء_الأسماء النطاق",
    "pod": "pod pod_name podname kube_pod kube_pod_name k8s_pod k8s_pod_name kubernetes_pod kubernetes_pod_name 파드 파드명 "
    "파드_이름 포드 ポッド ポッド名 pod名 pod_名 容器组 pod名称 פוד под البود بود الحجرة الحاوية",
    "exported_pod": "exported_pod",
    "exported_namespace": "exported_namespace",
    "exported_node": "exported_node",
    "job_name": "job_name jobname kube_job kube_job_name k8s_job k8s_job_name kubernetes_job exported_job_name 잡_이름 ジョブ名",
    "job": "job 잡 작업 ジョブ 任务 задача",
    "node": "node node_name nodename kube_node kube_node_name k8s_node k8s_node_name kubernetes_node kubernetes_node_name "
    "host_name 노드 노드명 노드_이름 ノード ノード名 节点 節點 节点名称 knoten nœud noeud nodo nó узел нода צומת العقدة عقدة",
    "host": "host hostname instance_name",
    "nodepool": "nodepool node_pool nodepool_name node_pool_name karpenter_nodepool karpenter_sh_nodepool "
    "label_karpenter_sh_nodepool provisioner 노드풀 노드_풀 ノードプール 节点池 節點池 knotenpool пул_узлов",
    "nodeclaim": "nodeclaim node_claim nodeclaim_name node_claim_name karpenter_nodeclaim karpenter_sh_nodeclaim "
    "노드클레임 노드_클레임 ノードクレーム 节点声明",
    "alertname": "alertname alert_name alarm_name alarmname rule_name rulename 알림_이름 알람_이름 알림명 알람명 경보_이름 경보명 "
    "アラート名 告警名称 警报名称 告警规则",
    "alert": "alert 알림 알람 경보 アラート 告警 警报 התראה тревога оповещение تنبيه التنبيه alerte alerta alarm",
    "status": "status state current_state new_state alert_state alarm_state 상태 状态 状態 ステータス статус סטטוס מצב الحالة estado "
    "statut zustand",
    "source": "source",
    "deployment": "deployment kube_deployment k8s_deployment_name 디플로이먼트",
    "statefulset": "statefulset kube_stateful_set kube_statefulset 스테이트풀셋",
    "daemonset": "daemonset kube_daemon_set kube_daemonset 데몬셋",
    "container": "container container_name kube_container_name",
    "service": "service kube_service",
    "reason": "reason 사유 이유 原因 理由",
    "resource": "resource",
    "finding": "finding",
    "grafana_folder": "grafana_folder",
    "phase": "phase pod_phase",
    "metric": "metric metric_name",
}
CANONICAL: Final = {alias: name for name, aliases in _ALIASES.items() for alias in aliases.split()}
"""Every spelling, in small letters with `_` between words -> its name here."""
_BETWEEN: Final = re.compile(r"[\s\-./]+")
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


def canonical(written: str) -> str:
    """The name of a label as written in a message; "" for one that says nothing about a subject."""
    plain = written.strip(" *_`'\"•●:：=")
    for form in (plain, _CAMEL.sub("_", plain)):
        known = CANONICAL.get(_BETWEEN.sub("_", form.strip().casefold()))
        if known:
            return known
    return ""


# apimachinery: pkg/util/validation, DNS-1123 label and subdomain
LABEL: Final = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
SUBDOMAIN: Final = re.compile(r"[a-z0-9](?:[-.a-z0-9]{0,251}[a-z0-9])?")
CLUSTER: Final = re.compile(r"[A-Za-z0-9](?:[-._:/@A-Za-z0-9]{0,200}[A-Za-z0-9])?")
NODE_NAME: Final = re.compile(
    r"\b(?:ip-\d{1,3}-\d{1,3}-\d{1,3}-\d{1,3}(?:\.[a-z0-9-]+)*|i-[0-9a-f]{8,17}(?:\.[a-z0-9-]+)*)\b"
)
_SAFE: Final = "bcdfghjklmnpqrstvwxz2456789"  # apimachinery: pkg/util/rand, alphanums: no vowels, so no words
DEPLOYMENT_POD: Final = re.compile(rf"[a-z0-9][-.a-z0-9]*-[{_SAFE}]{{6,10}}-[{_SAFE}]{{5}}")
OWNED_POD: Final = re.compile(rf"[a-z0-9][-.a-z0-9]*-(?=[{_SAFE}]*\d|[{_SAFE}]{{5}}$)[{_SAFE}]{{5}}")
ORDINAL_POD: Final = re.compile(r"[a-z0-9][-.a-z0-9]*-\d{1,4}")
JOB_RUN: Final = re.compile(r"[a-z0-9][-.a-z0-9]*-\d{8,10}")

EXPORTERS: Final = re.compile(
    r"(?:.*-)?(?:kube-state-metrics|node-exporter|prometheus-operator|cadvisor|karpenter|datadog-agent|cloudwatch-agent"
    r"|metrics-server|kubelet|prometheus|k8s-monitoring)(?:-[-a-z0-9]*)?"
)
"""Pods, jobs and services that export metrics about others: their own names in an alert's labels are not its subject."""


def name_in(value: str, form: re.Pattern[str] = LABEL) -> str:
    """The Kubernetes name in a value: the last one in backticks where there are such, else the only word; "" otherwise.

    A heading may put a nickname before the name: ``주문 (`order`)``.
    """
    quoted = [part for part in re.findall(r"`([^`]*)`", value) if form.fullmatch(part.strip())]
    if quoted:
        return str(quoted[-1]).strip()
    words = [word.strip("`'\"*_,;()[]{}<>•") for word in value.split()]
    words = [word.rstrip(".") for word in words if word]
    fitting = [word for word in words if form.fullmatch(word)]
    if len(words) == 1:
        return fitting[0] if fitting else ""
    if len(fitting) == 1 and (len(words) <= 3 and not _prose(words)):
        return fitting[0]
    return ""


def _prose(words: list[str]) -> bool:
    return sum(word.isalpha() and word.islower() for word in words) > 1
