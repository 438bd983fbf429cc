"""The commands of the command line, one module each: `add(parser)` names its arguments and, by `run`, what it does.

A module is imported when its command is asked for and not before: what one command needs costs the others no time.
"""

from typing import Final

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "why": ("bot.commands.why", "why a pod is Pending"),
    "offerings": ("bot.commands.offerings", "what EC2 has of an instance type or family, where, at what price"),
    "nodepools": ("bot.commands.nodepools", "what each NodePool can launch, has launched, has left, what went wrong"),
    "why-gone": ("bot.commands.why_gone", "why a node went away, and what would have kept it"),
    "explain": ("bot.commands.explain", "what pasted log lines or events of Karpenter prove"),
    "instance-types": ("bot.commands.instance_types", "the instance types as Karpenter sees them for an EC2NodeClass"),
    "alert": ("bot.commands.alert", "what is read from an alert in Slack (one message event on standard input)"),
    "playground": ("bot.commands.playground", "try the bot in a Slack look-alike in the browser, on recorded clusters"),
    "playbooks": ("bot.commands.playbooks", "what the bot says, and whether it is in order"),
    "snapshot": ("bot.commands.snapshot", "record what bears on a pod, to answer later or elsewhere"),
    "audit": ("bot.commands.audit", "who proposed, approved and refused what, and what came of it"),
    "doctor": ("bot.commands.doctor", "what the bot lacks to do its work, and how to mend it"),
    "serve": ("bot.commands.serve", "answer in Slack"),
}
"""Command name -> module, and what it is for in a line of `--help`."""
