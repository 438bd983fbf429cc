"""The bed's programs and published manifests: built once from pinned Go modules, then reused.

    python -m tests.cluster.build        (any Python 3.11: it needs nothing but the standard library)

Each folder under `go/` is a Go module that pins versions (`go.mod`) and contents (`go.sum`). The programs land in
`.cache/cluster/bin`, the CustomResourceDefinitions and kwok's stages in `.cache/cluster/manifests`: both are ignored
by git, so nothing published elsewhere is copied into the repository. A program is rebuilt only when the pins of its
own module change. etcd and kube-apiserver are taken from `KUBEBUILDER_ASSETS` when that folder has them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
REPOSITORY: Final = HERE.parents[1]
CACHE: Final = Path(os.environ.get("TESTS_CLUSTER_CACHE", REPOSITORY / ".cache" / "cluster"))

HOW_TO_GET_GO: Final = (
    "The test bed builds kube-apiserver, Karpenter and others from source and needs Go 1.26.6 or newer: "
    "install it from https://go.dev/doc/install (or `apt-get install golang` where that is new enough), "
    "put `go` on PATH, then run `make native` once (about 10 minutes on 2 cores)."
)


class BinariesMissingError(Exception):
    """The bed cannot run here; the message says what to install."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    name: str
    module: str
    """Folder under `go/` whose go.mod pins it."""
    package: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    name: str
    module: str
    go_module: str
    path: str


PROGRAMS: Final = (
    Program(name="etcd", module="cluster", package="go.etcd.io/etcd/server/v3"),
    Program(name="kube-apiserver", module="cluster", package="k8s.io/kubernetes/cmd/kube-apiserver"),
    Program(name="kube-controller-manager", module="cluster", package="k8s.io/kubernetes/cmd/kube-controller-manager"),
    Program(name="kube-scheduler", module="cluster", package="k8s.io/kubernetes/cmd/kube-scheduler"),
    Program(name="kubectl", module="cluster", package="k8s.io/kubernetes/cmd/kubectl"),
    Program(name="karpenter", module="cluster", package="sigs.k8s.io/karpenter/kwok"),
    Program(name="kwok", module="kwok", package="sigs.k8s.io/kwok/cmd/kwok"),
)


def _crds(module: str, go_module: str, folder: str, *files: str, prefix: str = "crd") -> tuple[Manifest, ...]:
    return tuple(
        Manifest(name=f"{prefix}-{file}", module=module, go_module=go_module, path=f"{folder}/{file}") for file in files
    )


def _operator(go_module: str, folder: str, *files: str) -> tuple[Manifest, ...]:
    """Definitions that only one test serves (tests/cluster/test_operators.py)."""
    return _crds("operators", go_module, folder, *files, prefix="operator")


MANIFESTS: Final = (
    # The AWS provider's edition of Karpenter's definitions: the core ones plus its rules for karpenter.k8s.aws labels.
    *_crds(
        "definitions",
        "github.com/aws/karpenter-provider-aws",
        "pkg/apis/crds",
        "karpenter.sh_nodepools.yaml",
        "karpenter.sh_nodeclaims.yaml",
        "karpenter.sh_nodeoverlays.yaml",
        "autoscaling.x-k8s.io_capacitybuffers.yaml",
        "karpenter.k8s.aws_ec2nodeclasses.yaml",
    ),
    *_crds("cluster", "sigs.k8s.io/karpenter", "kwok/apis/crds", "karpenter.kwok.sh_kwoknodeclasses.yaml"),
    *_crds("definitions", "sigs.k8s.io/jobset", "config/components/crd/bases", "jobset.x-k8s.io_jobsets.yaml"),
    *_crds(
        "definitions", "github.com/kubeflow/trainer/v2", "manifests/base/crds", "trainer.kubeflow.org_trainjobs.yaml"
    ),
    *_operator(
        "github.com/kubeflow/training-operator",
        "manifests/base/crds",
        *(f"kubeflow.org_{kind}jobs.yaml" for kind in ("jax", "mpi", "paddle", "pytorch", "tf", "xgboost")),
    ),
    *_operator(
        "github.com/ray-project/kuberay/ray-operator",
        "config/crd/bases",
        *(f"ray.io_ray{kind}.yaml" for kind in ("clusters", "jobs", "services")),
    ),
    *_operator("sigs.k8s.io/lws", "config/crd/bases", "leaderworkerset.x-k8s.io_leaderworkersets.yaml"),
    *_operator("github.com/argoproj/argo-rollouts", "manifests/crds", "rollout-crd.yaml"),
    *_operator(
        "github.com/argoproj/argo-workflows/v3",
        "manifests/base/crds/minimal",
        *(f"argoproj.io_{kind}.yaml" for kind in ("cronworkflows", "workflows")),
    ),
    Manifest(
        name="stage-node-initialize.yaml",
        module="kwok",
        go_module="sigs.k8s.io/kwok",
        path="kustomize/stage/node/fast/node-initialize.yaml",
    ),
    # kwok's `pod-complete` is left out: it ends every Job's pod at once, and a training run is one long Job.
    *(
        Manifest(
            name=f"stage-{stage}.yaml",
            module="kwok",
            go_module="sigs.k8s.io/kwok",
            path=f"kustomize/stage/pod/fast/{stage}.yaml",
        )
        for stage in ("pod-ready", "pod-delete")
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assets:
    programs: dict[str, Path]
    manifests: Path

    def program(self, name: str) -> str:
        return str(self.programs[name])

    def manifest_texts(self, prefix: str) -> list[str]:
        """The published files whose name starts with `prefix` ("crd-", "operator-" or "stage-"), in a fixed order."""
        return [path.read_text("utf-8") for path in sorted(self.manifests.glob(f"{prefix}*.yaml"))]


def ensure_assets(*, build: bool = True) -> Assets:
    """Returns the programs and manifests, building what is missing.

    Raises BinariesMissingError without Go, or, with `build` off, when something would have to be built.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    given = _given_programs()
    with _lock(CACHE / "build.lock"):
        programs = [p for p in PROGRAMS if p.name not in given and not _fresh(CACHE / "bin" / p.name, p.module)]
        manifests = [m for m in MANIFESTS if not _fresh(CACHE / "manifests" / m.name, m.module)]
        if (programs or manifests) and not build:
            raise BinariesMissingError(f"The test bed's programs are not built yet. {HOW_TO_GET_GO}")
        for program in programs:
            _build(program)
        for manifest in manifests:
            _export(manifest)
    found = {program.name: given.get(program.name, CACHE / "bin" / program.name) for program in PROGRAMS}
    return Assets(programs=found, manifests=CACHE / "manifests")


def pinned_version(module: str, go_module: str) -> str:
    """The version that `go/<module>/go.mod` pins, for example v1.14.1."""
    text = (HERE / "go" / module / "go.mod").read_text("utf-8")
    found = re.search(rf"^\s*(?:require )?{re.escape(go_module)} (v\S+)", text, re.MULTILINE)
    assert found, f"{module} does not pin {go_module}"
    return found[1]


def _given_programs() -> dict[str, Path]:
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    if not folder:
        return {}
    found = {name: Path(folder) / name for name in ("etcd", "kube-apiserver", "kubectl")}
    return {name: path for name, path in found.items() if os.access(path, os.X_OK)}


def _build(program: Program) -> None:
    target = CACHE / "bin" / program.name
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    print(f"building {program.name} ...", file=sys.stderr, flush=True)
    started = time.monotonic()
    # -p 2: the linker and compiler of two packages at once is what 2 cores and 4 GB bear.
    flags = f"-s -w {_version_flags()}" if program.package.startswith("k8s.io/") else "-s -w"
    _go(program.module, "build", "-p", "2", "-trimpath", "-ldflags", flags, "-o", str(partial), program.package)
    partial.replace(target)
    _stamp(target).write_text(_pins(program.module), "utf-8")
    print(f"built {program.name} in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


def _version_flags() -> str:
    """A kube-apiserver built without these calls itself v0.0.0-master, which clients take for an ancient server."""
    version = pinned_version("cluster", "k8s.io/kubernetes")
    major, minor, _ = version.removeprefix("v").split(".", 2)
    package = "k8s.io/component-base/version"
    return f"-X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}"


def _export(manifest: Manifest) -> None:
    _go(manifest.module, "mod", "download", manifest.go_module)
    folder = _go(manifest.module, "list", "-m", "-f", "{{.Dir}}", manifest.go_module)
    target = CACHE / "manifests" / manifest.name
    target.parent.mkdir(parents=True, exist_ok=True)
    # copyfile, not copy: files in Go's module cache are read-only, and this one will be overwritten one day.
    shutil.copyfile(Path(folder) / manifest.path, target)
    _stamp(target).write_text(_pins(manifest.module), "utf-8")


def _go(module: str, *arguments: str) -> str:
    if shutil.which("go") is None:
        raise BinariesMissingError(HOW_TO_GET_GO)
    done = subprocess.run(
        ["go", *arguments],
        cwd=HERE / "go" / module,
        env={**os.environ, "CGO_ENABLED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BinariesMissingError(f"`go {' '.join(arguments)}` failed:\n{done.stderr[-2000:]}\n{HOW_TO_GET_GO}")
    return done.stdout.strip()


def _pins(module: str) -> str:
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        digest.update((HERE / "go" / module / name).read_bytes())
    return digest.hexdigest()


def _stamp(target: Path) -> Path:
    return target.with_name(f".{target.name}.pins")


def _fresh(target: Path, module: str) -> bool:
    stamp = _stamp(target)
    return target.exists() and stamp.exists() and stamp.read_text("utf-8") == _pins(module)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """One builder at a time: a second test run waits for the first instead of compiling the same thing."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Builds what is missing and prints where the programs are; 1 and the reason when they cannot be built."""
    try:
        print("\n".join(f"{name}: {path}" for name, path in ensure_assets().programs.items()))
    except BinariesMissingError as reason:
        print(reason, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
