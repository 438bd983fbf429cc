"""AMI families: what each changes about capacity and overhead of an instance type.

Mirrors karpenter-provider-aws pkg/providers/amifamily: FeatureFlags, DefaultBlockDeviceMappings and EphemeralBlockDevice
of each family, GetAMIFamily and DefaultEBS in resolver.go (v1.14).
"""

from dataclasses import dataclass
from typing import Final

from bot.model.karpenter import EC2NodeClass
from bot.model.quantities import Quantity

DEFAULT_VOLUME: Final = Quantity.parse("20Gi")


@dataclass(frozen=True, slots=True, kw_only=True)
class AmiFamily:
    """One family. `volume` is what pods' ephemeral storage has when the EC2NodeClass maps no device."""

    name: str
    windows_build: str = ""
    eni_limited_memory: bool = True
    """Whether kube-reserved memory counts the pods that ENIs allow, rather than the pods that are allowed."""
    pods_per_core: bool = True
    eni_limited_pods: bool = True
    ephemeral_device: str | None = "/dev/xvda"
    volume: Quantity = DEFAULT_VOLUME


def _windows(year: str, build: str) -> AmiFamily:
    return AmiFamily(
        name=f"Windows{year}",
        windows_build=build,
        eni_limited_memory=False,
        eni_limited_pods=False,
        ephemeral_device="/dev/sda1",
        volume=Quantity.parse("50Gi"),
    )


AL2: Final = AmiFamily(name="AL2")
AL2023: Final = AmiFamily(name="AL2023")
CUSTOM: Final = AmiFamily(name="Custom", ephemeral_device=None)
FAMILIES: Final = {
    family.name: family
    for family in (
        AL2,
        AL2023,
        AmiFamily(name="Bottlerocket", eni_limited_memory=False, pods_per_core=False, ephemeral_device="/dev/xvdb"),
        _windows("2019", "10.0.17763"),
        _windows("2022", "10.0.20348"),
        _windows("2025", "10.0.26100"),
        CUSTOM,
    )
}
_BY_ALIAS: Final = {name.lower(): family for name, family in FAMILIES.items() if family is not CUSTOM}


def family_of(node_class: EC2NodeClass | None) -> AmiFamily:
    """The family of an EC2NodeClass: amiFamily, else the alias, else Custom (ec2nodeclass.go, AMIFamily).

    A name that is none (`Ubuntu` of v1beta1) behaves as AL2, as GetAMIFamily has it; no EC2NodeClass at all as AL2023.
    """
    if node_class is None:
        return AL2023
    if node_class.spec.ami_family:
        return FAMILIES.get(node_class.spec.ami_family, AL2)
    alias = next((term.alias for term in node_class.spec.ami_selector_terms if term.alias), "")
    return _BY_ALIAS.get(alias.split("@")[0], CUSTOM)
