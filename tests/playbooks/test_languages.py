"""A language is a folder: a third one, made up here, speaks everywhere, writes figures its own way, and misses no key."""

from datetime import UTC, datetime

import pytest
import yaml

from bot import packaged
from bot.alerting.settings import ChannelSettings, changed
from bot.commands.arguments import LANGUAGES
from bot.playbooks import CAUSES, Playbooks, check_playbooks, plain, read_playbooks, render
from bot.playground.slack import check_view
from bot.slack.home import Own, Tab, home_view
from bot.slack.questions import Why, parse_command
from tests.playbooks.samples import seed

NOW = datetime(2026, 3, 2, 6, 3, tzinfo=UTC)
SHIPPED = packaged.shipped_playbooks()
FORMAT = """
format:
  number: "1.234,5"
  moment: "{{ day }}.{{ month }}.{{ year }}, {{ hour }}:{{ minute }} UTC"
  day: "{{ day }}.{{ month }}.{{ year }}"
  clock: "{{ hour }}:{{ minute }}"
  tick: "{{ day }}. {{ hour }}:{{ minute }}"
  price: "{{ figure }} $"
  days: "{{ n }} Tg."
  hours: "{{ n }} Std."
  minutes: "{{ n }} Min."
  seconds: "{{ n }} s"
  language: Deutsch
"""


def texts() -> dict[str, str]:
    """English under another name, with figures as German has them. English gaps need no words, others' do: Korean's."""
    german = {name.replace("en/", "de/"): text for name, text in SHIPPED.items() if name.startswith("en/")}
    korean = yaml.safe_load(SHIPPED["ko/_names.yaml"])
    gaps = {key: words for key, words in korean.items() if key.startswith("missing-")}
    return {**SHIPPED, **german, "de/_format.yaml": FORMAT, "de/_gaps.yaml": yaml.safe_dump(gaps, allow_unicode=True)}


@pytest.fixture(scope="module")
def three() -> Playbooks:
    return read_playbooks(texts())


def test_a_folder_is_all_that_a_language_takes(three: Playbooks) -> None:
    assert three.languages == ("de", "en", "ko")
    assert not check_playbooks(three)
    german = three.phrases("de")
    assert german.number(1_363) == "1.363"
    assert german.price(2.5) == "2,50 $"
    assert german.moment(NOW) == "2.3.2026, 06:03 UTC"
    assert german.duration(93_784) == "1 Tg. 2 Std."
    assert german.age(61) == "1 Min."
    said = render(seed(), three, "de")
    assert said.language == "de"
    assert "$2,01 an hour" in plain(said.remedies[0].opens)
    assert not said.problems


def test_whoever_asks_may_have_it(three: Playbooks) -> None:
    assert parse_command("why train-0 --lang de", three.languages) == Why(pod="train-0", language="de")
    assert changed(ChannelSettings(), ["language", "de"], languages=three.languages).language == "de"
    names = [(one, three.phrases(one).text("format.language")) for one in three.languages]
    assert names == [("de", "Deutsch"), ("en", "English"), ("ko", "한국어")]
    view = home_view(Tab(clusters=(), own=Own(language="de", team="ml"), languages=names), three.phrases("de"))
    assert check_view(view) is None
    assert "Deutsch" in str(view["blocks"])


@pytest.mark.parametrize("language", ["ko", "de"])
def test_no_key_and_no_page_can_be_missing_unnoticed(language: str) -> None:
    whole = texts()
    less = {**whole, f"{language}/_digest.yaml": ""}
    less.pop(f"{language}/efa-unsupported.md.j2")
    found = [str(one) for one in check_playbooks(read_playbooks(less)) if one.file.startswith(f"{language}/")]
    assert any("no page for the cause `efa-unsupported`" in one for one in found)
    assert any("no sentence for `digest.title`" in one for one in found)


def test_what_ships_is_complete_and_the_command_line_takes_it() -> None:
    shipped = packaged.load_playbooks()
    assert shipped.languages == LANGUAGES
    for language in LANGUAGES:
        assert all(shipped.pages_for(cause, language)[0].language == language for cause in CAUSES)
