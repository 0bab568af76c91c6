"""Tiny checkpoints in the official layouts, whole: weights of random numbers, config.json and a tokenizer's file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch
from limner.composer.models.xcomposer.config import XComposer2Config
from limner.composer.models.xcomposer.layout import official_name
from limner.composer.models.xcomposer.model import XComposer2ForConditionalGeneration
from limner.composer.models.xcomposer.one.layout import places
from limner.composer.models.xcomposer.one.model import XComposer1ForConditionalGeneration
from limner.composer.models.xcomposer.one.processor import END_OF_ANSWER, END_OF_HUMAN
from limner.composer.models.xcomposer.one.processor import IMAGE as IMAGE_OF_ONE
from limner.composer.models.xcomposer.processor import END_OF_TURN, IMAGE, TURN
from safetensors.torch import save_file
from transformers.convert_slow_tokenizer import import_protobuf

from . import tiny_xcomposer, tiny_xcomposer1

VOCABULARY = 300
PICTURE = 259  # the piece after those of the bytes
VERSIONS = ("1.0", "2.0", "2.5")
Tensors = dict[str, torch.Tensor]


def write_official(folder: Path, version: str, *, pickled: bool = False, **changes: Any) -> Path:
    """The folder, made; `changes` are keys of config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors, config, special = _one() if version == "1.0" else _two(tiled=version == "2.5")
    (folder / "config.json").write_text(json.dumps(config | changes))
    _write_tokenizer(folder, special)
    if not pickled:
        save_file(tensors, folder / "model.safetensors")
        return folder
    names = sorted(tensors)
    where = {name: f"pytorch_model-0000{1 + i % 2}-of-00002.bin" for i, name in enumerate(names)}
    for shard in sorted(set(where.values())):
        torch.save({name: tensors[name].clone() for name in names if where[name] == shard}, folder / shard)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
    return folder


def _two(*, tiled: bool) -> tuple[Tensors, dict[str, Any], tuple[str, ...]]:
    eyes = tiny_xcomposer.EYES | {"image_size": 56}
    text = {**tiny_xcomposer.TEXT, "vocab_size": VOCABULARY, "plora_alpha": 4}
    shape = XComposer2Config(text_config=text, vision_config=eyes, image_token_id=PICTURE, tiled=tiled)
    model = XComposer2ForConditionalGeneration(shape)
    tiny_xcomposer.randomise(model)
    tensors = {official_name(name): weights.detach().clone() for name, weights in model.named_parameters()}
    if tiled:
        tensors |= _adapters(tensors)
    config = {key: value for key, value in text.items() if not key.startswith("plora_alpha")} | {
        "architectures": ["InternLMXComposer2ForCausalLM"], "model_type": "internlmxcomposer2", "rope_theta": 1e6,
        "bias": False, "hidden_act": "silu", "torch_dtype": "float32", "image_token_id": PICTURE, "max_length": 1024,
        "auto_map": {"AutoModel": "modeling_internlm_xcomposer2.InternLMXComposer2ForCausalLM"},
        "vision_config": {key: value for key, value in eyes.items() if key != "image_size"},
    }  # fmt: skip
    return tensors, config, (IMAGE, TURN, END_OF_TURN)


def _adapters(tensors: Tensors) -> Tensors:
    drawn = torch.Generator().manual_seed(5)
    made: Tensors = {}
    for name, weights in tensors.items():
        if re.fullmatch(r"model\.layers\.\d+\.\w+\.(w\d|wqkv|wo)\.weight", name):
            outputs, inputs = weights.shape
            for kind in ("sft", "dpo", "web"):
                at = name.removesuffix("weight") + f"lora_{kind}"
                made[f"{at}_A.weight"] = torch.randn(2, inputs, generator=drawn) * 0.1
                made[f"{at}_B.weight"] = torch.randn(outputs, 2, generator=drawn) * 0.1
    return made


def _one() -> tuple[Tensors, dict[str, Any], tuple[str, ...]]:
    shape = tiny_xcomposer1.config(vocabulary=VOCABULARY, image_token_id=PICTURE)
    model = XComposer1ForConditionalGeneration(shape)
    tiny_xcomposer.randomise(model)
    tensors = {name: weights.detach().clone() for name, weights in places(model)}
    config = {
        **tiny_xcomposer1.TEXT, "vocab_size": VOCABULARY, "architectures": ["InternLMXComposerForCausalLM"],
        "model_type": "InternLMXComposer", "kqvo_bias": True, "hidden_act": "silu", "torch_dtype": "float32",
        "num_query_token": shape.num_query_tokens, "image_token_id": PICTURE,
        "vision_config": {key: value for key, value in tiny_xcomposer1.EYES.items() if key != "image_size"},
        "qformer_config": {k: value for k, value in tiny_xcomposer1.SAMPLER.items() if k != "encoder_hidden_size"},
    }  # fmt: skip
    return tensors, config, (IMAGE_OF_ONE, END_OF_HUMAN, END_OF_ANSWER)


def _write_tokenizer(folder: Path, special: tuple[str, ...]) -> None:
    """A SentencePiece file of bytes and the frame's own pieces."""
    schema: Any = import_protobuf()
    model = schema.ModelProto()
    model.trainer_spec.model_type, model.trainer_spec.byte_fallback = 2, True
    pieces = ("<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *special, *"abcdefghijklmnop")
    for number, piece in enumerate(pieces):
        of = 2 if number == 0 else 3 if number < 3 else 6 if number < 259 else 4 if piece in special else 1
        model.pieces.add(piece=piece, score=-float(number), type=of)
    (folder / "tokenizer.model").write_bytes(model.SerializeToString())
