"""What instance types met and what they did not, as Karpenter sums it up in one sentence; and pods that wait for a reservation.

Mirrors karpenter pkg/controllers/provisioning/scheduling/nodeclaim.go (v1.14).
"""

from dataclasses import dataclass

from bot.diagnosis.indexes import Types
from bot.diagnosis.releases import FULL_RESERVATION_FALLS_BACK, Version
from bot.diagnosis.requirements import Requirements
from bot.diagnosis.space import Space
from bot.karpenter import Reason
from bot.model.labels import RESERVED


@dataclass(slots=True)
class Seen:
    """Karpenter's six flags (InstanceTypeFilterError): what at least one type met, and which pairs one type met."""

    requirements: bool = False
    resources: bool = False
    offering: bool = False
    requirements_resources: bool = False
    requirements_offering: bool = False
    resources_offering: bool = False

    def reason(self) -> Reason:
        """The sentence that Karpenter picks, in its order."""
        table = (
            (not (self.requirements or self.resources or self.offering), Reason.NOTHING),
            (not (self.requirements or self.resources), Reason.REQUIREMENTS_NOR_RESOURCES),
            (not (self.requirements or self.offering), Reason.REQUIREMENTS_NOR_OFFERING),
            (not (self.resources or self.offering), Reason.RESOURCES_NOR_OFFERING),
            (not self.requirements, Reason.REQUIREMENTS),
            (not self.resources, Reason.RESOURCES),
            (not self.offering, Reason.OFFERING),
            (self.requirements_resources, Reason.OFFERING_OF_PAIR),
            (self.resources_offering, Reason.REQUIREMENTS_OF_PAIR),
            (self.requirements_offering, Reason.RESOURCES_OF_PAIR),
        )
        return next((reason for holds, reason in table if holds), Reason.NO_TRIPLE)


def waits_for_reservation(version: Version, space: Space, requirements: Requirements, types: Types) -> bool:
    """Whether the pod waits for a full reservation rather than fall back (nodeclaim.go, offeringsToReserve)."""
    room = False
    full = False
    for s in space.slots_meeting(requirements):
        reserved = space.slots[s].capacity_type == RESERVED
        available = space.available[s] & types
        falls_back = not reserved and version >= FULL_RESERVATION_FALLS_BACK
        room |= (falls_back and bool(available)) or (reserved and bool(available & ~space.full[s]))
        full |= reserved and bool(available & space.full[s])
    return full and not room
