"""Alerts to drop into the playground's channel: messages of the shapes that alert senders post, about the pod on stage."""

from collections.abc import Callable, Mapping
from typing import Any, Final

Event = dict[str, Any]


def _alertmanager(namespace: str, pod: str, cluster: str) -> Event:
    """Alertmanager's default template: no text, all in the attachment's title (template/default.tmpl)."""
    title = f"[FIRING:1] KubePodNotReady {namespace} ({cluster} kube-state-metrics {pod} warning)"
    link = "http://alertmanager.example.com/#/alerts?receiver=slack"
    return {
        "subtype": "bot_message",
        "bot_id": "B0ALERTMANAGER",
        "username": "Alertmanager",
        "text": "",
        "attachments": [
            {
                "color": "a30200",
                "fallback": f"{title} | {link}",
                "title": title,
                "title_link": link,
                "text": f"Pod {namespace}/{pod} has been in a non-ready state for longer than 15 minutes.",
            }
        ],
    }


def _grafana(namespace: str, pod: str, cluster: str) -> Event:
    """Grafana's default message: labels in a list (grafana/alerting, default templates)."""
    labels = {"alertname": "PodPending", "cluster": cluster, "namespace": namespace, "pod": pod}
    lines = "\n".join(f" - {name} = {value}" for name, value in labels.items())
    return {
        "subtype": "bot_message",
        "bot_id": "B0GRAFANA",
        "username": "Grafana",
        "text": "",
        "attachments": [
            {
                "color": "d63232",
                "fallback": f"[FIRING:1] PodPending {namespace}",
                "title": f"[FIRING:1] PodPending {namespace} ({pod})",
                "title_link": "http://grafana.example.com/alerting/list",
                "text": f"**Firing**\n\nValue: A=1\nLabels:\n{lines}\nAnnotations:\n"
                f" - summary = Pod {namespace}/{pod} is Pending",
                "footer": "Grafana v11.1.0",
            }
        ],
    }


def _resolved(namespace: str, pod: str, cluster: str) -> Event:
    """The same alert of Alertmanager's, over: nothing to answer."""
    event = _alertmanager(namespace, pod, cluster)
    over = event["attachments"][0]
    over["color"] = "2eb886"
    for name in ("title", "fallback"):
        over[name] = over[name].replace("[FIRING:1]", "[RESOLVED]")
    return event


SAMPLES: Final[Mapping[str, Callable[[str, str, str], Event]]] = {
    "Alertmanager: firing": _alertmanager,
    "Grafana: firing": _grafana,
    "Alertmanager: resolved": _resolved,
}


def sample(name: str, question: str, cluster: str) -> Event:
    """One of SAMPLES about a pod (`namespace/name`). Raises KeyError."""
    namespace, _, pod = question.partition("/")
    return SAMPLES[name](namespace, pod, cluster)
