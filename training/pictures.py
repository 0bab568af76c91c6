"""Renders the pictures that both embedded models learn from, once, into `training/work/`.

    pictures.npy     (n, 80, 80, 3) uint8, squashed to the models' input size
    scenes.json      what each of them shows
    clip/*.jpg       the same pictures at 160x120, and clip.csv with several captions for each: open_clip's own input

The held-out pairs of subject and place (`world.held_out`) are in none of them, not even in a corner.
"""

from __future__ import annotations

import argparse
import csv
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from .picture_book.captions import query_caption
from .picture_book.world import PLACES, SUBJECTS, TIMES, WEATHERS, Scene, Thing, held_out

WORK = Path(__file__).parent / "work"
SIDE_PX = 80
CAPTIONS_PER_PICTURE = 4
TRAIN_SEED = 1_000_000  # sample pictures and test pictures draw their seeds from other ranges
TEST_SEED = 9_000_000


def extras_for(main: Thing, place: str, rng: np.random.Generator, *, held: bool) -> tuple[Thing, ...]:
    """None, one or two further things of other subjects; in training only such as may be at this place."""
    count = int(rng.choice(3, p=[0.7, 0.22, 0.08]))
    subjects = [s for s in SUBJECTS if s != main.subject and (held or not held_out(s, place))]
    picked = [subjects[int(i)] for i in rng.permutation(len(subjects))[:count]]
    return tuple(Thing(s, SUBJECTS[s][int(rng.integers(4))]) for s in picked)


def scenes_for(*, held: bool, each: int, seed: int) -> list[Scene]:
    """`each` scenes for every subject, colour, allowed (or held-out) place and time of day, weather drawn at random."""
    rng = np.random.default_rng(seed)
    scenes = []
    for subject, colours in SUBJECTS.items():
        for place in (p for p in PLACES if held_out(subject, p) == held):
            for colour in colours:
                main = Thing(subject, colour)
                for time in TIMES:
                    for _ in range(each):
                        weather = WEATHERS[int(rng.integers(4))]
                        things = (main, *extras_for(main, place, rng, held=held))
                        scenes.append(Scene(things, place, time, weather, seed + len(scenes)))
    return scenes


def to_json(scene: Scene) -> dict[str, object]:
    """A scene as plain values."""
    return {
        "things": [[thing.subject, thing.colour] for thing in scene.things],
        "place": scene.place,
        "time": scene.time,
        "weather": scene.weather,
        "seed": scene.seed,
    }


def from_json(values: dict) -> Scene:
    """The scene that `to_json` wrote."""
    things = tuple(Thing(subject, colour) for subject, colour in values["things"])
    return Scene(things, values["place"], values["time"], values["weather"], values["seed"])


def squashed(image: Image.Image) -> np.ndarray:
    """The picture at the models' input size, (80, 80, 3) uint8, by the resize that both processors use."""
    return np.asarray(image.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC))


def render_one(scene: Scene, jpeg: Path | None) -> np.ndarray:
    """Draw one scene at half size; also write it as a JPEG where a path is given."""
    from .picture_book.scene import render

    image = Image.fromarray(render(scene, 320))
    if jpeg is not None:
        image.resize((160, 120), Image.Resampling.BICUBIC).save(jpeg, quality=int(80 + scene.seed % 15))
    return squashed(image)


def _render_many(job: tuple[list[Scene], list[Path | None]]) -> np.ndarray:
    scenes, paths = job
    return np.stack([render_one(scene, path) for scene, path in zip(scenes, paths, strict=True)])


def render_pool(scenes: list[Scene], *, jpeg_folder: Path | None = None, workers: int = 2) -> np.ndarray:
    """All scenes at the models' input size, (n, 80, 80, 3) uint8, in order."""
    paths = [jpeg_folder / f"{i:06d}.jpg" if jpeg_folder else None for i in range(len(scenes))]
    jobs = [(scenes[i : i + 64], paths[i : i + 64]) for i in range(0, len(scenes), 64)]
    with ProcessPoolExecutor(workers) as executor:
        parts = []
        for number, part in enumerate(executor.map(_render_many, jobs)):
            parts.append(part)
            if number % 40 == 0:
                print(f"rendered {sum(map(len, parts)):,} of {len(scenes):,}", flush=True)
    return np.concatenate(parts)


def main() -> None:
    """Render the training pool; does nothing when it is already there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--each", type=int, default=7, help="pictures for each subject, colour, place and time")
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    if (WORK / "pictures.npy").exists():
        print("training/work/pictures.npy is there already: remove training/work to render again")
        return
    folder = WORK / "clip"
    folder.mkdir(parents=True, exist_ok=True)
    scenes = scenes_for(held=False, each=args.each, seed=TRAIN_SEED)
    pool = render_pool(scenes, jpeg_folder=folder, workers=args.workers)
    rng = np.random.default_rng(TRAIN_SEED)
    with (WORK / "clip.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["filepath", "title"])
        for number, scene in enumerate(scenes):
            for _ in range(CAPTIONS_PER_PICTURE):
                rows.writerow([str(folder / f"{number:06d}.jpg"), query_caption(scene, rng)])
    (WORK / "scenes.json").write_text(json.dumps([to_json(scene) for scene in scenes]))
    np.save(WORK / "pictures.partial.npy", pool)
    (WORK / "pictures.partial.npy").replace(WORK / "pictures.npy")
    print(f"{len(scenes):,} pictures in training/work")


if __name__ == "__main__":
    main()
