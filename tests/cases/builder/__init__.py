"""Writes the recorded cases: plain manifests, events and log lines of one training cluster at many moments."""
