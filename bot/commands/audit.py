"""`karpenter-bot audit`: who asked, what was shown, who approved or refused, what came of it, as JSON lines."""

import argparse
import asyncio
import sys
from datetime import UTC, datetime
from typing import Final

import msgspec
import orjson
import yaml

from bot.commands.arguments import UsageError, settings
from bot.commands.output import ANSWERED, BAD_INPUT, NO_POD, UNREACHABLE
from bot.model.diagnosis import Json
from bot.model.proposals import AuditEntry
from bot.remediation.recreation import manifest_of
from bot.store import StoreUnavailable, open_store
from bot.store.ledger import audit, chained, find

TAMPERED: Final = 1
"""`verify` found an entry that was changed or is missing."""


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument(
        "action",
        choices=("export", "verify", "object"),
        help="print it as JSON lines, check that it is whole, or print the object that a proposal has deleted",
    )
    parser.add_argument("proposal", nargs="?", default="", help="of `object`: the proposal's id")
    parser.add_argument("--config", metavar="FILE", default="", help="settings (YAML); the environment wins")
    parser.add_argument("--since", metavar="TIME", default="", help="only entries from then on (RFC 3339)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Reads the ledger of the configured store; the exit code. Raises UsageError."""
    config = settings(arguments.config)
    if config is None:
        return BAD_INPUT
    since = _moment(arguments.since) if arguments.since else None
    if (arguments.action == "object") != bool(arguments.proposal):
        raise UsageError("`audit object` takes the id of one proposal, as the audit has it; the others take none")
    try:
        if arguments.proposal:
            return _printed(asyncio.run(_deleted(config.store.url, arguments.proposal)), arguments.proposal)
        entries = asyncio.run(_entries(config.store.url, since if arguments.action == "export" else None))
    except StoreUnavailable as error:
        print(f"karpenter-bot: {error}", file=sys.stderr)
        return UNREACHABLE
    return _verified(entries) if arguments.action == "verify" else _exported(entries)


def _exported(entries: list[AuditEntry]) -> int:
    for entry in entries:
        sys.stdout.buffer.write(orjson.dumps(msgspec.to_builtins(entry)) + b"\n")
    sys.stdout.flush()
    return ANSWERED


def _printed(manifest: Json, proposal: str) -> int:
    """For `kubectl create -f -`."""
    if manifest is None:
        print(f"karpenter-bot: no object was deleted by a proposal {proposal}", file=sys.stderr)
        return NO_POD
    sys.stdout.write(yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True))
    sys.stdout.flush()
    return ANSWERED


async def _deleted(url: str, proposal: str) -> Json:
    async with open_store(url) as store:
        one = await find(store, proposal)
    return manifest_of(one.alteration.before) if one is not None and one.alteration.before is not None else None


def _verified(entries: list[AuditEntry]) -> int:
    by_proposal: dict[str, list[AuditEntry]] = {}
    for entry in sorted(entries, key=lambda one: one.number):
        by_proposal.setdefault(entry.proposal, []).append(entry)
    broken = [proposal for proposal, its in by_proposal.items() if not chained(its)]
    for proposal in broken:
        print(f"karpenter-bot: the entries of proposal {proposal} were changed, or some are missing", file=sys.stderr)
    print(f"{len(entries)} entries of {len(by_proposal)} proposals, {len(broken)} not in order")
    return TAMPERED if broken else ANSWERED


async def _entries(url: str, since: datetime | None) -> list[AuditEntry]:
    async with open_store(url) as store:
        return await audit(store, since=since)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise UsageError(f"--since: {text!r} is no time such as 2026-03-02T03:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
