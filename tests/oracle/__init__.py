"""Karpenter's own scheduler and AWS's own instance-type resolver, as the reference that our decisions are held against."""
