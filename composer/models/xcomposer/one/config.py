"""The shape of InternLM-XComposer 1.0: EVA-CLIP's eyes, a perceive sampler, and InternLM.

The defaults are the official 7B sizes. Source: Zhang et al. 2023, arXiv:2309.15112.
"""

from __future__ import annotations

from transformers import Blip2QFormerConfig, Blip2VisionConfig, LlamaConfig, PretrainedConfig
from transformers.configuration_utils import SubConfigSpec


class XComposer1TextConfig(LlamaConfig):
    """InternLM, which is Llama with biases on queries, keys, values and what comes of them."""

    model_type = "xcomposer1_text"
    base_config_key = "text_config"

    vocab_size: int = 103168
    rms_norm_eps: float = 1e-5
    attention_bias: bool = True


class XComposer1Config(PretrainedConfig):
    """Text and eyes, and what joins them."""

    model_type = "xcomposer1"
    sub_configs_defaults = {  # noqa: RUF012
        "text_config": SubConfigSpec(XComposer1TextConfig),
        "vision_config": SubConfigSpec(Blip2VisionConfig),  # EVA-CLIP ViT-g by its defaults
        "qformer_config": SubConfigSpec(Blip2QFormerConfig),  # BERT-base by its defaults
    }

    text_config: dict | PretrainedConfig | None = None
    vision_config: dict | PretrainedConfig | None = None
    qformer_config: dict | PretrainedConfig | None = None
    num_query_tokens: int = 64
    image_token_id: int = 103167  # <TOKENS_UNUSED_140>: a place in a prompt, whose own embedding is never read
    tie_word_embeddings: bool = False

    @property
    def tokens_a_picture(self) -> int:
        """How many places a picture has in a prompt: what the sampler makes of it, and a flag at each end."""
        return self.num_query_tokens + 2
