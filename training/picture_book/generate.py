"""Writes the sample library `sample_repos/picture_book`: the pictures, and what `limner-metadata.csv` says of them.

    python -m training.picture_book.generate [--out DIR] [--seed N]

Every subject stands in six places, and at each of them in its four colours, at the same time of day and in the same
weather: among those four only the article around a figure can decide.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from limner.index.csvfile import METADATA_NAME
from PIL import Image

from ..pictures import extras_for
from .captions import describe, keywords, title
from .world import PLACES, SUBJECTS, TIMES, WEATHERS, Scene, Thing

OUT: Final = Path(__file__).parents[2] / "sample_repos" / "picture_book"
WIDTH_PX: Final = 640
PLACES_EACH: Final = 6
SEED: Final = 198  # of the first 200 the best mix of weather and formats, and no snow on the beach or in the desert
# Scene seeds are drawn from here: training/pictures.py uses 1,000,000 to 1,100,000 and those from 9,000,000 on.
SCENE_SEEDS: Final = (5_000_000, 6_000_000)

KINDS: Final[dict[str, tuple[str, ...]]] = {
    "animals": ("cat", "dog", "rabbit", "horse", "bird", "duck", "bear", "elephant"),
    "vehicles": ("car", "bus", "bicycle", "tractor", "balloon"),
    "buildings": ("house", "windmill", "tent"),
    "food": ("cake", "apple"),
    "plants": ("flower", "tree", "mushroom"),
    "objects": ("umbrella", "kite", "ball"),
}
# The demonstration articles are set in these.
FIXED_PLACES: Final[dict[str, tuple[str, ...]]] = {
    "cat": ("village", "forest", "beach", "city", "harbour", "garden"),
    "elephant": ("lake", "beach", "park", "city", "desert", "mountains"),
    "balloon": ("farm", "lake", "village", "city", "beach", "mountains"),
    "bicycle": ("village", "farm", "lake", "park", "mountains", "meadow"),
    "bus": ("city", "village", "beach", "forest", "mountains", "harbour"),
    "house": ("forest", "beach", "mountains", "meadow", "harbour", "village"),
}
WEATHER_SHARES: Final = (0.45, 0.20, 0.17, 0.18)  # in the order of WEATHERS
FORMATS: Final = (".jpg", ".png", ".webp")


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of the library: what it shows and where it lies."""

    scene: Scene
    file: str  # relative to the library, with forward slashes


def plan(seed: int = SEED) -> list[Picture]:
    """All pictures of the library that this seed gives, in the order of the vocabulary."""
    rng = np.random.default_rng(seed)
    places = choose_places(rng)
    pictures: list[Picture] = []
    for subject_index, (subject, colours) in enumerate(SUBJECTS.items()):
        for place in places[subject]:
            time = TIMES[(PLACES.index(place) + subject_index) % len(TIMES)]
            weather = WEATHERS[int(rng.choice(len(WEATHERS), p=WEATHER_SHARES))]
            for colour in colours:
                main = Thing(subject, colour)
                things = (main, *extras_for(main, place, rng, held=True))
                scene = Scene(things, place, time, weather, int(rng.integers(*SCENE_SEEDS)))
                pictures.append(Picture(scene, _file_for(scene, _suffix_for(scene, rng))))
    return pictures


def choose_places(rng: np.random.Generator) -> dict[str, list[str]]:
    """Six places for each subject, so that every place is chosen equally often."""
    left = dict.fromkeys(PLACES, len(SUBJECTS) * PLACES_EACH // len(PLACES))
    for place in (place for fixed in FIXED_PLACES.values() for place in fixed):
        left[place] -= 1
    chosen: dict[str, list[str]] = {}
    for subject in SUBJECTS:
        if subject in FIXED_PLACES:
            chosen[subject] = list(FIXED_PLACES[subject])
            continue
        # The places with most turns left, ties by lot: always taking the fullest is what makes the turns come out even.
        shuffled = [PLACES[int(i)] for i in rng.permutation(len(PLACES))]
        chosen[subject] = sorted(shuffled, key=lambda place: -left[place])[:PLACES_EACH]
        for place in chosen[subject]:
            left[place] -= 1
    return chosen


def _suffix_for(scene: Scene, rng: np.random.Generator) -> str:
    """A format by lot, from those that suit the picture.

    256 colours show rings around the sun, the moon and a lighthouse, and suit an overcast day. Rain and snow cost JPEG
    a third more than WebP's best.
    """
    if scene.weather == "clear":
        shares = (0.8, 0.0, 0.2)
    elif scene.weather == "rain" or scene.time == "night":
        shares = (0.25, 0.0, 0.75)
    else:
        shares = (0.05, 0.9, 0.05)
    return FORMATS[int(rng.choice(len(FORMATS), p=shares))]


def _file_for(scene: Scene, suffix: str) -> str:
    kind = next(kind for kind, subjects in KINDS.items() if scene.main.subject in subjects)
    # A subject is at a place once in each colour, so no two names are alike and all are numbered 1.
    return f"{kind}/{title(scene).lower().replace(' ', '-')}-1{suffix}"


def row_for(picture: Picture) -> dict[str, str]:
    """What the metadata file says of a picture."""
    caption = describe(picture.scene)
    return {
        "file": picture.file,
        "title": title(picture.scene),
        "caption": caption,
        "alt": caption.rpartition(", ")[0] + ".",  # without the weather, which the caption puts last
        "keywords": ";".join(keywords(picture.scene)),
        "creator": "The Limner authors",
        "licence": "CC0-1.0",
        "credit": "",
    }


def save(image: Image.Image, path: Path) -> None:
    """Write a drawing in the format of the path's suffix, at the quality that lets the library stay under 12 MB."""
    match path.suffix:
        case ".jpg":
            image.save(path, quality=74, optimize=True, progressive=True)
        case ".webp":
            image.save(path, quality=80, method=6)
        case ".png":
            palette = image.quantize(256, method=Image.Quantize.MEDIANCUT, kmeans=1)
            palette.save(path, optimize=True)
        case suffix:
            raise ValueError(f"no settings for {suffix} pictures")


def write_picture(picture: Picture, folder: Path) -> Path:
    """Draw one picture into the folder and return its path."""
    from .scene import render

    path = folder / picture.file
    path.parent.mkdir(parents=True, exist_ok=True)
    save(Image.fromarray(render(picture.scene, WIDTH_PX)), path)
    return path


def write_library(pictures: Sequence[Picture], folder: Path) -> int:
    """Write the pictures and their metadata file, and return the size of both in bytes.

    Pictures that an earlier metadata file in the folder names are removed first; everything else is left alone.
    """
    metadata = folder / METADATA_NAME
    if metadata.exists():
        with metadata.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                (folder / row["file"]).unlink(missing_ok=True)
    size = sum(write_picture(picture, folder).stat().st_size for picture in pictures)
    with metadata.open("w", newline="", encoding="utf-8") as file:
        rows: csv.DictWriter[str] = csv.DictWriter(file, list(row_for(pictures[0])), lineterminator="\n")
        rows.writeheader()
        rows.writerows(row_for(picture) for picture in sorted(pictures, key=lambda picture: picture.file))
    return size + metadata.stat().st_size


def main() -> None:
    """Write the library."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=OUT, help="folder to write to")
    parser.add_argument("--seed", type=int, default=SEED)
    args = parser.parse_args()
    pictures = plan(args.seed)
    size = write_library(pictures, args.out)
    print(f"{len(pictures)} pictures, {size:,} bytes with {METADATA_NAME}")


if __name__ == "__main__":
    main()
