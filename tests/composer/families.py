"""Tiny models of every family, random weights in the families' real classes, with processors and templates like theirs.

Each builder saves a folder that `transformers:FOLDER` loads. Pictures have few tokens, tokens are bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers as t

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['content'] is string %}{{ m['content'] }}"
    "{% else %}{% for p in m['content'] %}{% if p['type'] == 'image' %}PICTURE{% else %}{{ p['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% for m in messages %}<start_of_turn>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n"
    "{% for p in m['content'] %}{% if p['type'] == 'image' %}PICTURE{% else %}{{ p['text'] | trim }}{% endif %}"
    "{% endfor %}<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
SMOL = (
    "<|im_start|>{% for m in messages %}{{ m['role'] | capitalize }}{% if m['content'][0]['type'] == 'image' %}:"
    "{% else %}: {% endif %}{% for p in m['content'] %}{% if p['type'] == 'text' %}{{ p['text'] }}{% else %}PICTURE"
    "{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)


@dataclass(frozen=True)
class Family:
    """How one is built, and what its prompts must look like."""

    build: Callable[[Path], None]
    image_token: str  # stands as often as the picture has tokens
    tokens_a_picture: int  # of the square pictures of the tests
    around: tuple[str, str] = ("", "")  # what the template or processor puts before and after them
    reads_pictures: bool = True


def tokenizer(
    *special: str, pad: str = "<pad>", bos: str = "<bos>", eos: str, **named: str
) -> t.PreTrainedTokenizerFast:
    """Byte-level tokens, no merges; the special ones first, pad is 0 and bos 1."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    own = list(dict.fromkeys([pad, bos, eos, *special, *named.values()]))
    plain = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate([*own, *alphabet])}, merges=[]))
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    extra = {f"token_{i}": token for i, token in enumerate(special)} | named
    return t.PreTrainedTokenizerFast(
        tokenizer_object=plain, pad_token=pad, bos_token=bos, eos_token=eos, extra_special_tokens=extra
    )


def text_shape(words: Any, **more: Any) -> dict[str, Any]:
    """The text half of a configuration; wide initial weights, so that answers differ."""
    return {
        "vocab_size": len(words),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 1024,
        "initializer_range": 0.4,
        "pad_token_id": words.pad_token_id,
        "bos_token_id": words.bos_token_id,
        "eos_token_id": words.eos_token_id,
        **more,
    }


def save(folder: Path, kind: Any, config: Any, processor: Any) -> None:
    """Both halves, the weights drawn from one seed."""
    torch.manual_seed(3)
    model = kind(config).eval()
    for weights in model.parameters():
        if weights.ndim > 1 and not weights.any():  # Gemma 3 begins with a projector that lets no picture through
            torch.nn.init.normal_(weights, std=0.4)
    model.generation_config.eos_token_id = config.get_text_config().eos_token_id
    model.generation_config.pad_token_id = config.get_text_config().pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


QWEN = ("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
QWEN_PICTURE = "<|vision_start|><|image_pad|><|vision_end|>"


def _qwen_parts(words: Any) -> dict[str, Any]:
    image, video, start, end = (
        words.convert_tokens_to_ids(f"<|{name}|>") for name in ("image_pad", "video_pad", "vision_start", "vision_end")
    )
    return {
        "image_token_id": image,
        "video_token_id": video,
        "vision_start_token_id": start,
        "vision_end_token_id": end,
    }


def qwen2_5_vl(folder: Path) -> None:
    words = tokenizer(*QWEN, eos="<|im_end|>")
    images = t.Qwen2VLImageProcessor(patch_size=14, min_pixels=28 * 28 * 4, max_pixels=28 * 28 * 4)
    video = t.Qwen2VLVideoProcessor()
    template = CHATML.replace("PICTURE", QWEN_PICTURE)
    processor = t.Qwen2_5_VLProcessor(images, words, video, chat_template=template)
    vision = {
        "depth": 2, "hidden_size": 16, "intermediate_size": 24, "num_heads": 2, "patch_size": 14,
        "out_hidden_size": 32, "fullatt_block_indexes": [1], "window_size": 56, "initializer_range": 0.4,
    }  # fmt: skip
    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
    text = text_shape(words, rope_parameters=rope)
    config = t.Qwen2_5_VLConfig(text_config=text, vision_config=vision, **_qwen_parts(words))
    save(folder, t.Qwen2_5_VLForConditionalGeneration, config, processor)


def qwen3_vl(folder: Path) -> None:
    words = tokenizer(*QWEN, eos="<|im_end|>")
    images = t.Qwen2VLImageProcessor(patch_size=16, min_pixels=32 * 32 * 4, max_pixels=32 * 32 * 4)
    video = t.Qwen3VLVideoProcessor()
    processor = t.Qwen3VLProcessor(images, words, video, chat_template=CHATML.replace("PICTURE", QWEN_PICTURE))
    vision = {
        "depth": 2, "hidden_size": 16, "intermediate_size": 24, "num_heads": 2, "patch_size": 16,
        "out_hidden_size": 32, "num_position_embeddings": 16, "deepstack_visual_indexes": [0], "initializer_range": 0.4,
    }  # fmt: skip
    rope = {"rope_type": "default", "mrope_section": [2, 1, 1], "mrope_interleaved": True, "rope_theta": 10000.0}
    text = text_shape(words, rope_parameters=rope)
    config = t.Qwen3VLConfig(text_config=text, vision_config=vision, **_qwen_parts(words))
    save(folder, t.Qwen3VLForConditionalGeneration, config, processor)


def internvl(folder: Path) -> None:
    named = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    words = tokenizer("<|im_start|>", "<|im_end|>", eos="<|im_end|>", **named)
    images = t.GotOcr2ImageProcessor(size={"height": 32, "width": 32}, crop_to_patches=False, max_patches=2)
    video = t.InternVLVideoProcessor(size={"height": 32, "width": 32})
    template = CHATML.replace("PICTURE", "<IMG_CONTEXT>\n")
    processor = t.InternVLProcessor(images, words, video, image_seq_length=4, chat_template=template)
    vision = {
        "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
        "image_size": [32, 32], "patch_size": [8, 8], "initializer_range": 0.4,
    }  # fmt: skip
    text = text_shape(words, model_type="qwen2")
    config = t.InternVLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=words.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
    )
    save(folder, t.InternVLForConditionalGeneration, config, processor)


SMOL_TOKENS = (
    "<|im_start|>", "<end_of_utterance>", "<fake_token_around_image>", "<image>", "<global-img>",
    *(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)),
)  # fmt: skip


def _smol(folder: Path, smol: bool) -> None:
    words = tokenizer(*SMOL_TOKENS, eos="<end_of_utterance>")
    kind = t.SmolVLMImageProcessor if smol else t.Idefics3ImageProcessor
    images = kind(size={"longest_edge": 64}, max_image_size={"longest_edge": 32}, do_image_splitting=True)
    template = SMOL.replace("PICTURE", "<image>")
    vision = {
        "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
        "image_size": 32, "patch_size": 8, "initializer_range": 0.4,
    }  # fmt: skip
    text = text_shape(words, model_type="llama")
    image = words.convert_tokens_to_ids("<image>")
    parts = {
        "text_config": text,
        "vision_config": vision,
        "scale_factor": 2,
        "image_token_id": image,
        "pad_token_id": 0,
    }
    if smol:
        video = t.SmolVLMVideoProcessor(size={"longest_edge": 32}, max_image_size={"longest_edge": 32})
        processor = t.SmolVLMProcessor(images, words, video, image_seq_len=4, chat_template=template)
        save(folder, t.SmolVLMForConditionalGeneration, t.SmolVLMConfig(**parts), processor)
    else:
        processor = t.Idefics3Processor(images, words, image_seq_len=4, chat_template=template)
        save(folder, t.Idefics3ForConditionalGeneration, t.Idefics3Config(**parts), processor)


def smolvlm(folder: Path) -> None:
    _smol(folder, smol=True)


def idefics3(folder: Path) -> None:
    _smol(folder, smol=False)


def llava_onevision(folder: Path) -> None:
    words = tokenizer("<|im_start|>", "<|im_end|>", "<image>", "<video>", eos="<|im_end|>")
    pinpoints = [[16, 16], [16, 32], [32, 16], [32, 32]]
    size = {"height": 16, "width": 16}
    images = t.LlavaOnevisionImageProcessor(size=size, image_grid_pinpoints=pinpoints)
    video = t.LlavaOnevisionVideoProcessor(size=size)
    processor = t.LlavaOnevisionProcessor(
        images,
        words,
        video,
        num_image_tokens=4,
        vision_feature_select_strategy="full",
        chat_template=CHATML.replace("PICTURE", "<image>\n"),
    )
    vision = {
        "model_type": "siglip_vision_model", "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
        "num_attention_heads": 2, "image_size": 16, "patch_size": 8, "vision_use_head": False,
    }  # fmt: skip
    config = t.LlavaOnevisionConfig(
        text_config=text_shape(words, model_type="qwen2"),
        vision_config=vision,
        image_token_index=words.convert_tokens_to_ids("<image>"),
        video_token_index=words.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=pinpoints,
    )
    save(folder, t.LlavaOnevisionForConditionalGeneration, config, processor)


GEMMA_TOKENS = {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"}


def gemma3(folder: Path) -> None:
    words = tokenizer("<start_of_turn>", "<end_of_turn>", eos="<end_of_turn>", **GEMMA_TOKENS)
    images = t.Gemma3ImageProcessor(size={"height": 32, "width": 32})
    template = GEMMA.replace("PICTURE", "<start_of_image>")
    processor = t.Gemma3Processor(images, words, image_seq_length=4, chat_template=template)
    vision = {
        "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
        "image_size": 32, "patch_size": 8, "vision_use_head": False,
    }  # fmt: skip
    # A window shorter than the prompts, as in the real ones: some layers forget.
    layers = ["sliding_attention", "full_attention"]
    text = text_shape(words, sliding_window=16, layer_types=layers, query_pre_attn_scalar=8)
    ids = words.convert_tokens_to_ids
    config = t.Gemma3Config(
        text_config=text,
        vision_config=vision,
        mm_tokens_per_image=4,
        boi_token_index=ids("<start_of_image>"),
        eoi_token_index=ids("<end_of_image>"),
        image_token_index=ids("<image_soft_token>"),
    )
    save(folder, t.Gemma3ForConditionalGeneration, config, processor)


def gemma4(folder: Path) -> None:
    named = {
        "image_token": "<|image|>", "boi_token": "<|image>", "eoi_token": "<image|>",
        "audio_token": "<|audio|>", "boa_token": "<|audio>", "eoa_token": "<audio|>",
    }  # fmt: skip
    words = tokenizer("<start_of_turn>", "<end_of_turn>", "<|video|>", eos="<end_of_turn>", **named)
    images = t.Gemma4ImageProcessor(patch_size=8, max_soft_tokens=70, pooling_kernel_size=2)
    template = GEMMA.replace("PICTURE", "\n\n<|image|>\n\n")
    video = t.Gemma4VideoProcessor()
    audio = t.Gemma4AudioFeatureExtractor()
    processor = t.Gemma4Processor(audio, images, words, video, chat_template=template, image_seq_length=70)
    vision = {
        "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 2, "head_dim": 8, "patch_size": 8, "pooling_kernel_size": 2,
        "position_embedding_size": 64, "initializer_range": 0.4,
    }  # fmt: skip
    layers = ["sliding_attention", "full_attention"]
    text = text_shape(
        words,
        sliding_window=16,
        layer_types=layers,
        vocab_size_per_layer_input=len(words),
        hidden_size_per_layer_input=8,
        global_head_dim=8,
    )
    ids = words.convert_tokens_to_ids
    config = t.Gemma4Config(
        text_config=text,
        vision_config=vision,
        image_token_id=ids("<|image|>"),
        boi_token_id=ids("<|image>"),
        eoi_token_id=ids("<image|>"),
        video_token_id=ids("<|video|>"),
        audio_token_id=ids("<|audio|>"),
        boa_token_id=ids("<|audio>"),
        eoa_token_index=ids("<audio|>"),
    )
    save(folder, t.Gemma4ForConditionalGeneration, config, processor)


def llava(folder: Path) -> None:
    words = tokenizer("<turn>", "<end>", eos="<end>", image_token="<image>")
    template = CHATML.replace("<|im_start|>", "<turn>").replace("<|im_end|>", "<end>").replace("PICTURE", "<image>")
    processor = t.LlavaProcessor(
        t.CLIPImageProcessor(size={"height": 16, "width": 16}, do_center_crop=False),
        words,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=template,
    )
    vision = {
        "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
        "image_size": 16, "patch_size": 8,
    }  # fmt: skip
    config = t.LlavaConfig(
        vision_config=t.CLIPVisionConfig(**vision),
        text_config=t.LlamaConfig(**text_shape(words)),
        image_token_index=words.convert_tokens_to_ids("<image>"),
        image_seq_length=4,
        vision_feature_layer=-1,
    )
    save(folder, t.LlavaForConditionalGeneration, config, processor)


def _text_only(folder: Path, kind: Any, config: Any) -> None:
    words = tokenizer("<|im_start|>", "<|im_end|>", eos="<|im_end|>")
    words.chat_template = CHATML
    save(folder, kind, config(**text_shape(words)), words)


def llama(folder: Path) -> None:
    _text_only(folder, t.LlamaForCausalLM, t.LlamaConfig)


def qwen3(folder: Path) -> None:
    _text_only(folder, t.Qwen3ForCausalLM, t.Qwen3Config)


FAMILIES = {
    "qwen2_5_vl": Family(qwen2_5_vl, "<|image_pad|>", 4, ("<|vision_start|>", "<|vision_end|>")),
    "qwen3_vl": Family(qwen3_vl, "<|image_pad|>", 4, ("<|vision_start|>", "<|vision_end|>")),
    "internvl": Family(internvl, "<IMG_CONTEXT>", 4, ("<img>", "</img>\n")),
    "smolvlm": Family(smolvlm, "<image>", 20, ("<fake_token_around_image>", "<fake_token_around_image>")),
    "idefics3": Family(idefics3, "<image>", 20, ("<fake_token_around_image>", "<fake_token_around_image>")),
    "llava_onevision": Family(llava_onevision, "<image>", 5, ("", "\n")),
    "gemma3": Family(gemma3, "<image_soft_token>", 4, ("<start_of_image>", "<end_of_image>")),
    "gemma4": Family(gemma4, "<|image|>", 64, ("<|image>", "<image|>")),
    "llava": Family(llava, "<image>", 4),
    "llama": Family(llama, "", 0, reads_pictures=False),
    "qwen3": Family(qwen3, "", 0, reads_pictures=False),
}
