"""Where Karpenter's releases decide differently, as far as a decision here depends on it; messages are bot.karpenter's.

Each name is the first release that has the newer way. Compared with `version >= NAME`.
"""

from typing import Final

Version = tuple[int, ...]

NEWEST: Final = (1, 14)
"""The release that decisions are proved against, case by case (tests/oracle/go.mod); assumed where none is known."""
RESOURCES_WITH_OFFERING: Final = (1, 14)
"""nodeclaim.go, filterInstanceTypesByRequirements: a type has enough resources only where an offering of it counts too."""
DAEMONS_BY_TYPE: Final = (1, 14)
"""scheduler.go, buildDaemonOverheadGroups: a DaemonSet counts on the instance types that it selects, not on all or none."""
READY_LABELS: Final = (1, 14)
"""nodeclaimtemplate.go, NewNodeClaimTemplate: every new node counts as registered and initialized."""
MIN_VALUES_WITHIN: Final = (1, 15)
"""types.go, SatisfiesMinValues: of a type's values only those count that the requirement allows."""
FULL_RESERVATION_FALLS_BACK: Final = (1, 15)
"""nodeclaim.go, offeringsToReserve: a full reservation makes the pod wait only where nothing unreserved is left."""
