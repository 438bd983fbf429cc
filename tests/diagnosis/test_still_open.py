"""Launches that EC2 keeps refusing though something is open: what was tried, and what could be tried beside it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from msgspec import structs

from bot.catalogues import Catalogues
from bot.diagnosis import diagnose
from bot.model.diagnosis import Diagnosis
from bot.model.world import World
from bot.packaged import load_playbooks
from bot.playbooks import render
from bot.sources.pod_search import PodQuestion, find_pod
from bot.terminal import render_text
from tests.market.worlds import recorded, with_ec2

ONCE = "capacity-refused-once"
CATALOGUES = Catalogues()
POD = "default/gemma-3-4b-node-0-0-b9w4h"


def again_and_again(times: int, *, later: timedelta = timedelta()) -> World:
    """The recorded launch that was refused, as many times, each on a NodeClaim of its own; asked about a while later."""
    world = recorded(ONCE)

    def as_number(text: str, number: int) -> str:
        return text.replace("gpu-9s2hd", f"gpu-9s2h{number}")

    def event(one: Any, number: int) -> Any:  # noqa: ANN401
        name = f"{one.metadata.name}{number}"
        metadata = structs.replace(one.metadata, name=name)
        return structs.replace(one, metadata=metadata, message=as_number(one.message, number))

    return replace(
        world,
        now=world.now + later,
        karpenter_log=tuple(as_number(text, n) for n in range(times) for text in world.karpenter_log),
        events=tuple(event(one, n) for n in range(times) for one in world.events),
    )


def diagnosed(world: World) -> Diagnosis:
    return diagnose(CATALOGUES.of(world), find_pod(world, PodQuestion.parse(POD)))


def test_a_launch_refused_once_is_no_cause_and_many_are_one_with_what_is_open_beside() -> None:
    assert diagnosed(again_and_again(1)).causes == ()
    found = diagnosed(again_and_again(4))
    [cause] = found.causes
    assert (found.verdict, found.reason, cause.id) == ("blocked", "launches-fail", "capacity-unavailable")
    assert (cause.facts["launches"], cause.facts["open"]) == (4, found.nodepools[0].offerings)
    assert found.nodepools[0].offerings > 0
    zones, tried = cause.facts["wider_zones"], cause.facts["zones"]
    assert isinstance(zones, tuple)
    assert isinstance(tried, tuple)
    assert zones
    assert not set(zones) & set(tried)


def test_what_was_tried_is_no_advice_even_when_its_mark_is_off_again() -> None:
    marked, after = (diagnosed(again_and_again(4, later=timedelta(minutes=m))).causes[0] for m in (0, 5))
    assert after.facts["wider_zones"] == marked.facts["wider_zones"]
    assert isinstance(after.facts["open"], int)
    assert isinstance(marked.facts["open"], int)
    assert after.facts["open"] > marked.facts["open"], "Karpenter itself tries it again"


def test_a_zone_whose_subnets_are_full_is_not_offered() -> None:
    world = again_and_again(4)
    zones = diagnosed(world).causes[0].facts["wider_zones"]
    assert isinstance(zones, tuple)
    zone = zones[0]
    full = tuple(
        structs.replace(s, available_ip_address_count=0) if s.availability_zone == zone else s
        for s in world.ec2.subnets or ()
    )
    assert zone not in diagnosed(with_ec2(world, subnets=full)).causes[0].facts["wider_zones"]  # type: ignore[operator]


def test_the_page_does_not_say_that_nothing_is_left() -> None:
    found = diagnosed(again_and_again(4))
    for language, words, wrong in (
        ("en", "still finds", "nothing else to try"),
        ("ko", "선택지가 아직", "시도할 것이 남지 않았다"),
    ):
        playbooks = load_playbooks()
        shown = render_text(render(found, playbooks, language), playbooks.phrases(language))
        text = " ".join(shown.split())
        assert words in text
        assert wrong not in text
