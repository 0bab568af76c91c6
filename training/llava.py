"""nano-vlm as transformers knows it: LLaVA, of nano-clip's vision tower and a small Llama. Nothing is trained here."""

from __future__ import annotations

import torch
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from .nano_clip import MEAN, MODEL, STD
from .nano_clip import OUT as CLIP_FOLDER
from .pictures import SIDE_PX

PATCHES = (SIDE_PX // MODEL["vision_cfg"]["patch_size"]) ** 2  # image tokens a picture
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def build_processor(tokenizer: PreTrainedTokenizerFast) -> LlavaProcessor:
    """Pictures squashed to 80x80 and text in ChatML."""
    images = CLIPImageProcessor(
        size={"height": SIDE_PX, "width": SIDE_PX},
        do_center_crop=False,
        crop_size={"height": SIDE_PX, "width": SIDE_PX},
        image_mean=list(MEAN),
        image_std=list(STD),
        resample=3,
    )
    return LlavaProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=MODEL["vision_cfg"]["patch_size"],
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT_TEMPLATE,
    )


def vision_state(state: dict[str, torch.Tensor], layers: int) -> dict[str, torch.Tensor]:
    """open_clip's vision tower under the names of transformers' CLIPVisionModel."""
    out = {
        "embeddings.class_embedding": state["visual.class_embedding"],
        "embeddings.patch_embedding.weight": state["visual.conv1.weight"],
        "embeddings.position_embedding.weight": state["visual.positional_embedding"],
    }
    for theirs, ours in (("ln_pre", "pre_layrnorm"), ("ln_post", "post_layernorm")):
        for kind in ("weight", "bias"):
            out[f"{ours}.{kind}"] = state[f"visual.{theirs}.{kind}"]
    for i in range(layers):
        block, layer = f"visual.transformer.resblocks.{i}", f"encoder.layers.{i}"
        for kind in ("weight", "bias"):
            q, k, v = state[f"{block}.attn.in_proj_{kind}"].chunk(3)
            for name, tensor in (("q_proj", q), ("k_proj", k), ("v_proj", v)):
                out[f"{layer}.self_attn.{name}.{kind}"] = tensor
            out[f"{layer}.self_attn.out_proj.{kind}"] = state[f"{block}.attn.out_proj.{kind}"]
            out[f"{layer}.layer_norm1.{kind}"] = state[f"{block}.ln_1.{kind}"]
            out[f"{layer}.layer_norm2.{kind}"] = state[f"{block}.ln_2.{kind}"]
            out[f"{layer}.mlp.fc1.{kind}"] = state[f"{block}.mlp.c_fc.{kind}"]
            out[f"{layer}.mlp.fc2.{kind}"] = state[f"{block}.mlp.c_proj.{kind}"]
    return out


def build_model(tokenizer: PreTrainedTokenizerFast) -> LlavaForConditionalGeneration:
    """A fresh language model behind nano-clip's trained vision tower."""
    from safetensors.torch import load_file

    vision = MODEL["vision_cfg"]
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=vision["width"],
            intermediate_size=vision["width"] * 4,
            num_hidden_layers=vision["layers"],
            num_attention_heads=vision["width"] // vision["head_width"],
            image_size=vision["image_size"],
            patch_size=vision["patch_size"],
            hidden_act="gelu",
            projection_dim=MODEL["embed_dim"],
        ),
        text_config=LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=256,
            intermediate_size=704,
            num_hidden_layers=6,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=2048,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        ),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=PATCHES,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=True,
    )
    torch.manual_seed(11)
    model = LlavaForConditionalGeneration(config)
    state = {name: tensor.float() for name, tensor in load_file(CLIP_FOLDER / "open_clip_model.safetensors").items()}
    tower = model.model.vision_tower
    prefix = "vision_model." if any(name.startswith("vision_model.") for name in tower.state_dict()) else ""
    named = {prefix + name: tensor for name, tensor in vision_state(state, vision["layers"]).items()}
    missing, unexpected = tower.load_state_dict(named, strict=False)
    assert not unexpected, unexpected
    assert not [name for name in missing if "position_ids" not in name], missing
    tower.requires_grad_(False)
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        max_new_tokens=768,
    )
    return model
