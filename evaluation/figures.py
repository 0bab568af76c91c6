"""How reports write a measured number: on pages, in plots and in terminals alike."""

from __future__ import annotations


def figure(value: float, *, signed: bool = False) -> str:
    """Three digits, as wide in shares as in grades: .612, 3.12, 1.00; no zero before the point, and none below zero."""
    decimals = 3 if abs(round(value, 3)) < 1 else 2
    value = round(value, decimals) + 0.0  # adding zero turns -0.0 into 0.0
    text = f"{value:+.{decimals}f}" if signed else f"{value:.{decimals}f}"
    return text.replace("0.", ".", 1) if decimals == 3 else text
