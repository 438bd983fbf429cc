"""The Kubernetes API over plain manifests, as tests import it; it lives in `bot.playground.kube`, which ships."""

from bot.playground.kube import CLUSTER_SCOPED, FakeKube, Fault, Manifest, labels_match, plural_of, serving

__all__ = ["CLUSTER_SCOPED", "FakeKube", "Fault", "Manifest", "labels_match", "plural_of", "serving"]
