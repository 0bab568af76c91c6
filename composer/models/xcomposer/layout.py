"""The layout of the official checkpoints of 2.0 and 2.5: their configuration and names of tensors, and ours for them.

Knows nothing of files.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from typing import Any, Literal

from .config import XComposer2Config

EYES = "vit.vision_tower.vision_model."
POSITIONS = EYES + "embeddings.position_embedding.weight"
GLOBAL_END, ROW_END = "plora_glb_GN", "plora_sub_GN"  # in 2.5 alone
OURS = (
    (r"model\.language_model\.layers\.(\d+)\.self_attn\.(wqkv|wo)\.", r"model.layers.\1.attention.\2."),
    (r"model\.language_model\.layers\.(\d+)\.mlp\.(w1|w2|w3)\.", r"model.layers.\1.feed_forward.\2."),
    (r"model\.language_model\.layers\.(\d+)\.input_layernorm\.", r"model.layers.\1.attention_norm."),
    (r"model\.language_model\.layers\.(\d+)\.post_attention_layernorm\.", r"model.layers.\1.ffn_norm."),
    (r"model\.language_model\.embed_tokens\.", "model.tok_embeddings."),
    (r"model\.language_model\.norm\.", "model.norm."),
    (r"lm_head\.", "output."),
    (r"model\.vision_tower\.", EYES),
    (r"model\.projector\.linear_1\.", "vision_proj.0."),
    (r"model\.projector\.linear_2\.", "vision_proj.2."),
    (r"model\.global_end$", GLOBAL_END),
    (r"model\.row_end$", ROW_END),
)
LEFT_OUT = (
    # Counted, not learnt: older versions of transformers stored them.
    re.compile(re.escape(EYES) + r"embeddings\.position_ids"),
    re.compile(r"model\.layers\.\d+\.attention\.rotary_emb\.(inv_freq|cos_cached|sin_cached)"),
)
Task = Literal["write", "web", "none"]
# 2.5 has adapters beside its linear layers: for articles two, trained one after the other, and one for web pages.
ADAPTERS: dict[Task, tuple[str, ...]] = {"write": ("sft", "dpo"), "web": ("web",), "none": ()}
_LINEAR = r"model\.layers\.\d+\.(?:attention\.(?:wqkv|wo)|feed_forward\.w[123])"
_ADAPTER = re.compile(rf"({_LINEAR})\.lora_(?:sft|dpo|web)_[AB]\.weight")
_TEXT = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "num_key_value_heads", "hidden_act", "max_position_embeddings", "initializer_range", "rms_norm_eps",
    "pad_token_id", "bos_token_id", "eos_token_id",
)  # fmt: skip
_CLIP_L_14 = {
    "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16,
    "patch_size": 14,
}  # fmt: skip


def official_name(ours: str) -> str:
    """The official name of one of our model's parameters."""
    name = ours
    for pattern, official in OURS:
        name, found = re.subn("^" + pattern, official, ours)
        if found:
            break
    return re.sub(r"\.lora_([AB])\.weight$", r".Plora_\1.weight", name.replace(".linear.", "."))


def linear_layers(names: Collection[str]) -> list[str]:
    """Those of the decoder among the names of tensors, without what stands behind the last dot."""
    return [name.removesuffix(".weight") for name in names if re.fullmatch(_LINEAR + r"\.weight", name)]


def adapter_names(linear: str, task: Task) -> list[tuple[str, str]]:
    """The names of A and B of each adapter that a task adds to a linear layer."""
    return [(f"{linear}.lora_{kind}_A.weight", f"{linear}.lora_{kind}_B.weight") for kind in ADAPTERS[task]]


def is_adapter(name: str, linears: Collection[str]) -> bool:
    """Whether a tensor is of an adapter beside one of these layers, for whatever task."""
    found = _ADAPTER.fullmatch(name)
    return found is not None and found[1] in linears


def left_out(name: str) -> bool:
    """Whether a tensor of the checkpoint is known and not needed."""
    return any(pattern.fullmatch(name) for pattern in LEFT_OUT)


def config_from_official(
    values: Mapping[str, Any], names: Collection[str], eyes_positions: int | None
) -> XComposer2Config:
    """Our configuration from the official config.json, which says nothing of the eyes.

    Args:
        values: config.json. Beside the official keys it may have `vision_config`, `plora_rank` and `image_token_id`,
            where a checkpoint of this layout has not the official sizes.
        names: of the checkpoint's tensors.
        eyes_positions: rows of the table of positions, which tell the side of pictures; None: not there.

    Raises:
        ValueError: the positions are not those of a square and one more; or a number of config.json cannot be.
    """
    text = {key: values[key] for key in _TEXT if key in values}
    scaling = values.get("rope_scaling") or {"type": "default"}
    rope = {"rope_type": scaling.get("rope_type", scaling.get("type")), "rope_theta": values.get("rope_theta", 1e6)}
    if "factor" in scaling:
        rope["factor"] = scaling["factor"]
    rank = values.get("plora_rank", 256)  # the official code has no key for it, and alpha is the same
    text |= {"rope_parameters": rope, "attention_bias": bool(values.get("bias", False))}
    text |= {"plora_rank": rank, "plora_alpha": rank}
    eyes = dict(values.get("vision_config") or _CLIP_L_14)
    if eyes_positions is not None:
        rows = math.isqrt(eyes_positions - 1)
        if rows * rows != eyes_positions - 1:
            raise ValueError(f"{POSITIONS} has {eyes_positions} rows, which are not those of a square and one more")
        eyes["image_size"] = rows * eyes["patch_size"]
    more = {"image_token_id": values["image_token_id"]} if "image_token_id" in values else {}
    if "max_length" in values:  # where the official code cuts prompts
        more["context_tokens"] = int(values["max_length"])
        if more["context_tokens"] < 1:
            raise ValueError(f"max_length is {values['max_length']}")
    return XComposer2Config(text_config=text, vision_config=eyes, tiled=GLOBAL_END in names, **more)
