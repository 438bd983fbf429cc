"""What each sender writes, rebuilt from its public templates: labels in, Slack message events out.

Alertmanager: template/default.tmpl. kube-prometheus-stack: the commented example in values.yaml. Grafana: grafana/alerting,
templates/default.tmpl. Robusta: integrations/slack/sender.py. Datadog, PagerDuty, Opsgenie, Amazon Q: their documentation,
which shows the messages but not their JSON. All values are invented.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Event = dict[str, Any]
Labels = Mapping[str, str]


def event(**content: Any) -> Event:
    return {"type": "message", "channel": "C0TEST", "channel_type": "channel", "ts": "1763890021.000100"} | content


def webhook(username: str, *attachments: Event, text: str = "", **content: Any) -> Event:
    return event(
        subtype="bot_message", username=username, bot_id="B0HOOK", text=text, attachments=list(attachments), **content
    )


def app(name: str, text: str = "", **content: Any) -> Event:
    profile = {"id": "B0APP", "app_id": "A0APP", "name": name}
    return event(user="U0APP", bot_id="B0APP", app_id="A0APP", bot_profile=profile, text=text, **content)


def human(text: str, **content: Any) -> Event:
    return event(user="U0ANNA", text=text, client_msg_id="5f1d2c3e", **content)


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


# -- Alertmanager --------------------------------------------------------------------------------------------------


def ordered(labels: Labels) -> list[tuple[str, str]]:
    """Alertmanager's SortedPairs: alertname first, then by name."""
    return sorted(labels.items(), key=lambda pair: (pair[0] != "alertname", pair[0]))


def common(alerts: Sequence[Labels]) -> dict[str, str]:
    first, *others = alerts
    return {name: value for name, value in first.items() if all(one.get(name) == value for one in others)}


def subject(alerts: Sequence[Labels], group_by: Sequence[str], status: str = "firing") -> str:
    shared = common(alerts)
    group = {name: shared[name] for name in group_by if name in shared}
    rest = {name: value for name, value in shared.items() if name not in group}
    head = f"[FIRING:{len(alerts)}]" if status == "firing" else "[RESOLVED]"
    line = f"{head} {' '.join(value for _, value in ordered(group))} "
    return line + (f"({' '.join(value for _, value in ordered(rest))})" if rest else "")


def alert_list(alerts: Sequence[Labels], annotations: Labels | None = None) -> str:
    text = ""
    for labels in alerts:
        text += "Labels:\n" + "".join(f" - {n} = {v}\n" for n, v in ordered(labels))
        text += "Annotations:\n" + "".join(f" - {n} = {v}\n" for n, v in ordered(annotations or {}))
        text += "Source: <https://prometheus.example/graph?g0.expr=up&amp;g0.tab=1>\n"
    return text


def default_template(
    alerts: Sequence[Labels], group_by: Sequence[str] = ("alertname",), status: str = "firing", *, text: str = ""
) -> Event:
    title = subject(alerts, group_by, status).rstrip()
    link = "https://alertmanager.example/#/alerts?receiver=slack"
    attachment = {
        "color": "a30200" if status == "firing" else "2eb886",
        "fallback": f"{title} | {link}",
        "title": title,
        "title_link": link,
        "text": text,
    }
    return webhook("Alertmanager", {k: v for k, v in attachment.items() if v})


def chart_example(alerts: Sequence[Labels], description: str, status: str = "firing") -> Event:
    """kube-prometheus-stack's values.yaml: `[{{ .Status | toUpper }}] Monitoring Event Notification`, then per alert."""
    text = ""
    for labels in alerts:
        text += (
            f"*Alert:* {labels['alertname']} - `{labels.get('severity', 'warning')}`\n*Description:* {description}\n"
        )
        text += "*Graph:* <https://prometheus.example/graph?g0.expr=up|:chart_with_upwards_trend:> *Runbook:* <https://runbooks.example|:spiral_note_pad:>\n"
        text += "*Details:*\n" + "".join(f"  • *{n}:* `{v}`\n" for n, v in ordered(labels))
    title = f"[{status.upper()}{f':{len(alerts)}' if status == 'firing' else ''}] Monitoring Event Notification"
    return webhook("Prometheus", {"color": "danger", "title": title, "text": text, "fallback": title})


def monzo(alerts: Sequence[Labels], description: str, status: str = "firing") -> Event:
    """Monzo's template: `[FIRING:1] Name for job`, summaries, buttons with a silence link that has all labels."""
    shared = common(alerts)
    name = shared.get("alertname", "")
    title = f"[{status.upper()}{f':{len(alerts)}' if status == 'firing' else ''}] {name}"
    matchers = "%2C%20".join(f'{n}%3D"{v}"' for n, v in ordered(shared))
    silence = f"https://alertmanager.example/#/silences/new?filter=%7B{matchers}%7D"
    actions = [{"type": "button", "text": "Silence :no_bell:", "url": silence}]
    fallback = f"{subject(alerts, ('alertname',), status)} | https://alertmanager.example/#/alerts"
    attachment = {"color": "danger", "title": title, "title_link": silence, "text": description, "actions": actions}
    return webhook("alertmanager", {**attachment, "fallback": fallback})


def hodovi(alerts: Sequence[Labels], summary: str, description: str, status: str = "firing") -> Event:
    """hodovi.cc: `[FIRING:1 | WARNING] Name | cluster`, then summary, description, and per-alert labels in code."""
    shared = common(alerts)
    severity = shared.get("severity", "warning").upper()
    title = f"[{status.upper()}:{len(alerts)} | {severity}] {shared['alertname']}"
    text = f"*{summary}*\n\n{description}\n\n" + "".join(
        "\n".join(f"`{n}`: `{v}`" for n, v in ordered(labels)) + "\n\n" for labels in alerts
    )
    return webhook(
        "AlertManager", {"color": "warning", "title": title, "text": text, "title_link": "https://am.example/#/alerts"}
    )


def one_line(labels: Labels, *, status: str = "firing", separator: str = ", ") -> Event:
    """Teams that put everything into the text."""
    body = separator.join(f'{n}="{v}"' for n, v in ordered(labels) if n != "alertname")
    return webhook("alertmanager", text=f"*{status.upper()}* {labels['alertname']}: {{{body}}}")


def blocks_template(labels: Labels, description: str, status: str = "firing") -> Event:
    """A webhook relay that writes Block Kit: header, fields, context."""
    mark = ":red_circle:" if status == "firing" else ":large_green_circle:"
    fields = [{"type": "mrkdwn", "text": f"*{n.title()}:*\n{v}"} for n, v in ordered(labels) if n != "alertname"]
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": f"{mark} [{status.upper()}] {labels['alertname']}"}},
        {"type": "section", "text": {"type": "mrkdwn", "text": description}},
        {"type": "section", "fields": fields[:10]},
        {
            "type": "context",
            "elements": [{"type": "mrkdwn", "text": "<https://alertmanager.example/#/alerts|Alertmanager>"}],
        },
    ]
    return app("alertmanager-bridge", f"[{status.upper()}] {labels['alertname']}", blocks=blocks)


# -- Grafana -------------------------------------------------------------------------------------------------------


def grafana(
    alerts: Sequence[Labels], annotations: Labels, *, resolved: Sequence[Labels] = (), folder: str = "Kubernetes"
) -> Event:
    everything = [{**one, "grafana_folder": folder} for one in (*alerts, *resolved)]
    shared = common(everything)
    rest = " ".join(v for n, v in ordered(shared) if n not in ("alertname", "grafana_folder"))
    count = ", ".join(
        part
        for part in (
            f"FIRING:{len(alerts)}" if alerts else "",
            f"RESOLVED:{len(resolved)}" if resolved and alerts else "RESOLVED" if resolved else "",
        )
        if part
    )
    title = f"[{count}] {shared.get('alertname', '')} {folder} ({rest})".replace("  ", " ")

    def section(heading: str, some: Sequence[Labels]) -> str:
        text = f"**{heading}**\n"
        for labels in some:
            text += "\nValue: A=1, C=1\nLabels:\n" + "".join(
                f" - {n} = {v}\n" for n, v in ordered({**labels, "grafana_folder": folder})
            )
            text += "Annotations:\n" + "".join(f" - {n} = {v}\n" for n, v in ordered(annotations))
            text += "Source: <https://grafana.example/alerting/grafana/x/view?orgId=1>\nSilence: <https://grafana.example/alerting/silence/new?alertmanager=grafana&amp;orgId=1>\n"
        return text

    text = (
        (section("Firing", alerts) if alerts else "")
        + ("\n" if alerts and resolved else "")
        + (section("Resolved", resolved) if resolved else "")
    )
    attachment = {
        "color": "d63232" if alerts else "36a64f",
        "title": title,
        "fallback": title,
        "text": text,
        "footer": "Grafana v11.6.0",
    }
    return app("Grafana", attachments=[{**attachment, "title_link": "https://grafana.example/alerting/list"}])


def grafana_legacy(state: str, name: str, message: str, fields: Labels | None = None) -> Event:
    """Grafana before 9: `[Alerting] Name`, evaluated metrics as fields."""
    attachment = {
        "color": "d63232" if state != "OK" else "36a64f",
        "title": f"[{state}] {name}",
        "title_link": "https://grafana.example/d/k8s/pods?tab=alert&amp;viewPanel=2&amp;orgId=1",
        "text": message,
        "fallback": f"[{state}] {name}",
        "fields": [{"title": n, "value": v, "short": True} for n, v in (fields or {}).items()],
        "footer": "Grafana v8.5.27",
    }
    return webhook("Grafana", attachment)


# -- Datadog -------------------------------------------------------------------------------------------------------


def datadog(transition: str, name: str, tags: Labels, message: str = "", *, with_scope: bool = True) -> Event:
    scope = ",".join(f"{n}:{v}" for n, v in tags.items())
    title = f"[{transition} on {{{scope}}}] {name}" if with_scope else f"{transition}: {name}"
    attachment = {
        "color": "2eb886" if transition == "Recovered" else "a30200",
        "title": title,
        "fallback": title,
        "title_link": "https://app.datadoghq.eu/monitors/48210077?event_id=7391002847712",
        "text": f"{message} @slack-k8s\n\nThe monitor was last triggered at Sun Nov 23 2025 16:29:58 UTC.",
        "fields": [
            {"title": "Tags", "value": ", ".join((*(f"{n}:{v}" for n, v in tags.items()), "monitor", "env:prod"))}
        ],
    }
    return app("Datadog", attachments=[attachment])


# -- PagerDuty, Opsgenie -------------------------------------------------------------------------------------------


def pagerduty(state: str, title: str, number: int = 20417, **fields: str) -> Event:
    shown = [
        {"type": "mrkdwn", "text": f"*{n}:*\n{v}"} for n, v in {"Service": "EKS", "Urgency": "High", **fields}.items()
    ]
    blocks = [
        {
            "type": "section",
            "text": {
                "type": "mrkdwn",
                "text": f":red_circle: *{state}* | *<https://x.pagerduty.com/incidents/Q1|#{number} {escaped(title)}>*",
            },
        },
        {"type": "section", "fields": shown},
    ]
    return app(
        "PagerDuty",
        f"{state}: #{number} {escaped(title)}",
        attachments=[{"color": "d4183d", "fallback": "[no preview available]", "blocks": blocks}],
    )


def opsgenie(action: str, title: str, text: str = "", tags: str = "eks, prod", number: int = 5521) -> Event:
    link = "https://petrel.app.opsgenie.com/alert/detail/6f1e0b2a/details"
    attachment = {
        "color": "f2a33a",
        "fallback": f'{action}: "[Prometheus]: {title}" #{number}',
        "pretext": f"{action}: <{link}|#{number}>",
        "title": f"[Prometheus]: {title}",
        "title_link": link,
        "text": text,
        "fields": [
            {"title": "Priority", "value": "P2"},
            {"title": "Tags", "value": tags},
            {"title": "Routed Teams", "value": "platform"},
        ],
    }
    return webhook("Opsgenie", attachment)


# -- CloudWatch ----------------------------------------------------------------------------------------------------


def cloudwatch(
    name: str, state: str, description: str, dimensions: Labels, metric: str = "ContainerInsights / pod_status_pending"
) -> Event:
    before = "ALARM" if state == "OK" else "OK"
    blocks = [
        {
            "type": "section",
            "text": {
                "type": "mrkdwn",
                "text": f"*<https://eu-north-1.console.aws.amazon.com/cloudwatch/home?region=eu-north-1#alarmsV2:alarm/{name}|:rotating_light: CloudWatch Alarm | {name} | eu-north-1 | Account: 210987650123>*",
            },
        },
        {
            "type": "section",
            "text": {
                "type": "mrkdwn",
                "text": f"Threshold Crossed: 3 out of the last 3 datapoints were greater than the threshold (0.0) (minimum 3 datapoints for {before} -&gt; {state} transition).",
            },
        },
        {
            "type": "section",
            "fields": [
                {"type": "mrkdwn", "text": f"*Alarm description*\n{description}"},
                {"type": "mrkdwn", "text": f"*State*\n{state}"},
                {"type": "mrkdwn", "text": f"*Metric*\n{metric}"},
                {"type": "mrkdwn", "text": "*Dimensions*\n" + "\n".join(f"{n}: {v}" for n, v in dimensions.items())},
            ],
        },
    ]
    text = f"CloudWatch Alarm | {name} | eu-north-1 | Account: 210987650123"
    return app(
        "Amazon Q",
        text,
        attachments=[
            {"color": "d13212" if state != "OK" else "2eb886", "fallback": "[no preview available]", "blocks": blocks}
        ],
    )


def notify_slack(name: str, state: str, description: str, reason: str) -> Event:
    """terraform-aws-notify-slack's Lambda."""
    fields = {
        "Alarm Name": f"`{name}`",
        "Alarm Description": f"`{description}`",
        "Alarm reason": f"`{reason}`",
        "Old State": "`OK`" if state == "ALARM" else "`ALARM`",
        "Current State": f"`{state}`",
        "Link to Alarm": f"https://console.aws.amazon.com/cloudwatch/home?region=eu-west-1#alarm:alarmFilter=ANY;name={name}",
    }
    attachment = {
        "color": "danger" if state == "ALARM" else "good",
        "fallback": f"Alarm {name} triggered",
        "fields": [{"title": n, "value": v} for n, v in fields.items()],
    }
    return webhook("cloudwatch", attachment)


# -- Robusta -------------------------------------------------------------------------------------------------------


def robusta_classic(title: str, cluster: str, labels: Labels, description: str, status: str = "firing") -> Event:
    mark = "🔥 `Prometheus Alert Firing` 🔥" if status == "firing" else "✅ *Prometheus resolved*"
    listed = "*Alert labels*\n" + "\n".join(f"● {n} `{v}`" for n, v in labels.items())
    blocks = [
        {
            "type": "section",
            "text": {"type": "mrkdwn", "text": f"{mark} 🟡 *Medium*\n<https://platform.robusta.dev/?q=1|*{title}*>"},
        },
        {"type": "section", "text": {"type": "mrkdwn", "text": f"*Source:* `{cluster}`"}},
        {"type": "section", "text": {"type": "mrkdwn", "text": f"🚨 *Alert:* {description}"}},
    ]
    attached = [{"type": "section", "text": {"type": "mrkdwn", "text": listed}}]
    text = title if status == "firing" else f"[RESOLVED] {title}"
    return app(
        "Robusta",
        text,
        blocks=blocks,
        attachments=[{"color": "ef311f", "fallback": "[no preview available]", "blocks": attached}],
    )
