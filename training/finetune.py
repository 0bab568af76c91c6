"""Supervised fine-tuning with the Trainer of transformers: which weights learn, each how fast, and what is kept.

Knows nothing of articles or prompts; a batch comes with its labels. Low-rank additions for all tokens are peft's LoRA;
an XComposer has Partial LoRA of its own, for the tokens of pictures alone, which trains in place.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import Trainer

# What stands between eyes and decoder, as the families name it; and weights there that are in no module of their own.
_BRIDGES, _LOOSE = r"\w*projector|merger|connector|resampler|qformer|aligner", r"query_tokens|row_end|global_end"
BRIDGE = rf"(?:^|\.)(?:{_BRIDGES}|{_LOOSE})(?:$|\.)"
LORA, LORA_BRIDGE = r"\.lora_[AB]\.(?:default\.)?weight$", rf"\.modules_to_save\.|\.(?:{_LOOSE})$"
PARTIAL_LORA = r"\.lora_[AB]\.weight$"
_LEARNT = "learnt.safetensors"


@dataclass(frozen=True, slots=True)
class Rate:
    """The learning rate of the weights whose names a pattern finds."""

    pattern: str
    lr: float


def train_only(model: torch.nn.Module, rates: Sequence[Rate]) -> None:
    """Freeze all weights but those with a rate, which learn in float32 whatever the others are stored in.

    Raises:
        ValueError: a rate is that of no weights.
    """
    for rate in rates:
        if not any(re.search(rate.pattern, name) for name, _ in model.named_parameters()):
            raise ValueError(f"no weights are named {rate.pattern}")
    for name, weight in model.named_parameters():
        learns = rate_of(name, rates) is not None
        weight.requires_grad_(learns)
        if learns:
            weight.data = weight.data.float()


def rate_of(name: str, rates: Iterable[Rate]) -> Rate | None:
    """The first rate that is meant for these weights."""
    return next((rate for rate in rates if re.search(rate.pattern, name)), None)


def add_lora(model: Any, *, rank: int, alpha: int, dropout: float = 0.0) -> Any:
    """The model with peft's LoRA in every linear layer of its decoder.

    Partial LoRA of its own learns too, in place, and so does what joins eyes and decoder, whole.
    """
    from peft import LoraConfig, get_peft_model

    decoder = model.get_decoder()
    [begin] = [name for name, module in model.named_modules() if module is decoder]
    linears = [
        f"{begin}.{name}"
        for name, module in decoder.named_modules()
        if isinstance(module, torch.nn.Linear) and "lora_" not in name
    ]
    bridges = [name for name, _ in model.named_modules() if re.search(rf"\.(?:{_BRIDGES})$", name)]
    config = LoraConfig(
        r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=linears, modules_to_save=bridges or None
    )
    with warnings.catch_warnings():
        # peft asks transformers by a name that is to go in its version 6
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        adapted = get_peft_model(model, config)
    for name, weight in adapted.named_parameters():
        if re.search(rf"{LORA}|{LORA_BRIDGE}", name):
            weight.requires_grad_(True)
            weight.data = weight.data.float()
    return adapted


class RatedTrainer(Trainer):
    """The Trainer, with a learning rate of their own for some weights, and checkpoints of what learns alone."""

    def __init__(self, *args: Any, rates: Sequence[Rate], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rates = rates

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """AdamW over one group of weights for each rate; norms and biases, of one dimension, are not decayed."""
        groups: dict[tuple[float, bool], list[torch.nn.Parameter]] = {}
        for name, weight in learnt(self.model).items():
            rate = rate_of(name, self.rates)
            groups.setdefault((rate.lr if rate else self.args.learning_rate, weight.ndim > 1), []).append(weight)
        self.optimizer = torch.optim.AdamW(
            [
                {"params": weights, "lr": lr, "weight_decay": self.args.weight_decay if decays else 0.0}
                for (lr, decays), weights in groups.items()
            ],
            betas=(self.args.adam_beta1, self.args.adam_beta2),
        )
        return self.optimizer

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(output_dir or self.args.output_dir or ".")
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: weight.detach().cpu() for name, weight in learnt(self.model).items()}, folder / _LEARNT)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        found = load_file(Path(resume_from_checkpoint) / _LEARNT)
        wanted = learnt(model or self.model)
        if found.keys() != wanted.keys():
            raise ValueError(f"{resume_from_checkpoint} is of a run in which other weights learnt")
        with torch.no_grad():
            for name, weight in wanted.items():
                weight.copy_(found[name])


def learnt(model: Any) -> dict[str, torch.nn.Parameter]:
    """The weights that learn, by their names."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def has_partial_lora(model: Any) -> bool:
    """Whether the model has low-rank weights of its own."""
    return any(re.search(PARTIAL_LORA, name) for name, _ in model.named_parameters())
