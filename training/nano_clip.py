"""Trains nano-clip, the embedded open_clip model, with open_clip's own trainer, and writes it to `index/nano_clip/`.

    python -m training.nano_clip                 train (again from the last checkpoint if one is there) and export
    python -m training.nano_clip --export-only

The vision tower pools the mean of its patch tokens, so that the tokens themselves carry what a picture shows: nano-vlm
reads them through the same tower.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np

from .pictures import SIDE_PX, WORK
from .precision import bf16_is_faster
from .tokenizers import caption_tokenizer

OUT = Path(__file__).parent.parent / "index" / "nano_clip"
RUN = "nano-clip"
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
MODEL = {
    "embed_dim": 128,
    "vision_cfg": {
        "image_size": SIDE_PX,
        "patch_size": 16,
        "width": 128,
        "head_width": 64,
        "layers": 4,
        "pool_type": "avg",
    },
    "text_cfg": {
        "context_length": 40,
        "vocab_size": 1024,
        "width": 192,
        "heads": 6,
        "layers": 3,
        "pool_type": "eos",
        "eos_id": 2,
        "hf_tokenizer_name": "nano-clip",
    },
}
PREPROCESS = {"size": SIDE_PX, "mean": MEAN, "std": STD, "interpolation": "bicubic", "resize_mode": "squash"}


def prepare() -> Path:
    """Train the tokenizer and write open_clip's model configuration; returns the configuration's path."""
    folder = WORK / "clip-config"
    folder.mkdir(parents=True, exist_ok=True)
    with (WORK / "clip.csv").open(encoding="utf-8", newline="") as file:
        captions = [row["title"] for row in csv.DictReader(file)]
    caption_tokenizer(captions).save_pretrained(folder / "tokenizer")
    config = json.loads(json.dumps(MODEL))
    config["text_cfg"]["hf_tokenizer_name"] = str(folder / "tokenizer")
    path = folder / "nano-clip.json"
    path.write_text(json.dumps(config, indent=2))
    return path


def train(*, epochs: int, batch_size: int, lr: float, precision: str, device: str, workers: int) -> Path:
    """Run open_clip's trainer and return the last checkpoint; a checkpoint that is there already is continued."""
    import open_clip
    from open_clip_train.main import main as open_clip_main

    open_clip.add_model_config(prepare())
    checkpoints = WORK / RUN / "checkpoints"
    arguments = [
        "--model", "nano-clip",
        "--train-data", str(WORK / "clip.csv"), "--dataset-type", "csv", "--csv-separator", ",",
        "--aug-cfg", "scale=(0.85,1.0)", "ratio=(1.2,1.5)",
        "--image-mean", *map(str, MEAN), "--image-std", *map(str, STD),
        "--epochs", str(epochs), "--batch-size", str(batch_size), "--lr", str(lr), "--wd", "0.1", "--warmup", "100",
        "--beta2", "0.98", "--grad-clip-norm", "1.0",
        "--precision", precision, "--device", device, "--workers", str(workers), "--seed", "7",
        "--logs", str(WORK), "--name", RUN, "--save-most-recent", "--log-every-n-steps", "25",
    ]  # fmt: skip
    if (checkpoints / "epoch_latest.pt").exists():
        arguments += ["--resume", "latest"]
    open_clip_main(arguments)
    return checkpoints / "epoch_latest.pt"


def export(checkpoint: Path) -> None:
    """Write the checkpoint as an open_clip local directory, weights in float16."""
    import torch
    from safetensors.torch import save_file

    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    OUT.mkdir(parents=True, exist_ok=True)
    halves = {name: tensor.half().contiguous() for name, tensor in state.items() if tensor.is_floating_point()}
    save_file(halves, OUT / "open_clip_model.safetensors")
    config = {"model_cfg": MODEL, "preprocess_cfg": PREPROCESS}
    (OUT / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")
    for file in (WORK / "clip-config" / "tokenizer").iterdir():
        shutil.copy(file, OUT / file.name)


def export_familiar(pictures: int = 4000, kept: float = 0.99) -> None:
    """Write what `limner.index.familiar` needs: the training pictures' Gaussian and the distance `kept` are in."""
    from limner.index.encoder import load_encoder
    from limner.index.familiar import STATISTICS, features, squared_distances
    from PIL import Image
    from safetensors.numpy import save_file

    pixels = np.load(WORK / "pictures.npy", mmap_mode="r")
    rows = np.sort(np.random.default_rng(1).permutation(len(pixels))[:pictures])
    encoder = load_encoder("nano-clip", "cpu")
    parts = [
        features([Image.fromarray(pixels[row]) for row in chunk], encoder)
        for chunk in np.array_split(rows, 1 + pictures // 256)
    ]
    vectors = np.concatenate(parts).astype(np.float64)  # (n, d)
    mean = vectors.mean(0)
    precision = np.linalg.inv(np.cov(vectors.T) + 1e-4 * np.eye(vectors.shape[1]))
    threshold = np.quantile(squared_distances(vectors, mean, precision), [kept])
    statistics = {"mean": mean, "precision": precision, "threshold": threshold}
    save_file({name: np.ascontiguousarray(value, np.float32) for name, value in statistics.items()}, OUT / STATISTICS)


def evaluate(pictures: int = 500) -> dict[str, float]:
    """Caption to picture over held-out pictures: how often the first hit has what the caption names."""
    import open_clip
    import torch

    from .picture_book.captions import describe
    from .pictures import TEST_SEED, render_pool, scenes_for

    scenes = scenes_for(held=True, each=1, seed=TEST_SEED)
    rng = np.random.default_rng(TEST_SEED)
    scenes = [scenes[int(i)] for i in rng.permutation(len(scenes))[:pictures]]
    model: Any = open_clip.create_model(f"local-dir:{OUT}").eval()
    tokenizer = open_clip.get_tokenizer(f"local-dir:{OUT}")
    pixels = torch.from_numpy(render_pool(scenes)).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        images = model.encode_image((pixels - 0.5) / 0.25, normalize=True)  # (n, d)
        texts = model.encode_text(tokenizer([describe(scene) for scene in scenes]), normalize=True)  # (n, d)
    first = (texts @ images.T).argmax(1).tolist()
    same = {
        "subject": lambda a, b: a.main.subject == b.main.subject,
        "colour": lambda a, b: a.main.colour == b.main.colour,
        "place": lambda a, b: a.place == b.place,
    }
    right = {name: [test(scenes[i], scenes[j]) for i, j in enumerate(first)] for name, test in same.items()}
    figures = {name: float(np.mean(values)) for name, values in right.items()}
    figures["all three"] = float(np.mean(np.all(list(right.values()), axis=0)))
    figures["the very picture"] = float(np.mean([i == j for i, j in enumerate(first)]))
    return figures


def main() -> None:
    """Train, export, evaluate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--precision", help="as open_clip names it; default: what is faster here")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--export-only", action="store_true")
    args = parser.parse_args()
    began = time.monotonic()
    if args.export_only:
        checkpoint = WORK / RUN / "checkpoints" / "epoch_latest.pt"
    else:
        checkpoint = train(
            epochs=args.epochs,
            batch_size=args.batch_size,
            lr=args.lr,
            precision=args.precision or ("amp_bf16" if bf16_is_faster() else "fp32"),
            device=args.device,
            workers=args.workers,
        )
    export(checkpoint)
    export_familiar()
    print(json.dumps({"seconds": round(time.monotonic() - began), **evaluate()}, indent=2))


if __name__ == "__main__":
    main()
