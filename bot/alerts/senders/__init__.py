"""The senders, in the order in which they are asked: those that forward others' alerts before those whose alerts they carry.

A new sender is one file beside these with its `SENDER`, and its row here.
"""

from typing import Final

from bot.alerts.senders import alertmanager, aws_chatbot, datadog, grafana, opsgenie, pagerduty, robusta
from bot.alerts.senders.base import Reading, Sender

__all__ = ["SENDERS", "Reading", "Sender"]

SENDERS: Final[tuple[Sender, ...]] = (
    robusta.SENDER,
    pagerduty.SENDER,
    opsgenie.SENDER,
    datadog.SENDER,
    aws_chatbot.SENDER,
    grafana.SENDER,
    alertmanager.SENDER,
)
