"""The shape of InternLM-XComposer 2: CLIP's eyes, a projector, and InternLM2 with Partial LoRA.

The defaults are the official 7B sizes. Source: Dong et al. 2024, arXiv:2401.16420.
"""

from __future__ import annotations

from transformers import CLIPVisionConfig, LlamaConfig, PretrainedConfig
from transformers.configuration_utils import SubConfigSpec


class XComposer2TextConfig(LlamaConfig):
    """InternLM2, which is Llama but for its grouped `wqkv`, with a low-rank addition to every linear layer."""

    model_type = "xcomposer2_text"
    base_config_key = "text_config"
    base_model_tp_plan = None  # Llama's names layers that are not there
    default_theta = 1_000_000.0

    vocab_size: int = 92544
    intermediate_size: int = 14336
    num_key_value_heads: int | None = 8
    max_position_embeddings: int = 32768
    rms_norm_eps: float = 1e-5
    plora_rank: int = 256
    plora_alpha: int = 256


class XComposer2Config(PretrainedConfig):
    """Text and eyes, and what joins them."""

    model_type = "xcomposer2"
    sub_configs_defaults = {  # noqa: RUF012
        "text_config": SubConfigSpec(XComposer2TextConfig),
        "vision_config": SubConfigSpec(CLIPVisionConfig),
    }

    text_config: dict | PretrainedConfig | None = None
    vision_config: dict | PretrainedConfig | None = None
    image_token_id: int = 92397  # [UNUSED_TOKEN_0]: a place in a prompt, whose own embedding is never read
    context_tokens: int | None = None  # what the model was trained on; None: as many as there are positions
    tiled: bool = False  # 2.5: each picture as a whole and in tiles, four patches to a token
    tie_word_embeddings: bool = False

    @property
    def tile_side_px(self) -> int:
        """The side of what the eyes see at a time."""
        return int(self.vision_config.image_size)  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]

    @property
    def tile_side_tokens(self) -> int:
        """How many tokens stand beside each other for it."""
        patches = self.tile_side_px // int(self.vision_config.patch_size)  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
        return patches // 2 if self.tiled else patches
