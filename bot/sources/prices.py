"""On-demand prices out of the Pricing API's product list. No I/O."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from bot.model.ec2 import OnDemandPrice
from bot.model.objects import MalformedObjectError

FILTERS: Final = {
    "operatingSystem": "Linux",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "marketoption": "OnDemand",
}
"""Which products count (karpenter-provider-aws pkg/providers/pricing/pricing.go, fetchOnDemandPricing, v1.15)."""
SHARED: Final = {"tenancy": "Shared", "productFamily": "Compute Instance"}
BARE_METAL: Final = {"tenancy": "Dedicated", "productFamily": "Compute Instance (bare metal)"}
"""Bare metal types are sold as dedicated only (same source)."""


class _Attributes(msgspec.Struct, rename="camel", gc=False):
    instance_type: str = ""
    region_code: str = ""
    operating_system: str = "Linux"
    pre_installed_sw: str = "NA"
    capacitystatus: str = "Used"
    marketoption: str = "OnDemand"
    tenancy: str = "Shared"


class _Product(msgspec.Struct, rename="camel", gc=False):
    product_family: str = "Compute Instance"
    attributes: _Attributes = msgspec.field(default_factory=_Attributes)


class _Dimension(msgspec.Struct, rename="camel", gc=False):
    unit: str = "Hrs"
    price_per_unit: dict[str, str] = {}


class _Term(msgspec.Struct, rename="camel", gc=False):
    price_dimensions: dict[str, _Dimension] = {}
    effective_date: str = ""


class _Terms(msgspec.Struct, gc=False):
    on_demand: dict[str, _Term] = msgspec.field(name="OnDemand", default_factory=dict)


class _Entry(msgspec.Struct, gc=False):
    product: _Product = msgspec.field(default_factory=_Product)
    terms: _Terms = msgspec.field(default_factory=_Terms)


_ENTRY: Final = msgspec.json.Decoder(_Entry)


def parse_prices(price_list: Iterable[object], region: str = "") -> tuple[OnDemandPrice, ...]:
    """The Linux prices of a PriceList's entries, which are JSON texts (or, from some tools, objects), one for each type.

    Entries of other regions, operating systems, tenancies and markets are passed over, a price of 0 too, as Karpenter does.
    Raises MalformedObjectError.
    """
    found: dict[str, OnDemandPrice] = {}
    for text in price_list:
        try:
            entry = _ENTRY.decode(text) if isinstance(text, str | bytes) else msgspec.convert(text, _Entry)
        except msgspec.DecodeError as error:
            raise MalformedObjectError(f"an entry of PriceList: {error}") from error
        if _counts(entry.product, region):
            found.update((price.instance_type, price) for price in _prices(entry))
    return tuple(found.values())


def _counts(product: _Product, region: str) -> bool:
    said = product.attributes
    chosen = (said.operating_system, said.pre_installed_sw, said.capacitystatus, said.marketoption)
    sold = {"tenancy": said.tenancy, "productFamily": product.product_family}
    here = not region or said.region_code in ("", region)
    return here and bool(said.instance_type) and chosen == tuple(FILTERS.values()) and sold in (SHARED, BARE_METAL)


def _prices(entry: _Entry) -> Iterator[OnDemandPrice]:
    name = entry.product.attributes.instance_type
    for term in entry.terms.on_demand.values():
        for dimension in term.price_dimensions.values():
            dollars = _number(dimension.price_per_unit.get("USD", ""))
            if dimension.unit == "Hrs" and dollars > 0:
                yield OnDemandPrice(instance_type=name, price_per_hour=dollars, effective=term.effective_date)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def price_entry(price: OnDemandPrice, region: str) -> str:
    """The inverse: an entry of PriceList that says just this price."""
    attributes = {"instanceType": price.instance_type, "regionCode": region, **FILTERS}
    sold = BARE_METAL if ".metal" in price.instance_type else SHARED
    dimension = {"unit": "Hrs", "pricePerUnit": {"USD": f"{price.price_per_hour:.10f}"}}
    entry = {
        "product": {
            "productFamily": sold["productFamily"],
            "attributes": {**attributes, "tenancy": sold["tenancy"]},
        },
        "terms": {"OnDemand": {"t": {"priceDimensions": {"d": dimension}, "effectiveDate": price.effective}}},
    }
    return msgspec.json.encode(entry).decode()
