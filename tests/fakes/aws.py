"""An AWS that tells nothing, for stories that need none of its facts."""

from __future__ import annotations

from bot.model.ec2 import Ec2Facts
from bot.sources.ec2 import Ec2, Ec2Observation, Ec2Question


class NoAws(Ec2):
    """Answers at once, without a fact and without a gap."""

    async def observe_ec2(self, question: Ec2Question) -> Ec2Observation:
        return Ec2Observation(facts=Ec2Facts(region=question.region))
