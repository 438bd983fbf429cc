"""deploy/manifests/bot.yaml, drawn from the chart: for those who install without Helm. `make manifests` writes it."""

from __future__ import annotations

import yaml

from tests.deploy.tools import MANIFESTS, Manifest, rendered

FILE = MANIFESTS / "bot.yaml"
_HEAD = """\
# The bot itself, for those who install without Helm: drawn from deploy/chart by `make manifests`, do not edit.
# Apply rbac-read.yaml first (it makes the namespace and the service account), and make the Secret karpenter-bot-slack
# with the keys bot-token and app-token. Set `image` to where you have pushed yours.
"""


class _Readable(yaml.SafeDumper):
    """Texts of several lines stay lines."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Readable.add_representer(str, _text)


def drawn() -> str:
    """The file's text: the chart's objects without what rbac-read.yaml has, and without Helm's labels."""
    objects = [_plain(o) for o in rendered("--set", "rbac.create=false") if o["kind"] != "ServiceAccount"]
    return _HEAD + "---\n".join(yaml.dump(o, Dumper=_Readable, sort_keys=False) for o in objects)


def _plain(manifest: Manifest) -> Manifest:
    labels = manifest["metadata"]["labels"]
    for key in ("app.kubernetes.io/managed-by", "helm.sh/chart"):
        labels.pop(key, None)
    return manifest


if __name__ == "__main__":
    FILE.write_text(drawn(), "utf-8")
