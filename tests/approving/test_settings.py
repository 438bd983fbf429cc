"""Who may approve is read from the settings, and nonsense is named; the audit's command reads the configured store."""

import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import yaml

from bot.cli import main
from bot.config import ConfigError, load_config
from bot.model.diagnosis import Json
from bot.model.proposals import ApprovalRule
from bot.remediation.recreation import manifest_of
from bot.store import ledger, open_store
from bot.store.ledger import Told
from tests.remediation.proposals import NOW, PROPOSAL
from tests.remediation.test_recreation import job

RULES = """
approvals:
  expireMinutes: 10
  rules:
    - {approvers: [S0PLATFORM, U0ANNA], clusters: ["prod*"], namespaces: [ml], fourEyes: true, confirmTwice: true}
    - {approvers: U0MIN}
"""


def test_rules(tmp_path: Path) -> None:
    file = tmp_path / "bot.yaml"
    file.write_text(RULES)
    config = load_config({}, file=str(file))
    first = ApprovalRule(
        users=("U0ANNA",),
        groups=("S0PLATFORM",),
        clusters=("prod*",),
        namespaces=("ml",),
        four_eyes=True,
        confirm_twice=True,
    )
    assert config.approvals.rules == (first, ApprovalRule(users=("U0MIN",)))
    assert (config.approvals.expire_minutes, config.approvals.verify_minutes) == (10, 15)
    assert load_config({}).approvals.rules == (), "without rules nobody may"
    assert load_config({"KARPENTER_BOT_APPROVALS_RULES": "[{approvers: [U0MIN]}]"}).approvals.rules[0].users == (
        "U0MIN",
    )


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ("{}", "must be a list of rules"),
        ("[{}]", "must have approvers"),
        ("[{approvers: ['@oncall']}]", "no id of a Slack user"),
        ("[{approvers: [U0MIN], namespace: [ml]}]", "did you mean namespaces?"),
        ("[{approvers: [U0MIN], fourEyes: perhaps}]", "must be true or false"),
    ],
)
def test_nonsense_is_named(rules: str, words: str) -> None:
    with pytest.raises(ConfigError, match="RULES") as refused:
        load_config({"KARPENTER_BOT_APPROVALS_RULES": rules})
    assert words in str(refused.value)


async def _filled(url: str) -> None:
    async with open_store(url) as store:
        await ledger.create(store, PROPOSAL, Told(event="propose", at=NOW, actor="U0MIN", detail={"diff": "+ a"}))
        await ledger.note(store, PROPOSAL, Told(event="no", at=NOW, actor="U0EVE"))


def test_the_audit_as_json_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    import asyncio  # noqa: PLC0415

    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    monkeypatch.setenv("KARPENTER_BOT_STORE_URL", url)
    asyncio.run(_filled(url))
    assert main(["audit", "export"]) == 0
    lines = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert [(line["number"], line["event"], line["actor"]) for line in lines] == [
        (1, "propose", "U0MIN"),
        (2, "no", "U0EVE"),
    ]
    assert lines[0]["detail"] == {"diff": "+ a"}
    assert main(["audit", "export", "--since", "2027-01-01T00:00:00Z"]) == 0
    assert capfdbinary.readouterr().out == b""
    assert main(["audit", "export", "--since", "yesterday"]) == 2
    assert main(["audit", "verify"]) == 0
    assert b"2 entries of 1 proposals, 0 not in order" in capfdbinary.readouterr().out


def test_the_object_that_was_deleted_is_printed_for_kubectl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import asyncio  # noqa: PLC0415

    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    monkeypatch.setenv("KARPENTER_BOT_STORE_URL", url)
    alteration = replace(PROPOSAL.alteration, before=cast("Json", job()), creates={})
    recreated = replace(PROPOSAL, id="p2", alteration=alteration)

    async def filled() -> None:
        async with open_store(url) as store:
            for one in (PROPOSAL, recreated):
                await ledger.create(store, one, Told(event="propose", at=NOW))

    asyncio.run(filled())
    assert main(["audit", "object", "p2"]) == 0
    assert yaml.safe_load(capfd.readouterr().out) == manifest_of(cast("Json", job()))
    assert [main(["audit", "object", one]) for one in ("p1", "made-up")] == [3, 3]
    assert [main(["audit", "object"]), main(["audit", "export", "p2"])] == [2, 2]
