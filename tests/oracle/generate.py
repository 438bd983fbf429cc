"""Random cases for the oracle, reproducible by seed.

    python -m tests.oracle.generate --seed 7 --count 1000 > cases.jsonl
    python -m tests.oracle.generate --seed 7 --count 100 --feature taints
    python -m tests.oracle.generate --list-features
    python -m tests.oracle.generate --seed 7 --count 1000 --mix     # what Karpenter says of them, needs Go

Case i of a seed is always the same, whatever the count.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from tests.oracle.catalogue import CAPACITY_TYPE, catalogue
from tests.oracle.client import Oracle
from tests.oracle.drafts import CaseDraft, Draw, Json, NodePoolDraft, PodDraft, expression
from tests.oracle.features import FEATURES
from tests.oracle.features.vocabulary import ARCH
from tests.oracle.instance_type_drafts import InstanceTypeDraft

# Slow ones, and ones that say little in company, are drawn less often than the rest.
WEIGHTS = {"many-terms": 0.1, "many-nodepools": 0.1, "nothing-offered": 0.3, "not-provisionable": 0.3}


def generate(seed: int, count: int, *, feature: str | None = None) -> Iterator[Json]:
    """`count` cases; with a feature, cases that have that one only. Raises KeyError for an unknown feature."""
    if feature is not None and feature not in FEATURES:
        raise KeyError(feature)
    for index in range(count):
        name = f"{seed}-{index}" if feature is None else f"{seed}-{index}-{feature}"
        yield _case(Draw(name), name, feature)


def _case(draw: Draw, name: str, feature: str | None) -> Json:
    case = _plain(draw, name)
    chosen = [feature] if feature else _choose(draw)
    for one in chosen:
        # A feature that takes the NodePools away leaves nothing for the others to change.
        if case.pools:
            FEATURES[one](draw, case)
    return {**case.json(), "feature": "+".join(chosen)}


def _choose(draw: Draw) -> list[str]:
    wanted = draw.one((1, 1, 2, 2, 3, 4))
    chosen: list[str] = []
    while len(chosen) < wanted:
        name = draw.one(list(FEATURES))
        if name not in chosen and draw.chance(WEIGHTS.get(name, 1.0)):
            chosen.append(name)
    # What replaces pods or pools comes last, so that it does not undo the others.
    return sorted(chosen, key=["nothing-offered", "many-nodepools", "several-pods"].__contains__)


def _plain(draw: Draw, name: str) -> CaseDraft:
    """One small pod, one NodePool, some types: launchable until a feature interferes."""
    pool = NodePoolDraft(name="general")
    if draw.chance(0.5):
        pool.requirements.append(expression(CAPACITY_TYPE, "In", "on-demand", "spot"))
    if draw.chance(0.2):
        pool.requirements.append(expression(ARCH, "In", "amd64"))
    names = {"m5.large", "m5.4xlarge", *draw.some(sorted(catalogue()), 3, 30 if draw.chance(0.15) else 12)}
    types = [InstanceTypeDraft(name=it) for it in sorted(names)]
    return CaseDraft(id=name, pods=[PodDraft(name="pod-1")], pools=[pool], types=types)


def _print_mix(seed: int, count: int, feature: str | None) -> None:
    verdicts: Counter[str] = Counter()
    by_feature: dict[str, Counter[str]] = {}
    cases = list(generate(seed, count, feature=feature))
    with Oracle() as oracle:
        for case, verdict in zip(cases, oracle.decide_all(cases), strict=True):
            word = (verdict.failure or verdict.schedule_error or verdict.of("default/pod-1"))[:60]
            verdicts[word] += 1
            for one in str(case["feature"]).split("+"):
                by_feature.setdefault(one, Counter())[word] += 1
    print(f"{'all':<28} {dict(verdicts.most_common())}")
    for one, words in sorted(by_feature.items()):
        print(f"{one:<28} {dict(words.most_common())}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle.generate", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--feature", choices=sorted(FEATURES), help="cases that have this feature only")
    parser.add_argument("--list-features", action="store_true")
    parser.add_argument("--mix", action="store_true", help="print how often Karpenter gives which verdict")
    options = parser.parse_args(arguments)
    if options.list_features:
        print("\n".join(FEATURES))
        return 0
    if options.mix:
        _print_mix(options.seed, options.count, options.feature)
        return 0
    for case in generate(options.seed, options.count, feature=options.feature):
        sys.stdout.buffer.write(msgspec.json.encode(case) + b"\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
