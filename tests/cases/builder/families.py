"""The families of cases and what each is about, in the order of a node's life; `python -m tests.cases.build` writes them."""

from collections.abc import Iterator
from typing import Final

from tests.cases.builder import family_gone, family_launches, family_nodes, family_pods
from tests.cases.builder.moments import Moment, write_base, write_family

_ABOUT: Final = {
    "node-classes": "An EC2NodeClass that is not ready, for each of its conditions.",
    "launches": "Launches that EC2 or AWS refuses, and that Karpenter tries again on the same NodeClaim.",
    "quotas": "vCPU quotas: told by EC2, foretold by Service Quotas.",
    "registration": "NodeClaims whose node does not join, and loops of them.",
    "initialisation": "Nodes that joined and do not become usable.",
    "node-conditions": "Nodes that are not well: which condition, since when, how often.",
    "starting": "Pods that have a node, or the promise of one, and do not run.",
    "elsewhere": "Pods that are not Karpenter's to place, or that it leaves out.",
    "gangs": "Pods whose rules are about other pods.",
    "gone": "Nodes that went away: by which rule, or by none.",
}


def families() -> Iterator[tuple[str, str, list[Moment]]]:
    """Name, what it is about, its moments."""
    made = {
        "node-classes": family_launches.node_classes,
        "launches": family_launches.launches,
        "quotas": family_launches.quotas,
        "registration": family_nodes.registration,
        "initialisation": family_nodes.initialisation,
        "node-conditions": family_nodes.conditions_of_nodes,
        "starting": family_pods.starting,
        "elsewhere": family_pods.elsewhere,
        "gangs": family_pods.gangs,
        "gone": family_gone.moments,
    }
    for name, about in _ABOUT.items():
        yield name, about, list(made[name]())


def write_families() -> None:
    """The base and every family's file."""
    write_base()
    for name, about, moments in families():
        write_family(name, about, moments)
