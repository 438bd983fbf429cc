"""A recorded case: its files, put together from the base cluster and what the case adds, and written."""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from tests.cases.builder.capacity import Machine, default_machine, node, node_claim, system_machines
from tests.cases.builder.daemons import DAEMONS, daemon_pods, daemon_sets
from tests.cases.builder.objects import Manifest, dump, dump_list, meta_of, name_of
from tests.cases.builder.pools import Pool, ec2_node_class, node_pool
from tests.cases.builder.system import (
    SERVICES,
    Release,
    deployment,
    karpenter_service,
    namespaces,
    replica_set,
    service_pods,
)
from tests.cases.builder.training import training_runtime
from tests.cases.builder.words import said

CASES: Final = Path(__file__).parents[1]
Files = dict[str, list[Manifest]]

V0_37: Final = Release("0.37.6", "5f55b1d")
V1_2: Final = Release("1.2.1", "058c665")
V1_3: Final = Release("1.3.3", "ad71530")
V1_6: Final = Release("1.6.3", "13242ea")
V1_8: Final = Release("1.8.1", "1ad0d78")
V1_14: Final = Release("1.14.1", "bde0065")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One folder under tests/cases. `log` None: the folder's own karpenter.log is kept (the seed's is a real one)."""

    name: str
    about: str
    question: str
    now: datetime
    expect: Mapping[str, object]
    files: Mapping[str, Sequence[Manifest]]
    log: Sequence[str] | None = ()
    version: str = ""
    log_name: str = "karpenter.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The training cluster as a case finds it. Its own objects are as old as the day asks for, not the minute."""

    now: datetime
    release: Release | None
    pools: Sequence[Pool] = ()
    machines: Sequence[Machine] = ()
    default_node: bool = True
    beta: bool = False
    log_level: str = "info"
    discovery: str = "training-on-eks"
    """The tag by which EC2NodeClass `gpu` looks for subnets."""
    extra: Mapping[str, Sequence[Manifest]] = field(default_factory=dict)

    @property
    def created(self) -> datetime:
        return self.now.replace(hour=2, minute=17, second=9, microsecond=0) - timedelta(days=26)

    @property
    def all_machines(self) -> tuple[Machine, ...]:
        own = (default_machine(self.created + timedelta(days=19)),) if self.default_node else ()
        return (*system_machines(self.created + timedelta(minutes=14)), *own, *self.machines)

    def files(self) -> Files:
        """Everything but the question: nodes, NodePools, daemons and the controllers, by file."""
        pools = {pool.name: node_pool(pool, self.created, beta=self.beta) for pool in self.pools}
        claims = {m.name: node_claim(m, pools[m.pool], beta=self.beta) for m in self.all_machines if m.pool}
        nodes = [node(m, claims.get(m.name)) for m in self.all_machines if m.registered]
        daemons = list(daemon_sets(self.created, {}))
        running = list(daemon_pods(daemons, nodes, self.created + timedelta(days=19)))
        per_daemon = {d.name: sum(name_of(p).startswith(f"{d.name}-") for p in running) for d in DAEMONS}
        made: Files = {
            "namespaces": list(namespaces(self.created)),
            "nodes": nodes,
            "daemonsets": list(daemon_sets(self.created, per_daemon)),
            "pods": running,
            "clustertrainingruntimes": [training_runtime(self.created)],
            **self._controllers([name_of(one) for one in nodes]),
        }
        if self.pools:
            made |= {
                "nodepools": list(pools.values()),
                "ec2nodeclasses": list(self._node_classes()),
                "nodeclaims": list(claims.values()),
                "events": list(self._skipped(pools)),
            }
        return merged(made, self.extra)

    def _node_classes(self) -> Iterator[Manifest]:
        for name in sorted({pool.node_class for pool in self.pools}):
            discovery = self.discovery if name == "gpu" else "training-on-eks"
            yield ec2_node_class(name, self.created, discovery=discovery, beta=self.beta)

    def _controllers(self, nodes: Sequence[str]) -> Files:
        services = SERVICES if self.release is None else (*SERVICES, karpenter_service(self.release))
        made: Files = {"deployments": [], "replicasets": [], "pods": []}
        for service in services:
            owner = deployment(service, self.created, self.log_level)
            replicas = replica_set(owner, self.created)
            made["deployments"].append(owner)
            made["replicasets"].append(replicas)
            made["pods"] += service_pods(
                replicas, service, nodes[:2], self.created + timedelta(minutes=20), self.log_level
            )
        return made

    def _skipped(self, pools: Mapping[str, Manifest]) -> Iterator[Manifest]:
        """NodePools for what the region does not have are left out each round, and say so once a minute."""
        if self.release is None or self.release in (V0_37,):
            return
        text = "NodePool requirements filtered out all compatible available instance types"
        for name in ("neuron", "gpu-reserved"):
            if name in pools:
                last = self.now - timedelta(seconds=31)
                first = last - timedelta(minutes=42)
                yield said(pools[name], first, "NoCompatibleInstanceTypes", text, again=(42, last))


def merged(*parts: Mapping[str, Iterable[Manifest]]) -> Files:
    """The files of several parts, the objects of one file one after the other."""
    whole: Files = {}
    for part in parts:
        for name, manifests in part.items():
            whole.setdefault(name, []).extend(manifests)
    return whole


def manifest_of(files: Mapping[str, Sequence[Manifest]], file: str, name: str) -> Manifest:
    return next(one for one in files[file] if name_of(one) == name)


def expect(
    verdict: str,
    nodepool: str,
    causes: Sequence[str] = (),
    *,
    remedies: Sequence[str] = (),
    not_causes: Sequence[str] = (),
    facts: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """What a right answer says. Worked out by hand from Karpenter's rules and EC2's data."""
    return {
        "verdict": verdict,
        "nodepool": nodepool,
        "causes": list(causes),
        "not_causes": list(not_causes),
        "remedies": list(remedies),
        **({"facts": dict(facts)} if facts else {}),
    }


def write(case: Case) -> None:
    """Writes the case's folder anew; what other commands put there (golden answers) stays."""
    folder = CASES / case.name
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.yaml"):
        old.unlink()
    for name, manifests in case.files.items():
        ordered = sorted(manifests, key=_order)
        (folder / f"{name}.yaml").write_text(dump_list(ordered))
    head = {"apiVersion": "karpenter-bot.dev/v1", "kind": "Case", "metadata": {"name": case.name}}
    question = {**head, "question": f"default/{case.question}", "about": case.about, "expect": dict(case.expect)}
    (folder / "case.yaml").write_text(_in_order(question))
    meta = {"region": "ap-northeast-2", "clusterName": "training-on-eks", "now": f"{case.now:%Y-%m-%dT%H:%M:%SZ}"}
    if case.version:
        meta["karpenterVersion"] = case.version
    (folder / "meta.yaml").write_text(_in_order(meta))
    if case.log is not None:
        log = folder / case.log_name
        log.unlink(missing_ok=True)
        if case.log:
            log.write_text("\n".join(case.log) + "\n")
    ec2 = folder / "ec2"
    if ec2.is_dir() and not ec2.is_symlink():
        shutil.rmtree(ec2)
    ec2.unlink(missing_ok=True)
    ec2.symlink_to(Path("../../data/ec2/ap-northeast-2"))


def _order(manifest: Manifest) -> tuple[str, str]:
    meta = meta_of(manifest)
    return str(meta.get("namespace", "")), str(meta["name"])


def _in_order(content: Mapping[str, object]) -> str:
    return "".join(dump({key: value}) for key, value in content.items())
