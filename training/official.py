"""A tiny or fine-tuned XComposer 2 laid out as the official checkpoints are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from limner.composer.models.xcomposer.config import XComposer2Config
from limner.composer.models.xcomposer.layout import official_name
from safetensors.torch import save_file

_TEXT = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "num_key_value_heads", "hidden_act", "max_position_embeddings", "initializer_range", "rms_norm_eps",
    "pad_token_id", "bos_token_id", "eos_token_id",
)  # fmt: skip
_EYES = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "patch_size", "hidden_act")


def save_weights(model: Any, folder: Path) -> None:
    """The weights under their official names."""
    state = {official_name(name): weights.detach().cpu().contiguous() for name, weights in model.named_parameters()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


def save_config(config: XComposer2Config, folder: Path) -> None:
    """config.json: the official keys, and beside them what only the official sizes need not say."""
    text, eyes = config.get_text_config(), config.vision_config
    values = {key: getattr(text, key) for key in _TEXT}
    values |= {
        "model_type": "internlmxcomposer2",
        "architectures": ["InternLMXComposer2ForCausalLM"],
        "bias": text.attention_bias,
        "rope_theta": text.rope_parameters["rope_theta"],
        "rope_scaling": None,
        "plora_rank": text.plora_rank,
        "image_token_id": config.image_token_id,
        "vision_config": {key: getattr(eyes, key) for key in _EYES},
    }
    (folder / "config.json").write_text(json.dumps(values, indent=2) + "\n")
