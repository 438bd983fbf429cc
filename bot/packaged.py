"""The texts that come with the bot: playbooks inside the wheel, or in the source tree beside it."""

import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from bot.playbooks import Shelf, read_playbooks

_SUFFIXES: Final = (".md.j2", ".yaml")
TESTS: Final = ".tests.yaml"
"""How a file with tests of pages ends; it is no page itself."""
_MOUNTED: Final = "..data"
"""The link that kubelet swaps when a ConfigMap changes (kubernetes: pkg/volume/util/atomic_writer.go)."""
_FLAT: Final = re.compile(r"([a-z]{2,3})\.(.+)")
"""A ConfigMap's keys have no slash: `ko.efa-unsupported.md.j2` is `ko/efa-unsupported.md.j2`."""


def shipped_playbooks() -> dict[str, str]:
    """Path to text of every playbook that ships, `en/gpu-count-exceeds-instance.md.j2` and so on."""
    inside = files("bot") / "_playbooks"
    root: Traversable = inside if inside.is_dir() else Path(__file__).parent.parent / "playbooks"
    return {
        f"{language.name}/{name}": text
        for language in root.iterdir()
        if language.is_dir()
        for name, text in _texts(language)
    }


def shipped_roles() -> dict[str, str]:
    """File name to text of the roles that the bot is deployed with (deploy/manifests/rbac-*.yaml)."""
    inside = files("bot") / "_roles"
    root: Traversable = inside if inside.is_dir() else Path(__file__).parent.parent / "deploy" / "manifests"
    return {f.name: f.read_text(encoding="utf-8") for f in root.iterdir() if f.name.startswith("rbac-")}


def own_playbooks(folders: tuple[str, ...]) -> dict[str, str]:
    """Path to text of an operator's own playbooks; a later folder wins. Raises OSError where a folder cannot be read."""
    return {
        name: file.read_text(encoding="utf-8") for folder in folders for name, file in own_files(Path(folder)).items()
    }


def own_files(folder: Path, suffixes: tuple[str, ...] = _SUFFIXES) -> dict[str, Path]:
    """The files of one folder of playbooks by their names in it (`ko/efa-unsupported.md.j2`); a mounted ConfigMap is one."""
    root = (folder / _MOUNTED).resolve() if (folder / _MOUNTED).is_dir() else folder
    found = {}
    for file in sorted(root.rglob("*")):
        name = file.relative_to(root).as_posix()
        wanted = name.endswith(suffixes) and name.endswith(TESTS) == (TESTS in suffixes)
        if wanted and file.is_file() and not any(part.startswith("..") for part in name.split("/")):
            flat = _FLAT.fullmatch(name) if "/" not in name else None
            found[f"{flat[1]}/{flat[2]}" if flat else name] = file
    return found


def load_playbooks(folders: tuple[str, ...] = ()) -> Shelf:
    """The shipped playbooks with the operator's own over them."""
    return read_playbooks(shipped_playbooks(), own_playbooks(folders))


def _texts(folder: Traversable) -> list[tuple[str, str]]:
    return [(f.name, f.read_text(encoding="utf-8")) for f in folder.iterdir() if f.name.endswith(_SUFFIXES)]
