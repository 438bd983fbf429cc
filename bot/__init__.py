"""karpenter-bot: says why a pod is Pending and which smallest change makes Karpenter give it a node."""

__version__ = "0.1.0"
