"""The layout of official checkpoints of 1.0: their configuration and names of tensors, and ours for them.

Knows nothing of files.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .config import XComposer1Config

if TYPE_CHECKING:
    from torch import Tensor, nn

POSITIONS = "visual_encoder.pos_embed"
_EYES, _SAMPLER, _WRITER = r"model\.vision_tower\.", r"model\.qformer\.encoder\.layer\.(\d+)\.", "internlm_model."
OURS = (
    (_EYES + r"embeddings\.class_embedding$", "visual_encoder.cls_token"),
    (_EYES + r"embeddings\.position_embedding$", POSITIONS),
    (_EYES + r"embeddings\.patch_embedding\.", "visual_encoder.patch_embed.proj."),
    (_EYES + r"encoder\.layers\.(\d+)\.self_attn\.projection\.", r"visual_encoder.blocks.\1.attn.proj."),
    (_EYES + r"encoder\.layers\.(\d+)\.self_attn\.", r"visual_encoder.blocks.\1.attn."),
    (_EYES + r"encoder\.layers\.(\d+)\.layer_norm([12])\.", r"visual_encoder.blocks.\1.norm\2."),
    (_EYES + r"encoder\.layers\.(\d+)\.mlp\.", r"visual_encoder.blocks.\1.mlp."),
    (_EYES + r"post_layernorm\.", "ln_vision."),
    (r"model\.query_tokens$", "query_tokens"),
    (r"model\.qformer\.layernorm\.", "Qformer.bert.embeddings.LayerNorm."),
    (_SAMPLER + r"(attention|crossattention)\.attention\.", r"Qformer.bert.encoder.layer.\1.\2.self."),
    (_SAMPLER, r"Qformer.bert.encoder.layer.\1."),
    (r"model\.image_begin$", "flag_image_start"),
    (r"model\.image_end$", "flag_image_end"),
    (r"model\.projector\.", "internlm_proj."),
    (r"model\.language_model\.", _WRITER + "model."),
    (r"lm_head\.", _WRITER + "lm_head."),
)
LEFT_OUT = (
    # Counted, not learnt: older versions of transformers stored them.
    re.compile(r"Qformer\.bert\.embeddings\.position_ids"),
    re.compile(r"internlm_model\.model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq"),
)
_KEY_BIAS = re.compile(r"(visual_encoder\.blocks\.\d+\.attn)\.qkv\.bias")
_LINEAR = re.compile(r"internlm_model\.model\.layers\.\d+\.(?:self_attn|mlp)\.(\w+)_proj\.weight")
# What `learn_param` of config.json names, and the linear layers that it stands for.
_LEARNT = {"q": ("q",), "k": ("k",), "v": ("v",), "o": ("o",), "ffn": ("up", "down")}
_TEXT = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "hidden_act",
    "max_position_embeddings", "initializer_range", "rms_norm_eps", "bos_token_id", "eos_token_id",
)  # fmt: skip


def official_name(ours: str) -> str:
    """The official name of one of our model's parameters."""
    for pattern, official in OURS:
        name, found = re.subn("^" + pattern, official, ours)
        if found:
            return name
    return ours


def left_out(name: str) -> bool:
    """Whether a tensor of the checkpoint is known and not needed."""
    return any(pattern.fullmatch(name) for pattern in LEFT_OUT)


def places(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Official names, and the parameter or the part of one that holds each; views, so what is copied there stays.

    The eyes have queries, keys and values in one layer, whose bias is stored for queries and values alone; that of keys
    stays what it is in a new model, zero.
    """
    for ours, weights in model.named_parameters():
        name = official_name(ours)
        if biases := key_less_bias(name):
            queries, _, values = weights.chunk(3)
            yield from zip(biases, (queries, values), strict=True)
        else:
            yield name, weights


def key_less_bias(name: str) -> tuple[str, str] | None:
    """The tensors that make up the bias of the eyes' queries, keys and values; None for every other parameter."""
    found = _KEY_BIAS.fullmatch(name)
    return (f"{found[1]}.q_bias", f"{found[1]}.v_bias") if found else None


@dataclass(frozen=True, slots=True)
class Lora:
    """The low-rank additions to InternLM, which the checkpoint keeps beside its weights: W x + scale B A x."""

    rank: int
    scale: float
    layers: frozenset[str]  # "q", "up" and so on

    def pair(self, weight: str) -> tuple[str, str] | None:
        """The names of A and B beside a weight of the checkpoint, where it has an addition."""
        found = _LINEAR.fullmatch(weight)
        if found is None or found[1] not in self.layers:
            return None
        layer = weight.removesuffix(".weight")
        return f"{layer}.lora_A.weight", f"{layer}.lora_B.weight"


def lora_from_official(values: Mapping[str, Any]) -> Lora:
    """What config.json says of the additions.

    Raises:
        LookupError, TypeError, ValueError: what it says cannot be.
    """
    lora = values.get("internlm_lora")
    if lora is None:
        return Lora(0, 0.0, frozenset())
    rank = int(lora["lora_r"])
    if rank < 1:
        raise ValueError(f"internlm_lora has the rank {rank}")
    unknown = [name for name in lora["learn_param"] if name not in _LEARNT]
    if unknown:
        raise ValueError(f"internlm_lora learns {unknown[0]!r}, which is no layer of InternLM")
    layers = frozenset(layer for name in lora["learn_param"] for layer in _LEARNT[name])
    return Lora(rank, float(lora["lora_alpha"]) / rank, layers)


def config_from_official(values: Mapping[str, Any], eyes_positions: int | None) -> XComposer1Config:
    """Our configuration from the official config.json, which says nothing of the eyes and the sampler.

    Args:
        values: config.json. Beside the official keys it may have `vision_config`, `qformer_config` and
            `image_token_id`, where a checkpoint of this layout has not the official sizes.
        eyes_positions: rows of the table of positions, which tell the side of pictures; None: not there.

    Raises:
        ValueError: the positions are not those of a square and one more; or a number of config.json cannot be.
    """
    text = {key: values[key] for key in _TEXT if key in values}
    padding = values.get("pad_token_id")  # -1 in the official file, whose tokenizer pads with the end of the text
    text["pad_token_id"] = text.get("eos_token_id") if padding in (None, -1) else padding
    text["attention_bias"] = bool(values.get("kqvo_bias", True))
    text["rope_parameters"] = {"rope_type": "default", "rope_theta": 10000.0}
    eyes = dict(values.get("vision_config") or {})
    sampler = dict(values.get("qformer_config") or {})
    config = XComposer1Config(text_config=text, vision_config=eyes, qformer_config=sampler, **_rest(values))
    vision: Any = config.vision_config
    if eyes_positions is not None:
        rows = math.isqrt(eyes_positions - 1)
        if rows * rows != eyes_positions - 1:
            raise ValueError(f"{POSITIONS} has {eyes_positions} rows, which are not those of a square and one more")
        vision.image_size = rows * vision.patch_size
    qformer: Any = config.qformer_config
    qformer.encoder_hidden_size = vision.hidden_size
    return config


def _rest(values: Mapping[str, Any]) -> dict[str, Any]:
    names = {"num_query_token": "num_query_tokens", "image_token_id": "image_token_id"}
    return {ours: values[official] for official, ours in names.items() if official in values}


def expected_shapes(model: nn.Module, lora: Lora) -> dict[str, tuple[int, ...]]:
    """Every tensor that a checkpoint of this model has, additions among them."""
    shapes = {name: tuple(weights.shape) for name, weights in places(model)}
    for name, shape in list(shapes.items()):
        if pair := lora.pair(name):
            outputs, inputs = shape
            shapes |= {pair[0]: (lora.rank, inputs), pair[1]: (outputs, lora.rank)}
    return shapes


def pairs(names: Collection[str], lora: Lora) -> dict[str, tuple[str, str]]:
    """The weights that have an addition, and the names of its A and B."""
    return {name: pair for name in names if (pair := lora.pair(name))}
