"""A refusal with one or more NodePools in it: which of them the pod was meant for, and what that one has against it.

Karpenter tries every NodePool and prints all refusals. Most are noise: other pods' NodePools refuse with their taint or
label. Karpenter checks in the order limits, taints, labels, volumes, topology, instance types (scheduler.go
addToNewNodeClaim, nodeclaim.go CanAdd), so a NodePool that refused late had taken the pod up to there. Where the text does
not decide which NodePool was meant, none of their reasons is called the cause.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from bot.diagnosis.pasted.findings import (
    DECISIVE,
    IGNORED,
    FarFinding,
    of_conflict,
    of_far,
    of_ignored,
    of_limits,
    of_taint,
)
from bot.diagnosis.pasted.instance_types import Judged, Market, Verdict, of_market, of_text
from bot.diagnosis.pasted.told import Need, Told, merged
from bot.karpenter import (
    Clause,
    Finding,
    IncompatibleRequirements,
    InstanceTypeRefusal,
    KeyConflict,
    LabelUnknown,
    LimitsExceeded,
    NodeLimitsExhausted,
    Refusal,
    ResourceLimitExceeded,
    TaintNotTolerated,
    Unrecognised,
    Where,
)
