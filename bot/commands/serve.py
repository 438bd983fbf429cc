"""`karpenter-bot serve`: answers in Slack until it is told to stop."""

import argparse

from bot import server


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("--config", metavar="FILE", default="", help="settings (YAML); the environment wins")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serves; the exit code."""
    return server.run(arguments.config)
