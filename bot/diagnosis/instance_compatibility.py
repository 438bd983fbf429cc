"""Whether an EC2NodeClass can use an instance type at all.

Mirrors karpenter-provider-aws pkg/providers/instancetype/compatibility/compatibility.go, IsCompatibleWithNodeClass
(v1.14). An incompatible type stays listed; all its offerings are unavailable. The strategy of a placement group is not
judged: no fact that is read tells it (see bot/diagnosis/unevaluated.py).
"""

from collections.abc import Sequence

from bot.diagnosis.ami_families import AL2023, family_of
from bot.diagnosis.instance_capacity import EFA_ONLY
from bot.model.ec2 import InstanceTypeInfo, NetworkInfo
from bot.model.karpenter import EC2NodeClass, NetworkInterface


def is_compatible(info: InstanceTypeInfo, node_class: EC2NodeClass | None) -> bool:
    """Karpenter's verdict, but for the placement group; without an EC2NodeClass everything is."""
    if node_class is None:
        return True
    spec = node_class.spec
    return (
        not (info.instance_type.startswith("a1.") and family_of(node_class) is AL2023)
        and (not spec.network_interfaces or _takes(info.network_info, spec.network_interfaces))
        and (
            spec.cpu_options.nested_virtualization != "enabled"
            or "nested-virtualization" in info.processor_info.supported_features
        )
        and (spec.connection_tracking is None or info.hypervisor == "nitro")
    )


def _takes(network: NetworkInfo, wanted: Sequence[NetworkInterface]) -> bool:
    """Whether the cards have room for the interfaces (networkInterfaceCheck)."""
    if network.ena_support == "unsupported":
        return False
    room = {card.network_card_index: card.maximum_network_interfaces for card in network.network_cards}
    for interface in wanted:
        card = interface.network_card_index
        if card >= len(network.network_cards) or room.get(card, 0) <= interface.device_index:
            return False
    efa_only = sum(interface.interface_type == EFA_ONLY for interface in wanted)
    return efa_only <= (network.efa_info.maximum_efa_interfaces if network.efa_info else 0)
