"""Languages by their tags and names, and texts of several languages against the one asked for."""

from __future__ import annotations

import pytest
from limner.composer.errors import BriefInvalid
from limner.composer.language import language_name, language_tag, other_language, without_spaces

CAPTIONS = {
    "en": ["A red fox in the snow", "The old bridge over the river", "Steam rising from a cup of tea"],
    "de": ["Ein roter Fuchs im Schnee", "Die alte Brücke über den Fluss", "Dampf steigt aus einer Tasse Tee"],
    "fr": ["Un renard roux dans la neige", "Le vieux pont sur la rivière", "Deux cyclistes sur une route"],
    "es": ["Un zorro rojo en la nieve", "El viejo puente sobre el río", "El palacio de verano del rey"],
    "sv": ["En röd räv i snön", "Den gamla bron över floden", "Två cyklister på en bergsväg"],
    "ru": ["Рыжая лиса в снегу", "Старый мост через реку", "Летний дворец короля"],
    "zh": ["雪地里的红狐狸", "河上的老桥", "茶杯里升起的热气"],
    "ja": ["雪の中の赤いキツネ", "川にかかる古い橋", "お茶から立ちのぼる湯気"],
}


@pytest.mark.parametrize("tag", CAPTIONS)
def test_captions_are_in_their_own_language_and_in_no_other(tag: str) -> None:
    assert other_language(CAPTIONS[tag], tag) is None
    for other in CAPTIONS.keys() - {tag}:
        assert other_language(CAPTIONS[tag], other) == language_name(tag)


def test_one_caption_among_others_is_found() -> None:
    assert other_language([*CAPTIONS["de"], "Children playing in the rain"], "de") == "English"
    assert other_language([*CAPTIONS["zh"], "Children playing in the rain"], "zh") == "English"


def test_names_and_nothing_are_of_any_language() -> None:
    assert other_language([], "de") is None
    assert other_language(["Kyoto", "", "2024"], "de") is None
    assert other_language([*CAPTIONS["de"], "Angkor Wat"], "de") is None


def test_regions_and_close_relatives_count_as_the_language() -> None:
    assert other_language(CAPTIONS["zh"], "zh-TW") is None
    assert other_language(CAPTIONS["en"], "en-GB") is None
    assert other_language(["En gammel bro over elven ved den store skogen i fjellet"], "nb") is None


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("de", "de"),
        (" German ", "de"),
        ("deutsch", "de"),
        ("中文", "zh"),
        ("Chinese", "zh"),
        ("pt_BR", "pt-BR"),
        ("ZH-hant", "zh-Hant"),
        ("Français", "fr"),
    ],
)
def test_language_tag_of_tags_and_names(text: str, tag: str) -> None:
    assert language_tag(text) == tag


@pytest.mark.parametrize(
    ("text", "near"),
    [("germna", "de (German)"), ("Englsh", "en (English)"), ("klingon", ""), ("", ""), ("de; now", "")],
)
def test_language_tag_of_none_suggests_the_nearest(text: str, near: str) -> None:
    with pytest.raises(BriefInvalid, match="no language is known as") as caught:
        language_tag(text)
    assert near in caught.value.hint


def test_without_spaces() -> None:
    assert [without_spaces(tag) for tag in ("zh-CN", "ja", "de", None)] == [True, True, False, False]
