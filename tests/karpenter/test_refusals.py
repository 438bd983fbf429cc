"""Refusals: what is written is read back, for every release; what is read is Karpenter's own text; nothing raises."""

from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.karpenter import (
    AllFilteredOut,
    Clause,
    DomainCounts,
    Finding,
    IncompatibleRequirements,
    InstanceTypeRefusal,
    KeyConflict,
    LabelUnknown,
    LimitsExceeded,
    NoSuchWordingError,
    Operator,
    PrintedRequirement,
    Reason,
    Refusal,
    TaintNotTolerated,
    TopologyRule,
    TopologyUnsatisfiable,
    Unrecognised,
    Version,
    Where,
    as_printed,
    format_finding,
    format_refusal,
    format_requirements,
    parse_refusal,
    parse_requirement,
    parse_requirements,
)
from tests.karpenter import strategies as some
from tests.karpenter.golden import ANY_ZONE, GOLDEN, OTHER_ZONE, SPREAD, ZONE


@given(some.versioned_findings())
def test_a_finding_written_in_any_release_is_read_back(drawn: tuple[Version, Finding]) -> None:
    version, finding = drawn
    text = format_finding(finding, version)
    read = parse_refusal(text)
    assert read is not None
    assert read.findings == (finding,), text


@given(some.versioned_refusals())
def test_a_whole_refusal_is_read_back_as_far_as_its_release_prints_it(drawn: tuple[Version, Refusal]) -> None:
    version, refusal = drawn
    text = format_refusal(refusal, version)
    assert parse_refusal(text) == as_printed(refusal, version), text
    assert parse_refusal(f"Failed to schedule pod, {text}") == as_printed(refusal, version)


@given(some.versioned_refusals(), st.floats(0, 1))
def test_a_cut_refusal_never_says_more_than_the_whole_one(drawn: tuple[Version, Refusal], part: float) -> None:
    version, refusal = drawn
    text = format_refusal(refusal, version)
    read = parse_refusal(text[: int(part * len(text))], truncated=True)
    whole = as_printed(refusal, version).findings
    for finding in read.findings if read else ():
        assert _is_part_of(finding, whole), finding


@pytest.mark.parametrize("reason", [one for one in Reason if one is not Reason.MIN_VALUES])
def test_cut_at_every_place_a_sentence_keeps_its_reason_and_its_bounds(reason: Reason) -> None:
    gpus = PrintedRequirement(key="karpenter.k8s.aws/instance-gpu-count", operator=Operator.EXISTS, at_least=15)
    finding = InstanceTypeRefusal(reason=reason, requirements=(gpus, ZONE), resources={"cpu": "16", "pods": "2"})
    text = format_finding(finding, (1, 15))
    for end in range(len(text)):
        read = parse_refusal(text[:end], truncated=True)
        for one in read.findings if read else ():
            assert _is_part_of(one, (finding,)), text[:end]


def _is_part_of(finding: Finding, whole: tuple[Finding, ...]) -> bool:
    match finding:
        case Unrecognised():
            return True
        case InstanceTypeRefusal(complete=False):
            return any(
                isinstance(one, InstanceTypeRefusal)
                and one.reason is finding.reason
                and set(finding.requirements) <= set(one.requirements)
                and finding.resources.items() <= one.resources.items()
                for one in whole
            )
        case IncompatibleRequirements():
            mine = set(finding.conflicts)
            return any(isinstance(one, IncompatibleRequirements) and mine <= set(one.conflicts) for one in whole)
        case _:
            return finding in whole


@given(st.text())
def test_no_text_raises(text: str) -> None:
    _read_every_way(text)


_HOSTILE: Final = {
    "open brackets": 'incompatible with nodepool "x", daemonset overhead={' + "[" * 100_000,
    "open objects": "no instance type met all requirements, requirements=, resources=" + '{"a":' * 50_000,
    "keys": "key " * 50_000,
    "parts": "; did not tolerate taint (taint=" * 60_000,
    "one long part": "failed to validate pvc, " + " (PersistentVolume=" * 100_000,
    "requirements": "no instance type has enough resources" + ", requirements=" * 100_000,
    "surrogates": '; label "\ud800\x00" does not have known values',
    "digits": "no instance type has enough resources, requirements=a Exists >=" + "9" * 100_000 + ", resources={}",
}


@pytest.mark.parametrize("text", _HOSTILE.values(), ids=_HOSTILE.keys())
def test_no_hostile_text_raises_or_hangs(text: str) -> None:
    _read_every_way(text)


def _read_every_way(text: str) -> None:
    for said in (text, f"Failed to schedule pod, {text}"):
        parse_refusal(said)
        parse_refusal(said, truncated=True)
        parse_refusal(said, causes=(text, text))


@given(some.requirement_lists(), st.sampled_from(some.VERSIONS))
def test_requirements_are_read_back(requirements: tuple[PrintedRequirement, ...], version: Version) -> None:
    read = parse_requirements(format_requirements(requirements, version))
    assert read == tuple(sorted(requirements, key=lambda one: one.key))


@pytest.mark.parametrize(
    ("version", "text", "requirement"),
    [
        ((1, 8), "gpus Exists >4 <9", PrintedRequirement(key="gpus", operator=Operator.EXISTS, at_least=5, at_most=8)),
        (
            (1, 9),
            "gpus Exists >=5 <=8",
            PrintedRequirement(key="gpus", operator=Operator.EXISTS, at_least=5, at_most=8),
        ),
        (
            (1, 14),
            "node.kubernetes.io/instance-type In [a1 a2 a3 a4 a5 and 2 others] minValues 3",
            PrintedRequirement(
                key="node.kubernetes.io/instance-type",
                operator=Operator.IN,
                values=("a1", "a2", "a3", "a4", "a5"),
                others=2,
                min_values=3,
            ),
        ),
        ((1, 14), "zone DoesNotExist", PrintedRequirement(key="zone", operator=Operator.DOES_NOT_EXIST)),
        (
            (1, 14),
            "karpenter.k8s.aws/instance-hypervisor In [ nitro]",
            PrintedRequirement(key="karpenter.k8s.aws/instance-hypervisor", operator=Operator.IN, values=("", "nitro")),
        ),
    ],
)
def test_a_requirement_as_each_release_prints_it(version: Version, text: str, requirement: PrintedRequirement) -> None:
    assert parse_requirement(text) == requirement
    assert format_requirements([requirement], version) == text


def test_seven_values_are_printed_as_five_and_two_others_and_the_hostname_never() -> None:
    types = tuple(f"m{number}.large" for number in range(7, 0, -1))
    asked = PrintedRequirement(key="node.kubernetes.io/instance-type", operator=Operator.IN, values=types)
    host = PrintedRequirement(key="kubernetes.io/hostname", operator=Operator.IN, values=("hostname-placeholder-0001",))
    assert format_requirements([host, asked], (1, 14)) == (
        "node.kubernetes.io/instance-type In [m1.large m2.large m3.large m4.large m5.large and 2 others]"
    )


@pytest.mark.parametrize(("finding", "first", "last", "text"), GOLDEN, ids=[row[3][:60] for row in GOLDEN])
def test_karpenters_own_sentences_both_ways_in_the_releases_that_print_them(
    finding: Finding, first: Version, last: Version, text: str
) -> None:
    read = parse_refusal(text)
    assert read is not None
    assert read.findings == (finding,)
    for version in (first, last):
        assert format_finding(finding, version) == text
    for version in some.VERSIONS:
        if version < first[:2] or version[:2] > last[:2]:
            assert _printed(finding, version) != text


def _printed(finding: Finding, version: Version) -> str | None:
    try:
        return format_finding(finding, version)
    except NoSuchWordingError:
        return None


def test_up_to_v1_4_each_nodepool_is_named_and_holds_all_that_stands_against_the_pod() -> None:
    text = (
        'all available instance types exceed limits for nodepool: "cheap"; '
        'incompatible with nodepool "edge", daemonset overhead={"cpu":"210m","pods":"6"}, did not tolerate a=b:NoSchedule; '
        'did not tolerate c=:NoExecute; incompatible with nodepool "gpu", daemonset overhead={}, incompatible '
        'requirements, label "x" does not have known values; label "y" does not have known values'
    )
    refusal = parse_refusal(f"Could not schedule pod, {text}")
    assert refusal == Refusal(
        clauses=(
            Clause(nodepool="cheap", findings=(LimitsExceeded(nodepool="cheap"),)),
            Clause(
                nodepool="edge",
                daemon_overhead={"cpu": "210m", "pods": "6"},
                findings=(
                    TaintNotTolerated(key="a", value="b", effect="NoSchedule"),
                    TaintNotTolerated(key="c", value="", effect="NoExecute"),
                ),
            ),
            Clause(
                nodepool="gpu",
                daemon_overhead={},
                findings=(
                    IncompatibleRequirements(where=Where.POD, conflicts=(LabelUnknown(key="x"), LabelUnknown(key="y"))),
                ),
            ),
        )
    )
    assert format_refusal(refusal, (1, 0, 1)) == text


def test_error_causes_part_what_the_joined_text_cannot() -> None:
    zone = "key topology.kubernetes.io/zone, topology.kubernetes.io/zone In [eu-west-1a] not in "
    causes = (
        f"incompatible requirements, {zone}topology.kubernetes.io/zone In [eu-west-1b]",
        f"{zone}topology.kubernetes.io/zone DoesNotExist",
    )
    joined, parted = parse_refusal("; ".join(causes)), parse_refusal("; ".join(causes), causes=causes)
    assert joined is not None
    assert parted is not None
    assert [len(clause.findings) for clause in joined.clauses] == [1]
    assert [
        clause.findings[0] for clause in parted.clauses if isinstance(clause.findings[0], IncompatibleRequirements)
    ] == [
        IncompatibleRequirements(
            where=Where.POD,
            conflicts=(KeyConflict(key="topology.kubernetes.io/zone", incoming=ZONE, existing=OTHER_ZONE),),
        ),
        IncompatibleRequirements(
            where=Where.TOPOLOGY,
            conflicts=(
                KeyConflict(
                    key="topology.kubernetes.io/zone",
                    incoming=ZONE,
                    existing=PrintedRequirement(key="topology.kubernetes.io/zone", operator=Operator.DOES_NOT_EXIST),
                ),
            ),
        ),
    ]


@settings(max_examples=20)
@given(st.integers(6, 40))
def test_topology_counts_are_cut_after_25_domains_since_v0_34_1_and_after_5_before(domains: int) -> None:
    counts = DomainCounts(named=tuple((f"rack-{number:02}", number) for number in range(domains)))
    finding = TopologyUnsatisfiable(
        rule=TopologyRule.ANTI_AFFINITY, key="rack", counts=counts, pod_domains=ANY_ZONE, node_domains=ANY_ZONE
    )
    for version, shown in (((0, 34, 0), 5), ((1, 14), 25)):
        read = parse_refusal(format_finding(finding, version))
        assert read is not None
        assert isinstance(read.findings[0], TopologyUnsatisfiable)
        assert read.findings[0].counts == DomainCounts(named=counts.named[:shown], others=max(0, domains - shown))


@pytest.mark.parametrize(
    ("version", "counts", "end"),
    [
        ((0, 32, 5), "map[eu-west-1a:2 eu-west-1b:0]", ")"),
        ((0, 32, 6), "eu-west-1a: 2, eu-west-1b: 0", ""),
        ((0, 33, 1), "map[eu-west-1a:2 eu-west-1b:0]", ")"),
        ((0, 33), "eu-west-1a: 2, eu-west-1b: 0", ""),
        ((1, 14), "eu-west-1a: 2, eu-west-1b: 0", ""),
    ],
)
def test_topology_text_lost_its_closing_parenthesis_in_v0_32_6_and_again_in_v0_33_2(
    version: Version, counts: str, end: str
) -> None:
    text = (
        f"unsatisfiable topology constraint for topology spread, key=topology.kubernetes.io/zone (counts = {counts}, "
        f"podDomains = topology.kubernetes.io/zone Exists, nodeDomains = topology.kubernetes.io/zone In [eu-west-1a]{end}"
    )
    assert format_finding(SPREAD, version) == text
    assert parse_refusal(text) == Refusal(clauses=(Clause(findings=(SPREAD,)),))


def test_a_wording_that_a_release_does_not_have_is_an_error_that_says_so() -> None:
    with pytest.raises(NoSuchWordingError, match=r"v1\.6 prints nothing for AllFilteredOut"):
        format_finding(AllFilteredOut(), (1, 6))


def test_text_that_is_not_karpenters_is_no_refusal() -> None:
    assert parse_refusal("0/3 nodes are available: 3 Insufficient cpu.") is None
    assert parse_refusal("") is None
    announced = parse_refusal("Failed to schedule pod, the moon is in the way")
    assert announced is not None
    assert announced.findings == (Unrecognised(text="the moon is in the way"),)
    assert not announced.complete
