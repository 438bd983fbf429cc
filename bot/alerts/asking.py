"""Which question an alert makes one ask: a table of the alerts that are shipped, then rules over the words of others."""

import re
from typing import Final

from bot.alerts.alert import Question

_POD, _NODE, _POOL = Question.WHY_POD, Question.WHY_NODE, Question.NODEPOOL

# kubernetes-mixin alerts/*.libsonnet, kubernetes-autoscaling-mixin, Robusta's built-in findings; in small letters
_SHIPPED: Final[dict[Question | None, str]] = {
    _POD: """
        kubepodnotready kubejobnotcompleted kubejobcompletion kubedeploymentreplicasmismatch kubedeploymentrolloutstuck
        kubestatefulsetreplicasmismatch kubedaemonsetnotscheduled kubedaemonsetrolloutstuck kubepodpending
        kubernetespodnothealthy kubernetesdeploymentreplicasmismatch kubernetesstatefulsetreplicasmismatch
        kubernetesjobnotstarting kubernetesjobslowcompletion kuberneteshpascaleinability
        karpenterunschedulablepods karpenterschedulerqueuedepthhigh karpenterpodspending
        clusterautoscalerunschedulablepods pending_pod_report
    """,
    _NODE: """
        kubenodenotready kubenodeunreachable kubenodereadinessflapping kubernetesnodenotready kubernetesnodeready
        kubernetesnodeunreachable node_not_ready karpenternodeclaimnotready karpenternodeclaimstuck nodenotready
    """,
    _POOL: """
        karpenternodepoolnearcapacity karpenternodepoolalmostfull karpenternodepoollimitreached
        karpenternodeclaimsterminationdurationhigh karpentercloudprovidererrors karpenterclusterstatenotsynced
        karpentercannotregisternodes karpenternodepoolnotready
    """,
    None: """
        kubepodcrashlooping kubecontainerwaiting kubejobfailed kubehpamaxedout kubehpareplicasmismatch kubepdbnotenoughhealthypods
        kubecpuovercommit kubememoryovercommit kubecpuquotaovercommit kubememoryquotaovercommit kubequotaalmostfull
        kubequotafullyused kubequotaexceeded cputhrottlinghigh kubepersistentvolumefillingup kubepersistentvolumeerrors
        kubepersistentvolumeinodesfillingup kubeversionmismatch kubeclienterrors kubeapidown kubeapierrorbudgetburn
        kubeapiterminatedrequests kubeaggregatedapidown kubeaggregatedapierrors kubeclientcertificateexpiration
        kubeletdown kubelettoomanypods kubeletpleglatencyhigh kubeletplegdurationhigh kubeletpodstartuplatencyhigh
        kubeletclientcertificateexpiration kubeletservercertificateexpiration kubeletclientcertificaterenewalerrors
        kubeletservercertificaterenewalerrors kubenodepressure kubenodeeviction kubeschedulerdown kubecontrollermanagerdown
        kubeproxydown kubedaemonsetmisscheduled kubedeploymentgenerationmismatch kubestatefulsetgenerationmismatch
        kubestatefulsetupdatenotrolledout targetdown watchdog infoinhibitor nodeclockskewdetected nodecpuhighusage
        nodememoryhighutilization nodememorymajorpagesfaults nodesystemsaturation nodediskiosaturation
        nodefilesystemspacefillingup nodefilesystemalmostoutofspace nodefilesystemfilesfillingup
        nodefilesystemalmostoutoffiles nodenetworkreceiveerrs nodenetworktransmiterrs nodehighnumberconntrackentriesused
        nodetextfilecollectorscrapeerror nodeclocknotsynchronising noderaiddegraded noderaiddiskfailure
        nodefiledescriptorlimit nodesystemdservicefailed nodebondingdegraded nodenetworkinterfaceflapping
        report_crash_loop image_pull_backoff_reporter pod_oom_killer_enricher clusterautoscalernodecountnearcapacity
    """,
}
_BY_NAME: Final = {name: question for question, names in _SHIPPED.items() for name in names.split()}

_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

_PODS: Final = r"\b(?:pods?|workloads?|replicas?|jobs?|deployments?|statefulsets?|daemonsets?|trainjobs?|파드|포드|잡|ポッド|容器组|poden?|под\w*|פוד\w*|البود|بود|الحاوية)"
_WAITS: Final = (
    r"pending|un-?schedul\w*|failed ?scheduling|(?:not|never|can ?not|can't|could not|cannot be|unable to be) (?:be(?:en)? )?"
    r"(?:yet )?schedul\w+|waiting for (?:a |an )?(?:node|capacity|schedul\w+)|without (?:a )?node|no nodes? (?:are )?available"
    r"|nodes are available|대기|스케줄(?:링)?(?:되지| 불가| 실패| 안)|미배치|保留中|スケジュール(?:待ち|でき|されない)|挂起|待调度|未调度|无法调度"
    r"|ממתי\w+|לשיבוץ|ожида\w+|قيد الانتظار|معلق\w*|en attente|pendiente|ausstehend|warte\w*|in attesa"
)
_UNREADY: Final = (
    r"not[- ]?ready|non[- ]ready|un-?ready|unhealthy|never became ready|replicas? ?mismatch|rollout stuck|not completed|not complet\w+"
    r"|slow completion|not start(?:ing|ed)|taking (?:more|longer) than|준비되지|준비 안|未就绪|未準備|準備ができて|nicht bereit|pas prêt\w*|no (?:está )?list[oa]"
    r"|не готов\w*|غير جاهز\w*|לא מוכ\w+"
)
_NODES: Final = (
    r"\b(?:nodes?|instances?|hosts?|kubelet|노드|ノード|节点|節點|knoten|nœuds?|nodos?|узел\w*|нода|צומת|العقدة|عقدة)"
)
_GONE: Final = (
    r"not[- ]?ready|un-?ready|unreachable|is down|went down|node down|nodes? lost|lost|disappear\w*|vanish\w*|terminat\w+|interrupt\w+"
    r"|reclaim\w*|rebalance|not responding|unresponsive|stopped posting|gone|failed node|node failed|node failure|flapping|준비되지|연결 불가"
    r"|응답 없음|応答なし|到達不能|未就绪|不可达|失联|nicht bereit|nicht erreichbar|injoignable|inaccesible|недоступ\w*|לא (?:זמין|מוכן|נגיש)|غير (?:جاهز\w*|متاح\w*|قابل)"
)
_FULL: Final = r"limits?|capacity|almost full|near|exhaust\w*|exceed\w*|quota|usage|full|한도|용량|上限|容量|限额"
_NODEPOOL: Final = r"\bnode ?pools?\b|\bprovisioners?\b|노드 ?풀|ノードプール|节点池"
_PROVIDER: Final = r"cloud ?provider|create ?fleet|insufficient ?(?:instance ?)?capacity|launch (?:failed|failure|error)\w*|failed to launch"
_CLAIM: Final = r"\bnode ?claims?\b|노드 ?클레임"
_CLAIM_STUCK: Final = (
    r"not (?:registered|initialized|launched|ready)|stuck|fail\w*|unregistered|timeout|timed out|terminat\w+|error\w*"
)
_OTHER: Final = re.compile(
    r"crash ?-?loop|back-?off|oom|out of memory|image ?pull|err ?image|throttl|restart(?:s|ed|ing)|certificate|expir|disk|filesystem"
    r"|inode|latency|error ?rate|5xx|4xx|http|memory (?:usage|utili)|cpu (?:usage|utili|high)|high (?:cpu|memory)|backup|replication ?lag"
    r"|slow quer|p9[59]|traffic|saturation|certificate|ingress|clock",
    re.IGNORECASE,
)


def _both(*parts: str) -> re.Pattern[str]:
    return re.compile("".join(rf"(?=.*(?:{part}))" for part in parts), re.IGNORECASE | re.DOTALL)


_RULES: Final[tuple[tuple[re.Pattern[str], Question], ...]] = (
    (_both(_CLAIM, _CLAIM_STUCK), _NODE),
    (_both(r"karpenter", _PROVIDER), _POOL),
    (_both(r"karpenter", r"(?:can ?not|can't|not|fail\w*|never) (?:be )?register\w*"), _POOL),
    (_both(_NODEPOOL, _FULL), _POOL),
    (_both(_PODS, _WAITS), _POD),
    (_both(r"karpenter", _WAITS), _POD),
    (_both(r"failed ?scheduling"), _POD),
    (_both(_NODEPOOL, r"not ready"), _POOL),
    (_both(_PODS, _UNREADY), _POD),
    (_both(_NODES, _GONE), _NODE),
    (_both(r"spot", r"interrupt\w*|terminat\w*|reclaim\w*"), _NODE),
)


def words_of(text: str) -> str:
    """`KubePodNotReady`, `pod_status_pending` and `eks-pending-pods` as words."""
    return re.sub(r"[_\-./|]+", " ", _CAMEL.sub(" ", text))


def question_of(name: str, said: str) -> Question | None:
    """What to ask about an alert of this name that says this; None where scheduling has nothing to do with it.

    A name decides where it is known or speaks for itself; else what the alert says does.
    """
    known = name.strip().lower()
    if known in _BY_NAME:
        return _BY_NAME[known]
    named = _by_rules(words_of(name))
    if named is not None:
        return named
    if _OTHER.search(words_of(name)) or _OTHER.search(name):
        return None
    if name and _UNRELATED_NAME.search(words_of(name)):
        return None
    return next((found for line in _told(said) if (found := _by_rules(line)) is not None), None)


_UNRELATED_NAME: Final = re.compile(
    r"\b(?:watchdog|dead ?man|heartbeat|budget|cost|login|deploy(?:ed|ment succeeded))\b", re.IGNORECASE
)


def is_shipped(name: str) -> bool:
    """Whether this is the name of an alert that Kubernetes' or Karpenter's rule packages ship."""
    return name.strip().lower() in _BY_NAME


def _by_rules(text: str) -> Question | None:
    return next((question for rule, question in _RULES if rule.match(text)), None)


def _told(said: str) -> list[str]:
    """The lines that tell what is the matter; lines about something else (a crash loop, a disk) tell nothing here."""
    lines = (words_of(line) for line in said.split("\n")[:400])
    return [line[:1_000] for line in lines if line.strip() and not _OTHER.search(line)]
