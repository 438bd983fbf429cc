"""What a person is told of a Diagnosis: the NodePool that the pod is meant for, not every reason of every other one."""

from dataclasses import replace

from bot.model.diagnosis import Diagnosis


def focused(diagnosis: Diagnosis) -> Diagnosis:
    """The Diagnosis with the causes of the intended NodePool and those of no NodePool; all of them where it has none."""
    intended = {pool.name for pool in diagnosis.nodepools if pool.intended}
    causes = tuple(c for c in diagnosis.causes if not c.nodepools or intended & set(c.nodepools))
    return replace(diagnosis, causes=causes or diagnosis.causes)
