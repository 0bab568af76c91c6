"""A Qwen2.5-VL of random weights with its own processor: every part of the real one but the learning, in a second."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

PATCH_PX = 14
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% for p in m['content'] %}{% if p['type'] == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ p['text'] }}{% endif %}{% endfor %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)


def tokenizer(texts: Iterable[str], size: int) -> Any:
    """A byte-level BPE tokenizer of at most `size` tokens, trained on texts; without any, one token a byte."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token=SPECIAL[0],
        eos_token=SPECIAL[2],
        additional_special_tokens=list(SPECIAL),
    )


def make_qwen(
    texts: Iterable[str] = (), *, vocabulary: int = 263, width: int = 32, layers: int = 2, side_px: int = 56
) -> tuple[Any, Any]:
    """A model and its processor.

    Args:
        texts: what the tokenizer is trained on.
        vocabulary: how many tokens it has at most.
        width: of the language model, a multiple of 16.
        layers: of the language model.
        side_px: pictures are brought to about this side; each 28 x 28 pixels are a token.
    """
    import torch
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
    )

    words = tokenizer(texts, vocabulary)
    area = {"shortest_edge": 28 * 28, "longest_edge": side_px * side_px}
    processor = Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(size=area), words, Qwen2VLVideoProcessor(), chat_template=TEMPLATE
    )
    size = min(64, width // 2)  # of a head
    heads = width // size
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(words),
            "hidden_size": width,
            "intermediate_size": 4 * width,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "num_key_value_heads": heads,
            "max_position_embeddings": 32768,
            "initializer_range": 0.3,  # so that answers differ
            "rope_parameters": {
                "rope_type": "default",
                "mrope_section": [size // 8, size * 3 // 16, size * 3 // 16],
                "rope_theta": 10_000.0,
            },
            "eos_token_id": 2,
            "pad_token_id": 0,
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "out_hidden_size": width,
            "fullatt_block_indexes": [1],
            "patch_size": PATCH_PX,
            "window_size": 112,
        },
        image_token_id=5,
        video_token_id=6,
        vision_start_token_id=3,
        vision_end_token_id=4,
    )
    torch.manual_seed(5)
    model = Qwen2_5_VLForConditionalGeneration(config).eval()
    model.generation_config.eos_token_id = 2
    model.generation_config.pad_token_id = 0
    return model, processor
