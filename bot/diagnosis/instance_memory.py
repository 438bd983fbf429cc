"""The memory that nodes of each type really have: Karpenter prefers it to its estimate.

Mirrors karpenter-provider-aws pkg/providers/instancetype/instancetype.go, UpdateInstanceTypeCapacityFromNode and get
(since v1.1). Karpenter remembers what it saw for 60 days; here only nodes that exist now are known.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache

from bot.diagnosis.requirements import Requirements, parse_terms
from bot.model.karpenter import EC2NodeClass, NodeClaim
from bot.model.kubernetes import Node
from bot.model.labels import INSTANCE_TYPE, REGISTERED
from bot.model.quantities import Quantity


def discovered_memory(
    nodes: Iterable[Node], node_claims: Iterable[NodeClaim], node_class: EC2NodeClass
) -> Mapping[str, Quantity]:
    """Instance type to the least memory of a registered node that runs the image which the EC2NodeClass has today."""
    name = node_class.metadata.name
    claims = {
        c.status.provider_id: c for c in node_claims if c.spec.node_class_ref.name == name and c.status.provider_id
    }
    least: dict[str, Quantity] = {}
    image_of = _images(node_class)
    for node in nodes:
        claim = claims.get(node.spec.provider_id)
        memory = node.status.capacity.get("memory")
        labels = node.metadata.labels
        if claim is None or memory is None or labels.get(REGISTERED) != "true" or not labels.get(INSTANCE_TYPE):
            continue
        if claim.status.image_id and claim.status.image_id == image_of(labels):
            known = least.get(labels[INSTANCE_TYPE])
            least[labels[INSTANCE_TYPE]] = memory if known is None or memory < known else known
    return least


def _images(node_class: EC2NodeClass) -> Callable[[Mapping[str, str]], str]:
    """Labels to the first image whose requirements they meet (ami.go, MapToInstanceTypes). Thousands of nodes differ in few
    of the labels that images ask for, so each combination is tried once."""
    images = [(image.id, Requirements(parse_terms(image.requirements))) for image in node_class.status.amis]
    keys = tuple({key for _, asked in images for key in asked})

    @cache
    def first(values: tuple[str | None, ...]) -> str:
        labels = {key: value for key, value in zip(keys, values, strict=True) if value is not None}
        present = Requirements.from_labels(labels)
        return next((name for name, asked in images if present.accepts(asked)), "")

    return lambda labels: first(tuple(labels.get(key) for key in keys))
