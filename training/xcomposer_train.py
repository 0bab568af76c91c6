"""Trains a tiny InternLM-XComposer 2 in the picture-book world, from what `training.xcomposer_book` prepared.

    python -m training.xcomposer_train --data FOLDER --out FOLDER --minutes 5

`xcomposer_stages` says what is trained when, `xcomposer_samples` on what. Needs torch, transformers and
`limner.composer.models.xcomposer` alone.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from limner.composer.models.xcomposer.model import XComposer2ForConditionalGeneration
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import TrainerCallback, TrainingArguments

from .finetune import Rate, RatedTrainer, train_only
from .muon import MuonAdamW
from .xcomposer_measure import measure
from .xcomposer_samples import LETTER, NAME, REPLY, VERDICT, Batches, Samples
from .xcomposer_stages import ABLATION, FRESH, STAGES, Stage
from .xcomposer_tiny import Seeing, build_model, read_pictures, see

EYES = "vision_tower."


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
