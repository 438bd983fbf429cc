"""The bed's AWS: moto's server, with the four answers that moto does not have (or not usefully) added in front of it.

    python -m tests.cluster.ec2_server --port PORT --instance-types FILE

moto has EC2's real instance types, offerings and zones. It has no Pricing API, no capacity reservations, no list of
quotas, and one spot price for everything. These four are answered here: prices are those of the file that Karpenter's
kwok provider reads, so that the bot and Karpenter hold the same launch for the cheapest; there are no reservations; the
quotas are generous. Everything else is moto's own answer. Its list of all instance types takes moto seconds, so a
Describe call is answered once and then kept (nothing on the bed changes what EC2 offers).
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from xml.sax.saxutils import escape

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple

from tests.cluster.components import LOOPBACK, REGION

Headers: TypeAlias = list[tuple[str, str]]
Answer: TypeAlias = tuple[str, Headers, bytes]

_KEPT_ACTIONS: Final = frozenset(
    {"DescribeInstanceTypes", "DescribeInstanceTypeOfferings", "DescribeAvailabilityZones"}
)
_QUOTAS: Final = {
    "L-1216C47A": "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
    "L-34B43A08": "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests",
    "L-DB2E81BA": "Running On-Demand G and VT instances",
    "L-3819A6DF": "All G and VT Spot Instance Requests",
    "L-417A185B": "Running On-Demand P instances",
    "L-7212CCBC": "All P4, P3 and P2 Spot Instance Requests",
    "L-C4BD4855": "All P5 Spot Instance Requests",
}
_VCPUS: Final = 10_000.0
_AS_OF: Final = "2026-01-01T00:00:00.000Z"


@dataclass(frozen=True)
class Prices:
    """What the kwok provider takes each offering to cost: (type, zone) -> dollars an hour, by capacity type."""

    path: Path

    @cached_property
    def spot(self) -> dict[tuple[str, str], float]:
        return dict(self._of("spot"))

    @cached_property
    def on_demand(self) -> dict[str, float]:
        return {name: price for (name, _), price in self._of("on-demand")}

    def _of(self, capacity_type: str) -> Iterator[tuple[tuple[str, str], float]]:
        for row in json.loads(self.path.read_text("utf-8")):
            for offering in row["offerings"]:
                labels = {one["key"]: one.get("values") for one in offering["Requirements"]}
                if labels["karpenter.sh/capacity-type"] == [capacity_type]:
                    yield (row["name"], labels["topology.kubernetes.io/zone"][0]), offering["Price"]


@dataclass(frozen=True, slots=True)
class Aws:
    """The WSGI application. `kept` holds answers by the request's body: two threads may both ask moto, to no harm."""

    moto: WSGIApplication
    prices: Prices
    kept: dict[tuple[str, bytes], Answer] = field(default_factory=dict)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        asked = parse_qs(body.decode(errors="replace"))
        action = environ.get("HTTP_X_AMZ_TARGET", "") or asked.get("Action", [""])[0]
        if own := self._own(action):
            status, headers, answer = own(asked, body)
        elif action in _KEPT_ACTIONS:
            # Credentials and region are in the headers; the bed has one of each.
            key = (action, body)
            if key not in self.kept:
                self.kept[key] = _complete(self.moto, environ)
            status, headers, answer = self.kept[key]
        else:
            return self.moto(environ, start_response)
        start_response(status, headers)
        return [answer]

    def _own(self, action: str) -> Callable[[dict[str, list[str]], bytes], Answer] | None:
        return {
            "DescribeCapacityReservations": lambda *_: _xml(
                "DescribeCapacityReservations", "capacityReservationSet", ""
            ),
            "DescribeSpotPriceHistory": lambda asked, _: self._spot_prices(asked),
            "AWSPriceListService.GetProducts": lambda _, body: self._products(json.loads(body)),
            "ServiceQuotasV20190624.ListServiceQuotas": lambda *_: _json({"Quotas": list(_quotas())}),
        }.get(action)

    def _spot_prices(self, asked: dict[str, list[str]]) -> Answer:
        chosen = {values[0] for name, values in asked.items() if name.startswith("InstanceType.")}
        items = (
            f"<item><instanceType>{escape(name)}</instanceType><productDescription>Linux/UNIX</productDescription>"
            f"<spotPrice>{price}</spotPrice><timestamp>{_AS_OF}</timestamp>"
            f"<availabilityZone>{escape(zone)}</availabilityZone></item>"
            for (name, zone), price in self.prices.spot.items()
            if not chosen or name in chosen
        )
        return _xml("DescribeSpotPriceHistory", "spotPriceHistorySet", "".join(items))

    def _products(self, asked: dict[str, Any]) -> Answer:
        wanted = {one["Field"]: one["Value"] for one in asked["Filters"]}
        products = [
            json.dumps(_product(name, price, wanted))
            for name, price in self.prices.on_demand.items()
            if wanted.get("instanceType", name) == name and (".metal" in name) == (wanted["tenancy"] == "Dedicated")
        ]
        return _json({"FormatVersion": "aws_v1", "PriceList": products})


def _complete(application: WSGIApplication, environ: WSGIEnvironment) -> Answer:
    """Runs a WSGI application to its end."""
    started: list[tuple[str, Headers]] = []

    def start_response(status: str, headers: Headers, *_: object) -> Callable[[bytes], object]:
        started.append((status, headers))
        return lambda _: None

    body = b"".join(application(environ, start_response))
    ((status, headers),) = started
    return status, headers, body


def _xml(action: str, name: str, items: str) -> Answer:
    body = (
        f'<{action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>bed</requestId>'
        f"<{name}>{items}</{name}></{action}Response>"
    )
    return "200 OK", [("Content-Type", "text/xml")], body.encode()


def _json(answer: object) -> Answer:
    return "200 OK", [("Content-Type", "application/x-amz-json-1.1")], json.dumps(answer).encode()


def _quotas() -> Iterator[dict[str, object]]:
    for code, name in _QUOTAS.items():
        yield {"ServiceCode": "ec2", "QuotaCode": code, "QuotaName": name, "Value": _VCPUS, "Unit": "None"}


def _product(name: str, price: float, wanted: dict[str, str]) -> dict[str, object]:
    attributes = {**wanted, "instanceType": name, "regionCode": REGION}
    dimension = {"unit": "Hrs", "pricePerUnit": {"USD": f"{price:.10f}"}}
    return {
        "product": {"productFamily": attributes.pop("productFamily"), "attributes": attributes},
        "terms": {"OnDemand": {"term": {"priceDimensions": {"rate": dimension}, "effectiveDate": _AS_OF}}},
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.ec2_server", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--instance-types", type=Path, required=True)
    arguments = parser.parse_args()
    moto = DomainDispatcherApplication(create_backend_app)
    run_simple(
        LOOPBACK,
        arguments.port,
        Aws(moto, Prices(arguments.instance_types)),
        threaded=True,
        request_handler=MotoRequestHandler,
    )


if __name__ == "__main__":
    main()
