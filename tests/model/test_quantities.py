"""Quantities: exact, printed as Kubernetes prints them, and always to be read again."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.model.quantities import BINARY_SUFFIXES, DECIMAL_SUFFIXES, Format, Quantity, QuantityError, total

_numbers = st.one_of(
    st.integers(0, 10**18).map(str),
    st.decimals(0, 10**6, places=6).map(lambda number: format(number, "f")),
)
_suffixes = st.one_of(
    st.sampled_from((*DECIMAL_SUFFIXES, *BINARY_SUFFIXES)), st.integers(-99, 999).map(lambda exponent: f"e{exponent}")
)
_texts = st.builds(lambda sign, number, suffix: sign + number + suffix, st.sampled_from(("", "-")), _numbers, _suffixes)


@given(_texts)
@example("1000000000000000000e984")  # printed with a longer exponent than it was written with
def test_what_is_printed_reads_as_the_same(text: str) -> None:
    quantity = Quantity.parse(text)
    again = Quantity.parse(str(quantity))
    assert again == quantity
    assert str(again) == str(quantity)


@given(st.lists(_texts, min_size=1, max_size=4))
def test_sums_are_exact_and_can_be_printed_and_read(texts: list[str]) -> None:
    quantities = [Quantity.parse(text) for text in texts]
    total = quantities[0]
    for one in quantities[1:]:
        total = total + one
    assert total.nano == sum(one.nano for one in quantities)
    # binary amounts are cut at 2^63-1, as Kubernetes cuts them
    if total.format is not Format.BINARY_SI or abs(total.whole) < 2**63 - 1:
        assert Quantity.parse(str(total)) == total


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("1E100", "10e99"),
        ("1e21", "1e21"),
        ("100M", "100M"),
        ("1e3", "1e3"),
        ("1.5Gi", "1536Mi"),
        ("0.1m", "100u"),
        ("1e-999", "1e-9"),
        ("100000Ei", "9223372036854775807"),
        (".5", "500m"),
        ("0e3", "0"),
    ],
)
def test_kubernetes_own_ways(written: str, printed: str) -> None:
    assert str(Quantity.parse(written)) == printed


@pytest.mark.parametrize(
    ("first", "printed"),
    [
        ("1.96e2", "196350e-3"),  # the API server keeps this text, and with it the exponent
        ("196e0", "196350e-3"),
        ("0.196e3", "196350m"),  # and stores this as 196
        ("196", "196350m"),
        ("1960e-1", "196350m"),
        ("0", "350m"),
        ("1Ki", "1024350m"),
    ],
)
def test_a_sum_is_printed_as_its_first_amount_was_kept(first: str, printed: str) -> None:
    assert str(Quantity.parse(first) + Quantity.parse("350m")) == printed
    assert str(Quantity.parse(first) - Quantity.parse("-350m")) == printed
    assert str(total(({"cpu": Quantity.parse(first)}, {"cpu": Quantity.parse("350m")}))["cpu"]) == printed


@pytest.mark.parametrize(
    "text", ["", "1e9999", "1e10000", "1GiB", "one", "1 Gi", "--1", "1.2.3", "9" * 1200, "NaN", "0x10"]
)
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(QuantityError):
        Quantity.parse(text)
