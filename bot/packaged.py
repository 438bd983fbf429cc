"""The texts that come with the bot: playbooks inside the wheel, or in the source tree beside it."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from bot.playbooks import Playbooks, read_playbooks

_SUFFIXES: Final = (".md.j2", ".yaml")


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
        str(file.relative_to(folder)): file.read_text(encoding="utf-8")
        for folder in map(Path, folders)
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name.endswith(_SUFFIXES)
    }


def load_playbooks(folders: tuple[str, ...] = ()) -> Playbooks:
    """The shipped playbooks with the operator's own over them."""
    return read_playbooks(shipped_playbooks(), own_playbooks(folders))


def _texts(folder: Traversable) -> list[tuple[str, str]]:
    return [(f.name, f.read_text(encoding="utf-8")) for f in folder.iterdir() if f.name.endswith(_SUFFIXES)]
