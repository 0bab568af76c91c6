"""A tiny InternLM-XComposer 2 of random weights, and prompts for it."""

from __future__ import annotations

import torch
from limner.composer.models.xcomposer.config import XComposer2Config
from limner.composer.models.xcomposer.model import XComposer2ForConditionalGeneration
from limner.composer.models.xcomposer.processor import (
    END_OF_TURN,
    IMAGE,
    TURN,
    XComposer2Processor,
    image_processor,
)

from .families import tokenizer

SIDE_PX = 28
TOKENS_A_PICTURE = 4
TEXT = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 2048, "initializer_range": 0.3, "rms_norm_eps": 1e-5,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "plora_rank": 4, "plora_alpha": 8,
}  # fmt: skip
EYES = {
    "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "patch_size": 14,
    "image_size": SIDE_PX,
}  # fmt: skip


def words() -> object:
    """Byte tokens with the frame's; 3 is the token of pictures."""
    return tokenizer(IMAGE, TURN, END_OF_TURN, eos="</s>", pad="<pad>", bos="<s>")


def config(*, vocabulary: int = 300, image_token_id: int = 3) -> XComposer2Config:
    return XComposer2Config(
        text_config={**TEXT, "vocab_size": vocabulary}, vision_config=EYES, image_token_id=image_token_id
    )


def randomise(model: torch.nn.Module, seed: int = 1) -> None:
    """Every weight at random, those too that begin with zeros or ones: nothing is hidden by them."""
    drawn = torch.Generator().manual_seed(seed)
    for name, weights in model.named_parameters():
        noise = torch.randn(weights.shape, generator=drawn) * 0.3
        weights.data = noise + 1 if "norm" in name and name.endswith("weight") else noise


def tiny_model() -> XComposer2ForConditionalGeneration:
    model = XComposer2ForConditionalGeneration(config()).eval()
    randomise(model)
    return model


def processor() -> XComposer2Processor:
    return XComposer2Processor(image_processor(SIDE_PX), words(), side_tokens=2)


def prompt(*parts: int, seed: int = 0) -> dict[str, torch.Tensor]:
    """A prompt from the lengths of its texts, with a picture between each two of them."""
    drawn = torch.Generator().manual_seed(seed + 100 * len(parts))
    ids: list[int] = [1]
    for number, length in enumerate(parts):
        ids += [3] * TOKENS_A_PICTURE if number else []
        ids += torch.randint(4, 300, (length,), generator=drawn).tolist()
    inputs = {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.long)}
    if len(parts) > 1:
        inputs["pixel_values"] = torch.randn(len(parts) - 1, 3, SIDE_PX, SIDE_PX, generator=drawn)
    return inputs
