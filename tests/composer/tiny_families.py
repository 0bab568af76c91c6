"""Tiny models of random weights from the real classes, one for each way that caches and pictures are kept."""

from __future__ import annotations

from typing import Any

import torch
from transformers import (
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3ImageProcessor,
    Gemma3Processor,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessor,
    Idefics3Processor,
    Qwen3_5Config,
    Qwen3_5ForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)

from benchmarks.tiny_qwen import TEMPLATE, make_qwen, tokenizer

PICTURE = "<|vision_start|><|image_pad|><|vision_end|>"
SIZES = {"hidden_size": 32, "intermediate_size": 64, "max_position_embeddings": 4096, "initializer_range": 0.3}
ENDS = {"eos_token_id": 2, "pad_token_id": 0, "bos_token_id": 1}
EYES = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "patch_size": 14}


def _finished(model: Any, processor: Any) -> tuple[Any, Any]:
    model.generation_config.eos_token_id = 2
    model.generation_config.pad_token_id = 0
    return model.eval(), processor


def qwen2_5_vl() -> tuple[Any, Any]:
    """Positions of rows and columns; patches of all pictures in one tensor."""
    return make_qwen()


def qwen3_vl() -> tuple[Any, Any]:
    """The same, and features of pictures that enter at several layers."""
    torch.manual_seed(1)
    _, other = make_qwen()
    processor = Qwen3VLProcessor(
        other.image_processor, other.tokenizer, Qwen3VLVideoProcessor(), chat_template=TEMPLATE
    )
    config = Qwen3VLConfig(
        text_config={
            **SIZES, **ENDS, "vocab_size": len(other.tokenizer), "num_hidden_layers": 4, "num_attention_heads": 2,
            "num_key_value_heads": 2, "head_dim": 16,
            "rope_parameters": {"rope_type": "default", "mrope_section": [4, 2, 2], "rope_theta": 1e4},
        },
        vision_config={
            "depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 32,
            "patch_size": 14, "spatial_merge_size": 2, "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0, 1],
        },
        image_token_id=5, video_token_id=6, vision_start_token_id=3, vision_end_token_id=4,
    )  # fmt: skip
    return _finished(Qwen3VLForConditionalGeneration(config), processor)


def qwen3_5() -> tuple[Any, Any]:
    """Linear attention: its state holds no tokens, and cannot be cut back."""
    torch.manual_seed(1)
    _, other = make_qwen()
    processor = Qwen3VLProcessor(
        other.image_processor, other.tokenizer, Qwen3VLVideoProcessor(), chat_template=TEMPLATE
    )
    config = Qwen3_5Config(
        text_config={
            **SIZES, **ENDS, "vocab_size": len(other.tokenizer), "num_hidden_layers": 4, "num_attention_heads": 2,
            "num_key_value_heads": 2, "head_dim": 16, "linear_num_value_heads": 2, "linear_num_key_heads": 2,
            "linear_key_head_dim": 16, "linear_value_head_dim": 16,
            "layer_types": ["linear_attention", "full_attention"] * 2,
            "rope_parameters": {
                "rope_type": "default", "mrope_section": [2, 1, 1], "rope_theta": 1e4, "partial_rotary_factor": 0.5,
            },
        },
        vision_config={
            "depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 32,
            "patch_size": 14, "spatial_merge_size": 2, "num_position_embeddings": 64,
        },
        image_token_id=5, video_token_id=6, vision_start_token_id=3, vision_end_token_id=4,
    )  # fmt: skip
    return _finished(Qwen3_5ForConditionalGeneration(config), processor)


def gemma3() -> tuple[Any, Any]:
    """A sliding window shorter than any prompt, and pictures whose tokens see each other."""
    torch.manual_seed(1)
    words = tokenizer((), 263)
    names = ["<start_of_image>", "<image_soft_token>", "<end_of_image>"]
    words.add_tokens(names, special_tokens=True)
    words.boi_token, words.image_token, words.eoi_token = names
    words.boi_token_id, words.image_token_id, words.eoi_token_id = words.convert_tokens_to_ids(names)
    processor = Gemma3Processor(
        Gemma3ImageProcessor(size={"height": 56, "width": 56}),
        words,
        chat_template=TEMPLATE.replace(PICTURE, names[0]),
        image_seq_length=4,
    )
    config = Gemma3Config(
        text_config={
            **SIZES, **ENDS, "vocab_size": len(words), "num_hidden_layers": 4, "num_attention_heads": 4,
            "num_key_value_heads": 2, "head_dim": 8, "sliding_window": 24, "query_pre_attn_scalar": 8,
            "layer_types": ["sliding_attention", "full_attention"] * 2,
        },
        vision_config={**EYES, "image_size": 56, "vision_use_head": False},
        mm_tokens_per_image=4,
        image_token_id=words.image_token_id,
        boi_token_index=words.boi_token_id,
        eoi_token_index=words.eoi_token_id,
    )  # fmt: skip
    model = Gemma3ForConditionalGeneration(config)
    torch.nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight)  # zeros see nothing
    return _finished(model, processor)


def idefics3() -> tuple[Any, Any]:
    """Pictures cut into tiles with marks between them, and a tensor of all prompts' tiles."""
    torch.manual_seed(1)
    words = tokenizer((), 263)
    marks = [f"<row_{row}_col_{column}>" for row in range(1, 5) for column in range(1, 5)]
    names = ["<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>", *marks]
    words.add_tokens(names, special_tokens=True)
    processor = Idefics3Processor(
        Idefics3ImageProcessor(size={"longest_edge": 112}, max_image_size={"longest_edge": 56}),
        words,
        image_seq_len=4,
        chat_template=TEMPLATE.replace(PICTURE, "<image>"),
    )
    config = Idefics3Config(
        image_token_id=words.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=0,
        vision_config={**EYES, "image_size": 56},
        text_config={
            **SIZES, **ENDS, "model_type": "llama", "vocab_size": len(words), "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 4,
        },
    )  # fmt: skip
    return _finished(Idefics3ForConditionalGeneration(config), processor)


FAMILIES = {made.__name__: made for made in (qwen2_5_vl, qwen3_vl, qwen3_5, gemma3, idefics3)}
