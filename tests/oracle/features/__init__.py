"""What a random case can be made of: one function per feature, each free to make the pod launchable or not."""

from __future__ import annotations

from collections.abc import Callable

from tests.oracle.drafts import CaseDraft, Draw
from tests.oracle.features import cluster, hostile, nodepools, pods, topology, volumes

Feature = Callable[[Draw, CaseDraft], None]

FEATURES: dict[str, Feature] = {
    "resources": pods.resources,
    "extended-resources": pods.extended_resources,
    "odd-quantities": pods.odd_quantities,
    "containers": pods.containers,
    "pod-level-resources": pods.pod_level_resources,
    "dynamic-resources": pods.dynamic_resources,
    "node-selector": pods.node_selector,
    "operators": pods.operators,
    "alias-labels": pods.alias_labels,
    "restricted-labels": pods.restricted_labels,
    "unknown-labels": pods.unknown_labels,
    "or-terms": pods.or_terms,
    "preferences": pods.preferences,
    "not-provisionable": pods.not_provisionable,
    "several-pods": pods.several_pods,
    "custom-labels": nodepools.custom_labels,
    "nodepool-requirements": nodepools.requirements,
    "weights": nodepools.weights,
    "taints": nodepools.taints,
    "limits": nodepools.limits,
    "min-values": nodepools.min_values,
    "nodepool-states": nodepools.states,
    "policies": nodepools.policies,
    "unavailable-offerings": nodepools.unavailable_offerings,
    "instance-types-per-nodepool": nodepools.instance_types_per_pool,
    "reserved-capacity": nodepools.reserved_capacity,
    "daemonsets": cluster.daemonsets,
    "daemonset-or-terms": cluster.daemonset_or_terms,
    "daemonset-pods": cluster.daemonset_pods,
    "host-ports": cluster.host_ports,
    "existing-nodes": cluster.existing_nodes,
    "in-flight-nodes": cluster.in_flight_nodes,
    "topology-spread": topology.spread,
    "pod-affinity": topology.pod_affinity,
    "pod-anti-affinity": topology.pod_anti_affinity,
    "bound-anti-affinity": topology.bound_anti_affinity,
    "zonal-volumes": volumes.zonal_volumes,
    "broken-volumes": volumes.broken_volumes,
    "volume-limits": volumes.volume_limits,
    "contradictions": hostile.contradictions,
    "negative-allocatable": hostile.negative_allocatable,
    "nothing-offered": hostile.nothing_offered,
    "many-terms": hostile.many_terms,
    "many-nodepools": hostile.many_nodepools,
}
