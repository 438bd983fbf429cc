"""The playground with the test bed as its cluster: a real Karpenter's refusal asked about, approved, and its node seen."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.playground import clusters
from bot.playground.stage import Live, Setting, Stage
from tests.cluster.cases import CASES as SITUATIONS
from tests.cluster.components import REGION
from tests.cluster.test_approving import PLAYBOOKS, accounts, aws, waiting_pod
from tests.cluster.workbench import Workbench
from tests.playground.approving import approved
from tests.recorded import CASES

__all__ = ["accounts", "aws"]
pytestmark = pytest.mark.cluster
SITUATION = next(one for one in SITUATIONS if one.name == "nodepool-limit")


async def test_what_is_approved_on_the_page_changes_the_bed_and_its_karpenter_launches(
    bench: Workbench, accounts: dict[str, Path], aws: None
) -> None:
    pod = await asyncio.to_thread(waiting_pod, bench, SITUATION)
    live = Live(name="bed", kubeconfig=str(accounts["writer"]), region=REGION, changes=True)
    recordings = clusters.recordings(CASES / "gpu-16-on-p4d")
    async with Stage(Setting(recordings=recordings, playbooks=PLAYBOOKS, live=live)) as stage:
        assert (stage.now_on, stage.kind) == ("bed", "changeable")
        done = await approved(stage.slack, f"{bench.namespace}/{pod}", timeout=120)
        node = await asyncio.to_thread(bench.node_of, "trainer")
        assert node["metadata"]["name"] in done.text
        assert "simulated" not in done.text
        assert stage.slack.violations == []
