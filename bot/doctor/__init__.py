"""`karpenter-bot doctor`: every permission and connection that the bot needs, tried; what is missing, and how to mend it."""

from bot.doctor.findings import Finding, State
from bot.doctor.rounds import examine

__all__ = ["Finding", "State", "examine"]
