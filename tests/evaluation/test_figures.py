"""How reports write a number."""

from __future__ import annotations

import pytest
from limner.evaluation.figures import figure


@pytest.mark.parametrize(
    ("value", "plain", "signed"),
    [
        (0.6123, ".612", "+.612"),
        (-0.05, "-.050", "-.050"),
        (0, ".000", "+.000"),
        (-0.0001, ".000", "+.000"),
        (1, "1.00", "+1.00"),
        (0.9996, "1.00", "+1.00"),
        (0.9994, ".999", "+.999"),
        (-1, "-1.00", "-1.00"),
        (3.125, "3.12", "+3.12"),
        (10.5, "10.50", "+10.50"),
    ],
)
def test_a_figure_has_three_digits_and_no_zero_before_its_point(value: float, plain: str, signed: str) -> None:
    assert (figure(value), figure(value, signed=True)) == (plain, signed)
