"""What could not be read, in words: one table of the reasons, each with its code and its English sentence.

A gap carries code and facts, so that every language words it itself (`missing-why.<code>`, `missing-what.<name>`); English is
what logs and JSON have, and what is shown where a language lacks the sentence.
"""

from collections.abc import Mapping
from typing import Final

from bot.model.world import Missing

WHYS: Final[Mapping[str, str]] = {
    "absent": "not in the snapshot",
    "no-file": "no {file} in the snapshot",
    "too-long": "longer than {mib} MiB",
    "no-permission": "no permission to {asked}",
    "not-served": "the cluster does not serve {resource}",
    "no-answer": "{error} when asked to {asked}",
    "http": "HTTP {status} when asked to {asked}: {error}",
    "malformed": "malformed: {error}",
    "aged": "as of {age} ago: since then, {error}",
    "no-karpenter": "Karpenter is not installed: the cluster serves no {resource}",
    "too-much-log": "more than {mib} MiB in an hour",
    "auto-mode": "EKS Auto Mode runs Karpenter outside of the cluster; its events are read instead",
    "no-service": "there is no Service {service} in namespace {namespace}",
    "no-metric": "no replica that answered publishes {metric}",
    "no-controller": "no pod with the label {label} in {where}",
    "elsewhere": "its value lies in another object, which the bot does not read",
    "not-simulated": "default spread constraints are not simulated",
    "no-region": "the region is not known",
    "other-region": "the cluster is in {own}, not in {chosen}",
    "no-cluster": "no cluster was asked",
    "cluster-silent": "{error}",
    "unpriced": "the Pricing API has no dollar prices for {region}",
    "in-yuan": "prices in China are in yuan, which the bot does not tell",
    "aws-denied": "no access to {action}: {code}",
    "aws-expired": "AWS does not accept the credentials for {action}: {code}",
    "aws-expired-or-region": "AWS does not accept the credentials for {action}: {code} (AWS says the same where the region "
    "{region} is not enabled for the account)",
    "aws-throttled": "AWS limits the rate of {action} just now: {code}",
    "aws-skewed": "the clock of this machine differs from AWS's, so AWS does not accept {action}: {code}",
    "aws-http": "AWS answers {action} with HTTP {code}",
    "aws-other": "{action}: {message}",
    "aws-no-credentials": "no AWS credentials were found for {action}",
    "aws-slow": "AWS takes too long to answer {action}; the next question may have it",
    "aws-silent": "AWS does not answer {action}: {message}",
    "aws-garbled": "AWS answers {action} with something that is no answer of its",
    "aws-failed": "{action}: {name}: {message}",
}
"""Code -> why, in English. The words in braces are the gap's facts."""
WHATS: Final = (
    "Capacity Blocks for sale",
    "EC2",
    "EC2 instance types",
    "Karpenter's log",
    "Karpenter's metrics",
    "availability zones",
    "capacity reservations",
    "on-demand prices",
    "spot placement scores",
    "spot prices",
    "spot prices of the last day",
    "subnets",
    "the AWS account",
    "nodes and NodePools",
    "the rest of the text",
    "use of vCPU quotas",
    "vCPU quotas",
    "which zones offer which instance types",
    "zones",
)
"""Names of what is read that are no names of resources: languages have words of their own for these."""
PARTS: Final[Mapping[str, str]] = {
    "newer": "newer {what}",
    "newest": "the newest part of {what}",
    "setting": "Karpenter's {what}",
}
"""What of a thing is meant, where not the whole of it."""
STALE: Final = "; used are those of {minutes} min ago"


def why(code: str, /, **facts: str) -> str:
    """The reason in English."""
    return WHYS[code].format(**facts).rstrip(": ")


def gap_in(what: str, code: str, /, *, part: str = "", absent: bool = False, **facts: str) -> Missing:
    """A gap with its words."""
    return gap_of(what, (code, facts), part=part, absent=absent)


def gap_of(what: str, reason: tuple[str, Mapping[str, str]], *, part: str = "", absent: bool = False) -> Missing:
    """As gap_in, the code and its facts together. `minutes` among the facts: older data of that age is used instead."""
    code, facts = reason
    said = why(code, **facts) + (STALE.format(**facts) if "minutes" in facts else "")
    whole = PARTS[part].format(what=what) if part else what
    return Missing(what=whole, why=said, absent=absent, code=code, facts={**facts, "of": what, "part": part})
