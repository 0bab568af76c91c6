"""InternLM-XComposer 1.0 as a model of transformers: eyes, perceive sampler, projector, flags, decoder.

Knows nothing of checkpoints, files or prompts. Source: Zhang et al. 2023, arXiv:2309.15112, section 3; Li et al. 2023,
arXiv:2301.12597 (the Q-Former, which the sampler is).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    Blip2QFormerModel,
    Blip2VisionModel,
    GenerationMixin,
    LlamaModel,
    PreTrainedModel,
    initialization,
)
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast
from transformers.utils.generic import can_return_tuple

from ..head import add_head, to_logits, with_pictures
from .config import XComposer1Config

_EYES_NORM_EPS = 1e-5  # of the norm after the eyes, which is not part of EVA-CLIP; within them it is 1e-6


class XComposer1PreTrainedModel(PreTrainedModel):
    """What transformers asks of both models below."""

    config: XComposer1Config  # pyright: ignore[reportIncompatibleVariableOverride]
    config_class = XComposer1Config
    base_model_prefix = "model"
    input_modalities = ["image", "text"]  # noqa: RUF012
    supports_gradient_checkpointing = True
    _no_split_modules = [  # noqa: RUF012
        "LlamaDecoderLayer", "Blip2EncoderLayer", "Blip2VisionEmbeddings", "Blip2QFormerLayer",
    ]  # fmt: skip
    _skip_keys_device_placement = ["past_key_values"]  # noqa: RUF012
    _supports_flash_attn = True
    _supports_sdpa = True
    _supports_attention_backend = True

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, XComposer1Model):
            initialization.normal_(module.query_tokens, std=module.config.qformer_config.initializer_range)  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
            initialization.zeros_(module.image_begin)
            initialization.zeros_(module.image_end)


class XComposer1Model(XComposer1PreTrainedModel):
    """All but the last layer, which makes tokens."""

    def __init__(self, config: XComposer1Config) -> None:
        super().__init__(config)
        text, qformer = config.get_text_config(), config.qformer_config
        width: int = qformer.hidden_size  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
        self.vision_tower = Blip2VisionModel._from_config(config.vision_config)
        self.vision_tower.post_layernorm.eps = _EYES_NORM_EPS
        self.query_tokens = nn.Parameter(torch.zeros(1, config.num_query_tokens, width))
        self.qformer = Blip2QFormerModel._from_config(qformer)
        self.projector = nn.Linear(width, text.hidden_size)
        self.image_begin = nn.Parameter(torch.zeros(1, 1, text.hidden_size))
        self.image_end = nn.Parameter(torch.zeros(1, 1, text.hidden_size))
        self.language_model = LlamaModel._from_config(text)
        self.post_init()

    def get_image_features(self, pixel_values: Tensor) -> Tensor:
        """The embeddings of all pictures' places in reading order, flags among them: (places, width).

        Args:
            pixel_values: (pictures, 3, side, side).
        """
        seen = self.vision_tower(pixel_values.to(self.vision_tower.dtype)).last_hidden_state
        asked = self.query_tokens.expand(len(seen), -1, -1)
        sampled = self.qformer(query_embeds=asked, encoder_hidden_states=seen).last_hidden_state
        flags = [flag.expand(len(seen), -1, -1) for flag in (self.image_begin, self.image_end)]
        return torch.cat([flags[0], self.projector(sampled), flags[1]], 1).flatten(0, 1)

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: Tensor | None = None,
        **kwargs: Any,
    ) -> BaseModelOutputWithPast:
        """The decoder's last hidden states; without pixel_values every token is text.

        Raises:
            ValueError: the image tokens among input_ids are not as many as the places of the pictures.
        """
        if inputs_embeds is None:
            inputs_embeds = self.get_input_embeddings()(input_ids)
        embeds: Tensor = inputs_embeds  # pyright: ignore[reportAssignmentType]
        if pixel_values is not None:
            features = self.get_image_features(pixel_values)
            embeds = with_pictures(embeds, input_ids, features, self.config.image_token_id)
        return self.language_model(
            inputs_embeds=embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            **kwargs,
        )


class XComposer1ForConditionalGeneration(XComposer1PreTrainedModel, GenerationMixin):
    """The model that writes."""

    def __init__(self, config: XComposer1Config) -> None:
        super().__init__(config)
        self.model = XComposer1Model(config)
        add_head(self)

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        logits_to_keep: int | Tensor = 0,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Logits (batch, tokens kept, vocabulary), and the loss where there are labels.

        Args:
            input_ids: (batch, tokens), with `config.image_token_id` for each place of a picture.
            pixel_values: (pictures, 3, side, side), those of all prompts in reading order.
            labels: (batch, tokens), -100 where nothing is to be learnt.
            logits_to_keep: of how many tokens at the end, 0 for all; or which ones.
        """
        outputs = self.model(
            input_ids=input_ids,
            pixel_values=pixel_values,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            **kwargs,
        )
        return to_logits(self, outputs, labels, logits_to_keep, **kwargs)
