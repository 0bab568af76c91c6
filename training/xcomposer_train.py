"""Trains a tiny InternLM-XComposer 2 in the picture-book world, from what `training.xcomposer_book` prepared.

    python -m training.xcomposer_train --data FOLDER --out FOLDER --minutes 5

The stages are the paper's in small: a decoder that knows the three tasks as text (each picture told in words); the
projector alone, by describing pictures; then Partial LoRA and projector by choosing pictures, with the decoder frozen;
then all three tasks with the decoder too. The ablation freezes one part while the others learn to choose. The eyes are
nano-clip's and stay as they are. Needs torch, transformers and `limner.composer.models.xcomposer` alone.

Choosing by context is not learnt from the replies "The B image." alone. Beside them, in training alone, the last tokens
of each picture are asked what it shows, and the last one of each candidate whether it is the right one.
"""

from __future__ import annotations

import argparse
import io
import json
import lzma
import math
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from limner.composer.models.xcomposer.config import XComposer2Config
from limner.composer.models.xcomposer.model import XComposer2ForConditionalGeneration
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import IterableDataset, get_worker_info
from transformers import TrainerCallback, TrainingArguments
from transformers.utils.constants import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

from .finetune import Rate, RatedTrainer, train_only
from .llava import PATCHES, vision_state
from .muon import MuonAdamW
from .nano_clip import MEAN, MODEL, STD
from .nano_clip import OUT as CLIP_FOLDER
from .pictures import SIDE_PX

TASKS = ("write", "spot", "select", "describe")
DRILL = len(TASKS)  # a choice between colours, with the pictures before it and no text
REPLY, LETTER, NAME, VERDICT = 1, 2, 3, 4  # what a place in a batch is to learn
LETTER_WEIGHT, NAME_SHARE, VERDICT_SHARE = 8.0, 0.3, 1.0
DECODER, PROJECTOR = r"\.linear\.|(?:input|attention)_layernorm|language_model\.norm|embed_tokens|lm_head", "projector"
ATTENTION, FEED_FORWARD = r"self_attn\.\w+\.lora_", r"mlp\.\w+\.lora_"
EYES = "vision_tower."


@dataclass(frozen=True, slots=True)
class Stage:
    """What one stage trains, on what, and for how long."""

    name: str
    begin: str | None  # the stage whose weights it begins with
    learns: tuple[str, ...]
    mix: tuple[float, ...]  # share of the batches by task
    share: float  # of the time
    words: bool = False  # pictures are told in words


FRESH = "fresh"  # what the ablation begins with
_PARTS = (PROJECTOR, ATTENTION, FEED_FORWARD)
_CHOOSING = (0.0, 0.0, 0.6, 0.15, 0.25)
STAGES = (
    Stage("base", None, (DECODER,), (0.2, 0.1, 0.35, 0.0, 0.35), 0.26, words=True),
    Stage("aligned", "base", (PROJECTOR,), (0.0, 0.0, 0.0, 1.0, 0.0), 0.05),
    Stage("adapted", "aligned", _PARTS, _CHOOSING, 0.20),
    Stage("whole", "adapted", (DECODER, *_PARTS), (0.35, 0.15, 0.4, 0.1, 0.0), 0.21),
    # The ablation, as many steps for each as the first one made in its time: the decoder has read pictures, as the
    # paper's has in its first stage, and is frozen; Partial LoRA is new, and the projector that of the second stage.
    Stage("nothing-frozen", FRESH, _PARTS, _CHOOSING, 0.07),
    Stage("frozen-projector", FRESH, (ATTENTION, FEED_FORWARD), _CHOOSING, 0.07),
    Stage("frozen-attention", FRESH, (PROJECTOR, FEED_FORWARD), _CHOOSING, 0.07),
    Stage("frozen-feed-forward", FRESH, (PROJECTOR, ATTENTION), _CHOOSING, 0.07),
)
ABLATION = 4  # of the stages, the last ones


def tiny_config(numbers: dict[str, Any]) -> XComposer2Config:
    """The shape of the tiny model: nano-clip's eyes, a decoder of nano-vlm's size with two key-value heads."""
    vision = MODEL["vision_cfg"]
    return XComposer2Config(
        text_config={
            "vocab_size": numbers["vocab_size"], "hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 6,
            "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 4096,
            "plora_rank": 32, "plora_alpha": 32, "bos_token_id": numbers["bos_token_id"],
            "eos_token_id": numbers["eos_token_id"], "pad_token_id": numbers["pad_token_id"],
        },
        vision_config={
            "hidden_size": vision["width"], "intermediate_size": vision["width"] * 4,
            "num_hidden_layers": vision["layers"], "num_attention_heads": vision["width"] // vision["head_width"],
            "image_size": SIDE_PX, "patch_size": vision["patch_size"], "hidden_act": "gelu",
        },
        image_token_id=numbers["image_token_id"],
    )  # fmt: skip


def eyes_state() -> dict[str, Tensor]:
    """nano-clip's tower for pictures that are scaled as XComposer's are: the difference is put into its weights.

    With x = (p - m) / s in place of (p - m') / s', the patch embedding W x' is (W s / s') x and a constant, which the
    patches' positions take up. Patches do not overlap and nothing is padded, so both are the same but for rounding.
    """
    clip = {name: tensor.float() for name, tensor in load_file(CLIP_FOLDER / "open_clip_model.safetensors").items()}
    state = vision_state(clip, MODEL["vision_cfg"]["layers"])
    mean, deviation = torch.tensor(OPENAI_CLIP_MEAN), torch.tensor(OPENAI_CLIP_STD)
    patches = state["embeddings.patch_embedding.weight"]  # (width, 3, side, side)
    shift = ((mean - torch.tensor(MEAN)) / torch.tensor(STD)).view(1, 3, 1, 1)
    positions = state["embeddings.position_embedding.weight"].clone()  # (1 + patches, width)
    positions[1:] += (patches * shift).sum((1, 2, 3))
    state["embeddings.position_embedding.weight"] = positions
    state["embeddings.patch_embedding.weight"] = patches * (deviation / torch.tensor(STD)).view(1, 3, 1, 1)
    return state


def build_model(numbers: dict[str, Any]) -> XComposer2ForConditionalGeneration:
    """A fresh decoder behind nano-clip's eyes."""
    torch.manual_seed(11)
    model = XComposer2ForConditionalGeneration(tiny_config(numbers))
    tower = model.model.vision_tower
    prefix = "vision_model." if any(name.startswith("vision_model.") for name in tower.state_dict()) else ""
    missing, unexpected = tower.load_state_dict({prefix + k: v for k, v in eyes_state().items()}, strict=False)
    assert not unexpected and not [name for name in missing if "position_ids" not in name], (missing, unexpected)
    return model


def pixel_values(pixels: np.ndarray) -> Tensor:
    """(n, 80, 80, 3) uint8 to (n, 3, 80, 80) float32, scaled as the processor does."""
    values = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 255
    return (values - torch.tensor(OPENAI_CLIP_MEAN).view(3, 1, 1)) / torch.tensor(OPENAI_CLIP_STD).view(3, 1, 1)


def read_pictures(file: Path, count: int) -> np.ndarray:
    """The first `count` pictures of a square of them, (count, 80, 80, 3) uint8."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    whole = np.asarray(Image.open(file).convert("RGB"))
    rows, columns = whole.shape[0] // SIDE_PX, whole.shape[1] // SIDE_PX
    cut = whole.reshape(rows, SIDE_PX, columns, SIDE_PX, 3).swapaxes(1, 2)
    return cut.reshape(-1, SIDE_PX, SIDE_PX, 3)[:count]


class Seeing(nn.Module):
    """The model with what its frozen eyes see of every picture of the world, computed once."""

    def __init__(self, model: XComposer2ForConditionalGeneration, seen: Tensor) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("seen", seen, persistent=False)  # (pictures, patches, width)

    def forward(
        self, input_ids: Tensor, where: Tensor, pictures: Tensor, image_rows: Tensor, image_columns: Tensor
    ) -> Tensor:
        """The logits at the flat places `where`."""
        inner = self.model.model
        embeds = inner.get_input_embeddings()(input_ids)
        places = None
        if len(pictures):
            places = (image_rows, image_columns)
            embeds = embeds.index_put(places, inner.projector(self.seen[pictures]).flatten(0, 1).to(embeds.dtype))
        hidden = inner.language_model(inputs_embeds=embeds, image_places=places, use_cache=False).last_hidden_state
        return self.model.lm_head(hidden.flatten(0, 1)[where])


@torch.no_grad()
def see(model: XComposer2ForConditionalGeneration, pixels: np.ndarray, device: torch.device) -> Tensor:
    """What the eyes see of pictures, (n, patches, width)."""
    parts = [model.model._see(pixel_values(part).to(device)) for part in np.array_split(pixels, 1 + len(pixels) // 256)]
    return torch.cat(parts)


class Samples:
    """The packed samples, and batches of them."""

    def __init__(self, file: Path, numbers: dict[str, Any], first_picture: int) -> None:
        """Args: first_picture: the row of this file's first picture among all."""
        arrays = np.load(io.BytesIO(lzma.decompress(file.read_bytes())))
        self.data: dict[str, np.ndarray] = {name: arrays[name] for name in arrays.files}
        self.numbers, self.first = numbers, first_picture
        data = self.data
        self.pictures = len(data["names"])
        self.words_length = (data["words"] >= 0).sum(1)
        counts = np.diff(data["row_starts"])
        self.lengths = np.diff(data["starts"]) + (PATCHES - 1) * counts
        self.by_task = [np.flatnonzero(data["task"] == task) for task in range(len(TASKS))]
        self.by_task.append(
            np.array([row for row in self.by_task[TASKS.index("select")] if self._in_colour_alone(row)])
        )
        self.by_task = [rows[np.argsort(self.lengths[rows], kind="stable")] for rows in self.by_task]

    def _shown(self, row: int) -> np.ndarray:
        return self.data["rows"][self.data["row_starts"][row] : self.data["row_starts"][row + 1]].astype(np.int64)

    def _in_colour_alone(self, row: int) -> bool:
        """Whether a choice has pictures before it, and candidates that differ in nothing but their colour."""
        shown, count = self._shown(row), int(self.data["candidates"][row])
        names = self.data["names"][shown[-count:]]  # subject, colour, place
        return len(shown) > count and bool((names[:, [0, 2]] == names[0, [0, 2]]).all())

    def draw(self, task: int, tokens: int, rng: np.random.Generator) -> np.ndarray:
        """Samples of one task of like lengths, about so many tokens together."""
        rows = self.by_task[task]
        begin = int(rng.integers(len(rows)))
        count = max(1, tokens // int(self.lengths[rows[begin]]))
        window = rows[max(0, begin - 2 * count) : begin + 2 * count]
        return rng.permutation(window)[:count]

    def batch(self, rows: Sequence[int], *, words: bool, drill: bool = False) -> dict[str, Tensor]:
        """Tokens padded on the right, and what is to be learnt at which flat places, in what shares.

        Args:
            rows: of the samples, all of one task.
            words: pictures are told in words.
            drill: the text around the pictures before the question is left out.
        """
        made = [self._one(int(row), words=words, drill=drill) for row in rows]
        longest = max(len(ids) for ids, _, _ in made)
        input_ids = np.full((len(made), longest), self.numbers["pad_token_id"], np.int64)
        places: list[np.ndarray] = []
        for number, (ids, learnt, _) in enumerate(made):
            input_ids[number, : len(ids)] = ids
            places.append(learnt + np.array([[number * longest], [0], [0]]))
        where, targets, kinds = np.concatenate(places, 1)
        shown = np.concatenate([pictures for _, _, pictures in made])
        image_rows, image_columns = np.nonzero(input_ids == self.numbers["image_token_id"])
        arrays = {
            "input_ids": input_ids, "where": where, "targets": targets, "kinds": kinds, "weights": _weights(kinds),
            "pictures": shown + self.first if not words else shown[:0],
            "image_rows": image_rows, "image_columns": image_columns,
        }  # fmt: skip
        return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in arrays.items()}

    def _one(self, row: int, *, words: bool, drill: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Tokens, (places, targets, kinds) and pictures of a sample."""
        data = self.data
        packed = data["ids"][data["starts"][row] : data["starts"][row + 1]].astype(np.int64)
        shown, reply, count = self._shown(row), int(data["reply"][row]), int(data["candidates"][row])
        at = np.flatnonzero(packed == self.numbers["image_token_id"])
        if drill:
            before = at[: len(shown) - count]
            asked = int(before[-1]) + 1 + int(np.argmax(packed[before[-1] + 1 :] == self.numbers["question"]))
            whole = len(packed)
            packed = np.concatenate([packed[: self.numbers["head"]], packed[before], packed[asked:]])
            reply -= whole - len(packed)
            at = np.flatnonzero(packed == self.numbers["image_token_id"])
        lengths = self.words_length[shown] if words else np.full(len(shown), PATCHES)
        repeats = np.ones(len(packed), np.int64)
        repeats[at] = lengths
        ids = np.repeat(packed, repeats)
        ends = (at + np.cumsum(lengths - 1)).astype(np.int64)  # the last token of each picture
        if words:
            for end, length, picture in zip(ends, lengths, shown, strict=True):
                ids[end - length + 1 : end + 1] = data["words"][picture, :length]
        begin = reply + len(ids) - len(packed)
        where = [np.arange(begin - 1, len(ids) - 1)]
        targets = [ids[begin:]]
        kinds = [np.full(len(ids) - begin, REPLY)]
        if count:
            kinds[0][1] = LETTER  # The | B | image.
            right, wrong = self.numbers["verdicts"]
            where.append(ends[-count:])
            targets.append(np.where(np.arange(count) == data["answer"][row], right, wrong))
            kinds.append(np.full(count, VERDICT))
        if not words and len(shown):
            where.append((ends[:, None] + np.array([-3, -2, -1])).ravel())
            targets.append(data["names"][shown].ravel().astype(np.int64))
            kinds.append(np.full(3 * len(shown), NAME))
        return ids, np.stack([np.concatenate(part) for part in (where, targets, kinds)]), shown


def _weights(kinds: np.ndarray) -> np.ndarray:
    """The share of each place in the loss: replies 1 together, the letter heavier; what is asked beside, its own."""
    weights = np.zeros(len(kinds), np.float32)
    reply = np.isin(kinds, (REPLY, LETTER))
    weights[reply] = np.where(kinds[reply] == LETTER, LETTER_WEIGHT, 1.0)
    weights[reply] /= weights.sum()
    for kind, share in ((NAME, NAME_SHARE), (VERDICT, VERDICT_SHARE)):
        mask = kinds == kind
        weights[mask] = share / max(1, mask.sum())
    return weights


class Batches(IterableDataset):
    """Whole batches, each of one task."""

    def __init__(self, samples: Samples, stage: Stage, tokens: int, seed: int) -> None:
        self.samples, self.stage, self.tokens, self.seed = samples, stage, tokens, seed

    def __iter__(self) -> Iterator[dict[str, Any]]:
        worker = get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        while True:
            task = int(rng.choice(len(self.stage.mix), p=self.stage.mix))
            rows = self.samples.draw(task, self.tokens, rng)
            batch = self.samples.batch(rows, words=self.stage.words, drill=task == DRILL)
            yield {**batch, "task": (*TASKS, "drill")[task]}


class Clock(TrainerCallback):
    """Ends a stage by the clock."""

    def __init__(self, seconds: float, steps: int) -> None:
        self.seconds, self.steps, self.began, self.done = seconds, steps, math.inf, 0

    def share(self) -> float:
        """How much of the stage is over."""
        passed = max(0.0, time.monotonic() - self.began) if self.began < math.inf else 0.0
        return min(1.0, max(passed / self.seconds, self.done / self.steps))

    def on_train_begin(self, args, state, control, **kwargs):
        self.began = time.monotonic()

    def on_step_end(self, args, state, control, **kwargs):
        self.done = state.global_step
        if self.share() >= 1:
            control.should_training_stop = True


class WorldTrainer(RatedTrainer):
    """Weighted loss, Muon for the matrices of the layers, a schedule by the clock; logs by task and kind."""

    def __init__(self, *args: Any, clock: Clock, muon_lr: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.clock, self.muon_lr = clock, muon_lr
        self.model_accepts_loss_kwargs = False
        self.add_callback(clock)
        self.sums: dict[str, list[Tensor]] = defaultdict(list)
        self.history: list[dict[str, float]] = []

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        learnt = {name: weight for name, weight in self.model.named_parameters() if weight.requires_grad}
        matrices = {name for name, weight in learnt.items() if weight.ndim == 2 and ".layers." in name}
        self.optimizer = MuonAdamW(
            [learnt[name] for name in sorted(matrices)],
            [learnt[name] for name in sorted(learnt.keys() - matrices)],
            muon_lr=self.muon_lr, lr=self.args.learning_rate, weight_decay=self.args.weight_decay, betas=(0.9, 0.98),
        )  # fmt: skip
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        def factor(step: int) -> float:
            return min(1.0, (step + 1) / max(1, self.args.warmup_steps)) * (
                0.5 + 0.5 * math.cos(math.pi * self.clock.share()) + 0.02
            )

        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer or self.optimizer, factor)
        return self.lr_scheduler

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        task, targets, kinds, weights = (inputs.pop(name) for name in ("task", "targets", "kinds", "weights"))
        logits = model(**inputs).float()
        losses = cross_entropy(logits, targets, reduction="none")
        with torch.no_grad():
            right = (logits.argmax(-1) == targets).float()
            for kind, name in ((REPLY, "loss"), (LETTER, "letter"), (NAME, "name"), (VERDICT, "verdict")):
                mask = kinds == kind
                if (
                    name == "loss"
                    or (name in ("letter", "verdict") and task in ("select", "drill"))
                    or (name == "name" and len(inputs["pictures"]))
                ):
                    values = losses if name == "loss" else right
                    self.sums[f"{task} {name}"].append((values * mask).sum() / mask.sum())
        return (losses * weights).sum()

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        logs = {"step": self.state.global_step, "lr": logs.get("learning_rate", 0.0)}
        logs |= {name: round(float(torch.stack(values).mean()), 4) for name, values in sorted(self.sums.items())}
        self.sums.clear()
        self.history.append(logs)
        print(json.dumps(logs), flush=True)


def train_stage(
    seeing: Seeing, samples: Samples, stage: Stage, seconds: float, steps: int, args: argparse.Namespace
) -> WorldTrainer:
    """Train one stage until its time is over or its steps are done."""
    train_only(seeing, [Rate(pattern, args.lr) for pattern in stage.learns])
    clock = Clock(seconds, steps)
    trainer = WorldTrainer(
        clock=clock,
        muon_lr=args.muon_lr,
        rates=(),
        model=seeing,
        args=TrainingArguments(
            output_dir=str(args.out / "trainer"), max_steps=steps, per_device_train_batch_size=1,
            gradient_accumulation_steps=args.accumulate, learning_rate=args.lr, weight_decay=0.05, max_grad_norm=1.0,
            warmup_steps=args.warmup, bf16=args.bf16, use_cpu=not torch.cuda.is_available(),
            logging_steps=args.log_every, save_strategy="no",
            dataloader_num_workers=args.workers, dataloader_pin_memory=torch.cuda.is_available(),
            dataloader_prefetch_factor=8 if args.workers else None, remove_unused_columns=False,
            accelerator_config={"dispatch_batches": False}, report_to=[], disable_tqdm=True,
            logging_nan_inf_filter=False, seed=13,
        ),
        train_dataset=Batches(samples, stage, args.batch_tokens, 7),
        data_collator=lambda batches: batches[0],
    )  # fmt: skip
    trainer.train()
    return trainer


@torch.no_grad()
def answers(
    seeing: Seeing, held: Samples, asked: range, *, words: bool, drill: bool, device: torch.device
) -> dict[str, float]:
    """How many of the letters of these questions are right, of the verdicts and of the names beside them."""
    letters, verdicts = torch.tensor(held.numbers["letters"]), torch.tensor(held.numbers["verdicts"])
    right: dict[str, list[bool]] = defaultdict(list)
    for first in range(0, len(asked), 64):
        rows = asked[first : first + 64]
        batch = held.batch(rows, words=words, drill=drill)
        at = batch["kinds"] != REPLY
        kinds, targets = batch["kinds"][at], batch["targets"][at]
        inputs = {name: batch[name] for name in ("input_ids", "pictures", "image_rows", "image_columns")}
        inputs["where"] = batch["where"][at]
        logits = seeing(**{name: value.to(device) for name, value in inputs.items()}).float().cpu()
        for row, scores in zip(rows, logits[kinds == LETTER], strict=True):
            among = letters[: int(held.data["candidates"][row])]
            right["letters"].append(int(scores[among].argmax()) == int(held.data["answer"][row]))
        said = verdicts[logits[kinds == VERDICT][:, verdicts].argmax(-1)]
        right["verdicts"] += (said == targets[kinds == VERDICT]).tolist()
        right["names"] += (logits[kinds == NAME].argmax(-1) == targets[kinds == NAME]).tolist()
    return {kind: round(float(np.mean(values)), 4) for kind, values in right.items() if values}


def measure(
    seeing: Seeing, held: Samples, count: int, *, words: bool, device: torch.device
) -> dict[str, dict[str, float]]:
    """Answers to held-out questions: colour in the pictures alone, nothing before, colour in the text too, no text."""
    seeing.eval()
    third = len(held.data["task"]) // 3
    figures: dict[str, dict[str, float]] = {}
    kinds = ("colour in the pictures alone", "without context", "colour in text and pictures", "pictures without text")
    for number, name in enumerate(kinds):
        first = number % 3 * third
        asked = range(first, first + min(count, third))
        figures[name] = answers(seeing, held, asked, words=words, drill=number == 3, device=device)
    seeing.train()
    return figures


def fresh(aligned: dict[str, Tensor], whole: dict[str, Tensor]) -> dict[str, Tensor]:
    """The trained decoder, with Partial LoRA and the projector as they were before there was anything to choose."""
    new = re.compile(r"\.lora_[AB]\.|\.projector\.")
    return {name: aligned[name] if new.search(name) else weights for name, weights in whole.items()}


def save(model: XComposer2ForConditionalGeneration, file: Path) -> None:
    """The weights but those of the eyes, which are nano-clip's, in bfloat16."""
    state = {name: weights for name, weights in model.state_dict().items() if EYES not in name}
    save_file({name: weights.to(torch.bfloat16).contiguous().cpu() for name, weights in state.items()}, file)


def parser() -> argparse.ArgumentParser:
    """What the command takes."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--data", type=Path, required=True)
    made.add_argument("--out", type=Path, required=True)
    made.add_argument("--minutes", type=float, default=5.0, help="for all stages together, by their shares")
    made.add_argument("--stages", default=",".join(stage.name for stage in STAGES))
    made.add_argument("--begin", type=Path, help="OUT of an earlier run, whose stages need not be run again")
    made.add_argument("--steps", type=int, default=1_000_000, help="of a stage, at most")
    made.add_argument("--batch-tokens", type=int, default=24_000)
    made.add_argument("--accumulate", type=int, default=1)
    made.add_argument("--lr", type=float, default=1e-3, help="of embeddings, projector and norms, by AdamW")
    made.add_argument("--muon-lr", type=float, default=1.5e-3, help="of the matrices of the layers")
    made.add_argument("--warmup", type=int, default=50, help="steps")
    made.add_argument("--workers", type=int, default=12)
    made.add_argument("--items", type=int, default=400, help="held-out questions of each kind, at most")
    made.add_argument("--log-every", type=int, default=100)
    made.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True)
    return made


def main() -> None:
    """Train the stages that are asked for, one after the other."""
    args = parser().parse_args()
    began = time.monotonic()
    args.out.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_float32_matmul_precision("high")  # of Muon's products on a GPU
    numbers = json.loads((args.data / "numbers.json").read_text())
    model = build_model(numbers).to(device)
    samples = Samples(args.data / "samples.npz.xz", numbers, 0)
    held = Samples(args.data / "held.npz.xz", numbers, samples.pictures)
    pixels = np.concatenate(
        [
            read_pictures(args.data / "pictures.webp", samples.pictures),
            read_pictures(args.data / "held.webp", held.pictures),
        ]
    )
    seeing = Seeing(model, see(model, pixels, device))
    saved: dict[str | None, dict[str, Tensor]] = {}
    stages = [stage for stage in STAGES if stage.name in args.stages.split(",")]
    for stage in STAGES if args.begin else ():
        if (file := args.begin / f"{stage.name}.safetensors").is_file():
            saved[stage.name] = {name: weights.to(device, torch.float32) for name, weights in load_file(file).items()}
    known = set(saved)
    for stage in stages:
        needed = {"aligned", "whole"} if stage.begin == FRESH else {stage.begin} - {None}
        if needed - known:
            parser().error(
                f"{stage.name} begins with {' and '.join(sorted(needed - known))}: run that too, or give --begin"
            )
        known.add(stage.name)
    total = sum(stage.share for stage in stages)
    metrics: dict[str, Any] = {"ready_s": round(time.monotonic() - began, 1)}
    if device.type == "cuda":
        metrics["device"] = torch.cuda.get_device_name()
    control = 0  # the steps of the ablation's first stage
    for stage in stages:
        if stage.begin == FRESH:
            saved[FRESH] = fresh(saved["aligned"], saved["whole"])
        if stage.begin in saved:
            model.load_state_dict(saved[stage.begin], strict=False)  # without the eyes, which are never saved
        since, seconds, steps = time.monotonic(), 60 * args.minutes * stage.share / total, args.steps
        if control:
            seconds, steps = 4 * seconds, min(steps, control)
        trainer = train_stage(seeing, samples, stage, seconds, steps, args)
        if stage is STAGES[-ABLATION]:
            control = trainer.state.global_step
        spent = time.monotonic() - since
        figures = measure(seeing, held, args.items, words=stage.words, device=device)
        metrics[stage.name] = {"seconds": round(spent, 1), "steps": trainer.state.global_step, **figures}
        print(stage.name, json.dumps(metrics[stage.name]), flush=True)
        metrics[stage.name]["history"] = trainer.history
        saved[stage.name] = {name: weights.clone() for name, weights in model.state_dict().items()}
        (args.out / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
        if stage not in STAGES[-ABLATION:]:
            save(model, args.out / f"{stage.name}.safetensors")


if __name__ == "__main__":
    main()
