"""`karpenter-bot alert`: what is read from one Slack message event, as the bot in the channel would read it."""

import argparse
import sys

import orjson

from bot.alerts import as_json, recognise
from bot.commands.arguments import UsageError
from bot.commands.output import ANSWERED, print_json

LARGEST = 1 << 20
"""Bytes of an event that are read; Slack's are far below."""


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.description = "Reads one Slack message event (or its event_callback wrapper) as JSON on standard input."
    parser.add_argument("-o", "--output", choices=("json",), default="json")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:  # noqa: ARG001 (there is one output)
    """Reads, recognises, prints. Raises UsageError for what is no JSON object."""
    raw = sys.stdin.buffer.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise UsageError(f"the event is longer than {LARGEST >> 20} MiB")
    try:
        event = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise UsageError(f"standard input is no JSON: {error}") from None
    if not isinstance(event, dict):
        raise UsageError("standard input must hold one Slack message event, a JSON object")
    if event.get("type") == "event_callback" and isinstance(event.get("event"), dict):
        event = event["event"]
    print_json(dict(as_json(recognise(event))))
    return ANSWERED
