"""A proposal to start from."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from bot.model.objects import ObjectRef
from bot.model.proposals import Alteration, Proposal, Purpose, State

NOW: Final = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
ANNA, MIN, STRANGER, GROUP = "U0ANNA", "U0MIN", "U0STRANGER", "S0ONCALL"
TARGET: Final = ObjectRef(api_version="apps/v1", kind="Deployment", namespace="ml", name="trainer")
PROPOSAL: Final = Proposal(
    id="p1",
    purpose=Purpose.REMEDY,
    state=State.PROPOSED,
    cluster="prod",
    alteration=Alteration(target=TARGET, uid="u1", patch=(), undo=(), diff="", digest=""),
    pod=ObjectRef(api_version="v1", kind="Pod", namespace="ml", name="trainer-x"),
    pod_uid="u2",
    remedy="r1",
    requester=MIN,
    created_at=NOW,
    expires_at=NOW + timedelta(minutes=30),
    facts={"cautions": ["restarts-pods"]},
)


def proposal(**changes: object) -> Proposal:
    """The proposal with these changes."""
    return replace(PROPOSAL, **changes)  # type: ignore[arg-type]
