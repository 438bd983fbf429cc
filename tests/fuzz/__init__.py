"""Mutated input wherever strangers' text comes in: Slack's deliveries, Alertmanager's webhook, pasted logs, manifests.

No 5xx, no traceback in a reply, no error in the log, no memory that goes on growing. `python -m tests.fuzz`, `make fuzz`.
"""

from tests.fuzz.run import SHARES, Found, run

__all__ = ["SHARES", "Found", "run"]
