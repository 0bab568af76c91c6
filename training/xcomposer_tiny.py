"""A tiny InternLM-XComposer 2: a decoder behind nano-clip's eyes, which see each picture of the world once.

Needs torch, transformers and `limner.composer.models.xcomposer` alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from limner.composer.models.xcomposer.config import XComposer2Config
from limner.composer.models.xcomposer.model import XComposer2ForConditionalGeneration
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers.utils.constants import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

from .llava import vision_state
from .nano_clip import MEAN, MODEL, STD
from .nano_clip import OUT as CLIP_FOLDER
from .pictures import SIDE_PX


def tiny_config(numbers: dict[str, Any]) -> XComposer2Config:
    """The shape of the tiny model: nano-clip's eyes, a decoder of nano-vlm's size with two key-value heads."""
    vision = MODEL["vision_cfg"]
    return XComposer2Config(
        text_config={
            "vocab_size": numbers["vocab_size"], "hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 6,
            "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 4096,
            "plora_rank": 32, "plora_alpha": 32, "bos_token_id": numbers["bos_token_id"],
            "eos_token_id": numbers["eos_token_id"], "pad_token_id": numbers["pad_token_id"],
        },
        vision_config={
            "hidden_size": vision["width"], "intermediate_size": vision["width"] * 4,
            "num_hidden_layers": vision["layers"], "num_attention_heads": vision["width"] // vision["head_width"],
            "image_size": SIDE_PX, "patch_size": vision["patch_size"], "hidden_act": "gelu",
        },
        image_token_id=numbers["image_token_id"],
    )  # fmt: skip


def eyes_state() -> dict[str, Tensor]:
    """nano-clip's tower for pictures that are scaled as XComposer's are: the difference is put into its weights.

    With x = (p - m) / s in place of (p - m') / s', the patch embedding W x' is (W s / s') x and a constant, which the
    patches' positions take up. Patches do not overlap and nothing is padded, so both are the same but for rounding.
    """
    clip = {name: tensor.float() for name, tensor in load_file(CLIP_FOLDER / "open_clip_model.safetensors").items()}
    state = vision_state(clip, MODEL["vision_cfg"]["layers"])
    mean, deviation = torch.tensor(OPENAI_CLIP_MEAN), torch.tensor(OPENAI_CLIP_STD)
    patches = state["embeddings.patch_embedding.weight"]  # (width, 3, side, side)
    shift = ((mean - torch.tensor(MEAN)) / torch.tensor(STD)).view(1, 3, 1, 1)
    positions = state["embeddings.position_embedding.weight"].clone()  # (1 + patches, width)
    positions[1:] += (patches * shift).sum((1, 2, 3))
    state["embeddings.position_embedding.weight"] = positions
    state["embeddings.patch_embedding.weight"] = patches * (deviation / torch.tensor(STD)).view(1, 3, 1, 1)
    return state


def build_model(numbers: dict[str, Any]) -> XComposer2ForConditionalGeneration:
    """A fresh decoder behind nano-clip's eyes."""
    torch.manual_seed(11)
    model = XComposer2ForConditionalGeneration(tiny_config(numbers))
    tower = model.model.vision_tower
    prefix = "vision_model." if any(name.startswith("vision_model.") for name in tower.state_dict()) else ""
    missing, unexpected = tower.load_state_dict({prefix + k: v for k, v in eyes_state().items()}, strict=False)
    assert not unexpected and not [name for name in missing if "position_ids" not in name], (missing, unexpected)
    return model


def pixel_values(pixels: np.ndarray) -> Tensor:
    """(n, 80, 80, 3) uint8 to (n, 3, 80, 80) float32, scaled as the processor does."""
    values = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 255
    return (values - torch.tensor(OPENAI_CLIP_MEAN).view(3, 1, 1)) / torch.tensor(OPENAI_CLIP_STD).view(3, 1, 1)


def read_pictures(file: Path, count: int) -> np.ndarray:
    """The first `count` pictures of a square of them, (count, 80, 80, 3) uint8."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    whole = np.asarray(Image.open(file).convert("RGB"))
    rows, columns = whole.shape[0] // SIDE_PX, whole.shape[1] // SIDE_PX
    cut = whole.reshape(rows, SIDE_PX, columns, SIDE_PX, 3).swapaxes(1, 2)
    return cut.reshape(-1, SIDE_PX, SIDE_PX, 3)[:count]


class Seeing(nn.Module):
    """The model with what its frozen eyes see of every picture of the world, computed once."""

    def __init__(self, model: XComposer2ForConditionalGeneration, seen: Tensor) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("seen", seen, persistent=False)  # (pictures, patches, width)

    def forward(
        self, input_ids: Tensor, where: Tensor, pictures: Tensor, image_rows: Tensor, image_columns: Tensor
    ) -> Tensor:
        """The logits at the flat places `where`."""
        inner = self.model.model
        embeds = inner.get_input_embeddings()(input_ids)
        places = None
        if len(pictures):
            places = (image_rows, image_columns)
            embeds = embeds.index_put(places, inner.projector(self.seen[pictures]).flatten(0, 1).to(embeds.dtype))
        hidden = inner.language_model(inputs_embeds=embeds, image_places=places, use_cache=False).last_hidden_state
        return self.model.lm_head(hidden.flatten(0, 1)[where])


@torch.no_grad()
def see(model: XComposer2ForConditionalGeneration, pixels: np.ndarray, device: torch.device) -> Tensor:
    """What the eyes see of pictures, (n, patches, width)."""
    parts = [model.model._see(pixel_values(part).to(device)) for part in np.array_split(pixels, 1 + len(pixels) // 256)]
    return torch.cat(parts)
