"""InternLM-XComposer 2 as a model of transformers: eyes, projector, decoder, and the tokens that they share.

Knows nothing of checkpoints, files or prompts. Source: Dong et al. 2024, arXiv:2401.16420; for tiles arXiv:2407.03320.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import CLIPVisionModel, GenerationMixin, PreTrainedModel, initialization
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast
from transformers.utils.generic import can_return_tuple

from .config import XComposer2Config
from .decoder import XComposer2TextModel
from .head import add_head, to_logits, with_pictures
from .tiles import four_in_one, in_reading_order, split_sizes


class XComposer2PreTrainedModel(PreTrainedModel):
    """What transformers asks of both models below."""

    config: XComposer2Config  # pyright: ignore[reportIncompatibleVariableOverride]
    config_class = XComposer2Config
    base_model_prefix = "model"
    input_modalities = ["image", "text"]  # noqa: RUF012
    supports_gradient_checkpointing = True
    _no_split_modules = ["XComposer2DecoderLayer", "CLIPEncoderLayer"]  # noqa: RUF012
    _skip_keys_device_placement = ["past_key_values"]  # noqa: RUF012
    _supports_flash_attn = True
    _supports_sdpa = True
    _supports_attention_backend = True

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, XComposer2Model) and module.config.tiled:
            initialization.zeros_(module.row_end)
            initialization.zeros_(module.global_end)


class XComposer2Projector(nn.Module):
    """From what the eyes see to what the decoder reads."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(inputs, outputs)
        self.linear_2 = nn.Linear(outputs, outputs)

    def forward(self, seen: Tensor) -> Tensor:
        """Args: seen: (..., inputs)."""
        return self.linear_2(nn.functional.gelu(self.linear_1(seen)))


class XComposer2Model(XComposer2PreTrainedModel):
    """All but the last layer, which makes tokens."""

    def __init__(self, config: XComposer2Config) -> None:
        super().__init__(config)
        text, vision = config.get_text_config(), config.vision_config
        seen = vision.hidden_size * (4 if config.tiled else 1)  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
        self.vision_tower = CLIPVisionModel._from_config(vision)
        self.projector = XComposer2Projector(seen, text.hidden_size)
        self.language_model = XComposer2TextModel._from_config(text)
        if config.tiled:
            self.global_end = nn.Parameter(torch.zeros(1, 1, seen))  # between a picture as a whole and its tiles
            self.row_end = nn.Parameter(torch.zeros(1, 1, 1, seen))
        self.post_init()

    def get_image_features(self, pixel_values: Tensor, image_sizes: Tensor | None = None) -> Tensor:
        """The embeddings of all pictures' tokens in reading order, (tokens, width).

        Args:
            pixel_values: (pictures, 3, side, side); in tiles (pictures, tiles, 3, side, side), the whole picture first.
            image_sizes: in tiles alone: (pictures, 2), height and width of each picture's tiles together.

        Raises:
            ValueError: tiles without image_sizes.
        """
        if not self.config.tiled:
            return self.projector(self._see(pixel_values)).flatten(0, 1)
        if image_sizes is None:
            raise ValueError("pixel_values in tiles needs image_sizes, which say how each picture was cut")
        grids = split_sizes(image_sizes, self.config.tile_side_px)
        counts = [1 + rows * columns for rows, columns in grids]
        real = torch.cat([picture[:count] for picture, count in zip(pixel_values, counts, strict=True)])
        seen = four_in_one(self._see(real)).split(counts)
        parts = [
            in_reading_order(part, *grid, self.row_end, self.global_end) for part, grid in zip(seen, grids, strict=True)
        ]
        return self.projector(torch.cat(parts))

    def _see(self, pixel_values: Tensor) -> Tensor:
        """(pictures, patches, width) after the last layer; its norm is for the class token alone, which is dropped."""
        return self.vision_tower(pixel_values.to(self.vision_tower.dtype)).last_hidden_state[:, 1:]

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: Tensor | None = None,
        image_sizes: Tensor | None = None,
        **kwargs: Any,
    ) -> BaseModelOutputWithPast:
        """The decoder's last hidden states; without pixel_values every token is text.

        Raises:
            ValueError: the image tokens among input_ids are not as many as those of the pictures.
        """
        image_places = None
        if inputs_embeds is None:
            inputs_embeds = self.get_input_embeddings()(input_ids)
        embeds: Tensor = inputs_embeds  # pyright: ignore[reportAssignmentType]
        if pixel_values is not None:
            token_id = self.config.image_token_id
            embeds = with_pictures(embeds, input_ids, self.get_image_features(pixel_values, image_sizes), token_id)
            image_places = torch.where(input_ids == token_id)
        return self.language_model(
            inputs_embeds=embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            image_places=image_places,
            **kwargs,
        )


class XComposer2ForConditionalGeneration(XComposer2PreTrainedModel, GenerationMixin):
    """The model that writes."""

    def __init__(self, config: XComposer2Config) -> None:
        super().__init__(config)
        self.model = XComposer2Model(config)
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
        image_sizes: Tensor | None = None,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Logits (batch, tokens kept, vocabulary), and the loss where there are labels.

        Args:
            input_ids: (batch, tokens), with `config.image_token_id` for each token of a picture.
            pixel_values: as `get_image_features` takes them, with image_sizes.
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
            image_sizes=image_sizes,
            **kwargs,
        )
        return to_logits(self, outputs, labels, logits_to_keep, **kwargs)
