"""The EC2 room: what can be launched where, at what price, and why not. PURE: a World in, tables and views out.

`offerings_table` answers "is there any p5 today, and what would it cost?"; `nodepool_views` what each NodePool can launch,
has launched, and what went wrong. Their words are sheets (words.py), their JSON is the contract of `-o json` (contract.py).
"""

from bot.market.names import Asked, UnknownName, asked_for
from bot.market.nodepools import NodePools, NodePoolView, UnknownNodePool, nodepool_views
from bot.market.offerings import OfferingRow, OfferingsTable, narrowed, offerings_table

__all__ = [
    "Asked",
    "NodePoolView",
    "NodePools",
    "OfferingRow",
    "OfferingsTable",
    "UnknownName",
    "UnknownNodePool",
    "asked_for",
    "narrowed",
    "nodepool_views",
    "offerings_table",
]
