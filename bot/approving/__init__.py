"""Approve-to-apply: proposals from a click to a pod that runs. Asks the pure rooms what may be, and does it.

`hands` writes to a cluster, `carrying` applies an approved change exactly once, `watching` sees what came of it, `desk`
is what Slack's buttons call.
"""
