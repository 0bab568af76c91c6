"""Groups of pictures that are the same one again: the hash, the search for near ones, what a build makes of them."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from limner.index.build import build, update
from limner.index.duplicates import Member, group
from limner.index.library import Library
from limner.index.likeness import MAX_BITS, alike, near_pairs, perceptual_hash
from PIL import Image, ImageEnhance

from ..colours import ColourEncoder
from ..scenes import scene


def _again(image: Image.Image, **save: object) -> Image.Image:
    buffer = BytesIO()
    image.save(buffer, **save)  # pyright: ignore[reportArgumentType]
    return Image.open(buffer).convert("RGB")


def _bits(a: Image.Image, b: Image.Image) -> int:
    return (int(perceptual_hash(a), 16) ^ int(perceptual_hash(b), 16)).bit_count()


@pytest.mark.parametrize("seed", range(4))
def test_hash_stays_near_in_copies(seed: int) -> None:
    image = scene(seed)
    assert _bits(image, _again(image, format="JPEG", quality=30)) <= MAX_BITS
    assert _bits(image, image.resize((97, 71))) <= MAX_BITS
    assert _bits(image, ImageEnhance.Brightness(image).enhance(1.15)) <= MAX_BITS
    assert _bits(image, image.crop((4, 3, 316, 237))) <= MAX_BITS


def test_hash_of_different_pictures_is_far() -> None:
    distances = [_bits(scene(a), scene(b)) for a in range(8) for b in range(a)]
    assert min(distances) > MAX_BITS


def test_hash_knows_colour() -> None:
    grey = scene(1).convert("L")
    warm = Image.merge("RGB", (grey, grey.point([255 - i for i in range(256)]), grey))
    assert _bits(grey.convert("RGB"), warm) > MAX_BITS


@pytest.mark.parametrize("colour", ["black", "white", "orange", (3, 130, 77)])
def test_even_picture_has_no_hash(colour: str | tuple[int, int, int]) -> None:
    assert perceptual_hash(_again(Image.new("RGB", (90, 60), colour), format="JPEG")) == ""


@pytest.mark.parametrize("everything", [True, False])
def test_near_pairs_are_those_of_comparing_all(everything: bool) -> None:
    rng = np.random.default_rng(5)
    hashes = rng.integers(0, 2**64, 600, np.uint64)
    for position in range(0, 300, 2):
        flips = rng.choice(64, rng.integers(0, MAX_BITS + 3), replace=False)
        hashes[position] = hashes[position + 1] ^ np.bitwise_or.reduce(
            np.uint64(1) << flips.astype(np.uint64), initial=0
        )
    among = np.ones(600, bool) if everything else rng.random(600) < 0.3
    left, right = near_pairs(hashes, among)
    bits = np.bitwise_count(hashes[:, None] ^ hashes[None])
    expected = np.argwhere(np.triu(bits <= MAX_BITS, 1) & (among[:, None] | among[None]))
    assert np.array_equal(np.stack([left, right], 1), expected)
    assert len(left)


def test_alike_asks_for_near_hash_and_near_vector() -> None:
    ids = np.array([1, 2, 3, 4, 5])
    hashes = np.array([0, 1, 3, 2**63, 0], np.uint64)  # the first three and the last are near, the fourth too
    hashes[3] = np.uint64(0xFFFF_FFFF)
    vectors = {1: [1, 0], 2: [0.98, 0.2], 3: [0, 1], 4: [1, 0], 5: [0.99, 0.1]}
    links = alike(ids, hashes, np.ones(5, bool), lambda asked: np.array([vectors[i] for i in asked.tolist()]))
    assert {frozenset(link) for link in links} == {frozenset((1, 5)), frozenset((1, 2))}


def test_group_holds_exact_copies_without_a_hash() -> None:
    groups = group(
        np.array([3, 5, 9]), np.array([7, 8, 7]), ["", "", ""], before={}, known_below=0, vectors=lambda ids: ids
    )
    assert groups == {3: Member(3, 7), 9: Member(3, 7)}


def test_group_compares_only_what_is_new() -> None:
    asked: list[list[int]] = []

    def vectors(ids: np.ndarray) -> np.ndarray:
        asked.append(ids.tolist())
        return np.ones((len(ids), 1))

    before = {1: Member(1, 1), 2: Member(1, 2), 5: Member(5, 5), 6: Member(5, 6)}
    # 6 is gone, so 5 stands alone; 1 and 2 stay together; 7 is new and like 3.
    now, hashes = np.array([1, 2, 3, 5, 7]), ["00" * 8, "00" * 8, "ff" * 8, "f0" * 8, "ff" * 8]
    groups = group(now, now, hashes, before=before, known_below=7, vectors=vectors)
    assert groups == {1: Member(1, 1), 2: Member(1, 2), 3: Member(3, 3), 7: Member(3, 7)}
    assert asked == [[3, 7]]


@pytest.fixture
def scenes(tmp_path: Path) -> Library:
    """Three scenes; of the first a scaled, a compressed and an exact copy, of the second a compressed one."""
    folder = tmp_path / "scenes"
    folder.mkdir()
    for seed in range(3):
        scene(seed).save(folder / f"{seed}.png")
    scene(0, (160, 120)).save(folder / "0-small.png")
    scene(0).save(folder / "0-web.jpg", quality=60)
    (folder / "0-copy.png").write_bytes((folder / "0.png").read_bytes())
    scene(1).save(folder / "1-web.jpg", quality=80)
    build([folder], tmp_path / "library", encoder=ColourEncoder())
    return Library.open(tmp_path / "library", encoder=ColourEncoder())


def _names(library: Library) -> list[list[str]]:
    return sorted(sorted(image.path.name for image in group) for group in library.groups())


def test_library_groups_copies(scenes: Library) -> None:
    assert _names(scenes) == [["0-copy.png", "0-small.png", "0-web.jpg", "0.png"], ["1-web.jpg", "1.png"]]
    ids = {record.path.name: record.id for record in scenes.records()}
    assert scenes.duplicates(ids["1.png"]) == {ids["1-web.jpg"]}
    assert len(scenes.duplicates(ids["0-web.jpg"])) == 3
    assert scenes.duplicates(ids["2.png"]) == scenes.duplicates(999) == frozenset()


def test_update_groups_as_a_build_anew_does(scenes: Library, tmp_path: Path) -> None:
    folder = tmp_path / "scenes"
    (folder / "1-web.jpg").unlink()
    (folder / "0.png").unlink()
    scene(2, (100, 75)).save(folder / "2-small.png")
    scene(3).save(folder / "0-web.jpg")
    update(scenes.folder, encoder=ColourEncoder())
    build([folder], tmp_path / "anew", encoder=ColourEncoder())
    assert _names(Library.open(scenes.folder)) == _names(Library.open(tmp_path / "anew"))
    assert _names(Library.open(scenes.folder)) == [["0-copy.png", "0-small.png"], ["2-small.png", "2.png"]]


def test_exact_copies_share_a_vector(scenes: Library) -> None:
    records = {record.path.name: record for record in scenes.records()}
    assert records["0.png"].vector_id == records["0-copy.png"].vector_id
    assert len({record.vector_id for record in records.values()}) == len(records) - 1


def test_colours_of_one_shape_are_not_grouped(tmp_path: Path) -> None:
    # One composition in two colours, as the orange cat and the grey one at the same place.
    for name, colour in (("orange", (240, 130, 30)), ("grey", (128, 128, 128))):
        image = scene(4)
        image.paste(Image.new("RGB", (140, 120), colour), (90, 60))
        (tmp_path / "cats").mkdir(exist_ok=True)
        image.save(tmp_path / "cats" / f"{name}.png")
    build([tmp_path / "cats"], tmp_path / "library", encoder=ColourEncoder())
    assert Library.open(tmp_path / "library").groups() == []
