"""Numbers from 1 to 99 in words: English, as cardinals and ordinals, and Chinese."""

from __future__ import annotations

_UNDER_TWENTY = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
_CHINESE = "一二三四五六七八九"


def _cardinal(number: int) -> str:
    if number < 20:
        return _UNDER_TWENTY[number - 1]
    tens, units = divmod(number, 10)
    return _TENS[tens - 2] + (f"-{_UNDER_TWENTY[units - 1]}" if units else "")


def _ordinal(number: int) -> str:
    before, hyphen, last = _cardinal(number).rpartition("-")
    return before + hyphen + _ORDINALS.get(last, (last[:-1] + "ie" if last.endswith("y") else last) + "th")


def _chinese(number: int) -> str:
    tens, units = divmod(number, 10)
    ten = "" if not tens else "十" if tens == 1 else f"{_CHINESE[tens - 1]}十"
    return ten + (_CHINESE[units - 1] if units else "")


CARDINALS = {_cardinal(number): number for number in range(1, 100)}  # "twenty-one": 21
ORDINALS = {_ordinal(number): number for number in range(1, 100)}  # "twenty-first": 21
CHINESE = {_chinese(number): number for number in range(1, 100)}  # "二十一": 21
