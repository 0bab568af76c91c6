"""What the versions of InternLM-XComposer have in common as models: where pictures stand in a prompt, and the head."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast
from transformers.modeling_utils import slice_logits_to_keep


def with_pictures(embeds: Tensor, input_ids: Tensor | None, features: Tensor, image_token_id: int) -> Tensor:
    """embeds (batch, tokens, width) with features (picture tokens, width) in reading order at the image tokens.

    Raises:
        ValueError: there are no input_ids, or the image tokens among them are not as many as features.
    """
    if input_ids is None:
        raise ValueError("pixel_values needs input_ids, which say where the pictures stand")
    image_mask = input_ids == image_token_id
    if (count := int(image_mask.sum())) != len(features):
        raise ValueError(f"{count} image tokens for pictures of {len(features)} tokens")
    return embeds.masked_scatter(image_mask[..., None], features.to(embeds.device, embeds.dtype))


def add_head(model: PreTrainedModel) -> None:
    """Give a model that has its `model` the layer that makes tokens, and initialise it."""
    text = model.config.get_text_config()
    model.lm_head = nn.Linear(text.hidden_size, text.vocab_size, bias=False)
    model.post_init()
    # A reply is text: a picture's place in it would have no picture.
    model.generation_config.suppress_tokens = [model.config.image_token_id]


def to_logits(
    model: Any, outputs: BaseModelOutputWithPast, labels: Tensor | None, logits_to_keep: int | Tensor, **kwargs: Any
) -> CausalLMOutputWithPast:
    """Logits (batch, tokens kept, vocabulary) of a model with a head, and the loss where there are labels.

    Args:
        labels: (batch, tokens), -100 where nothing is to be learnt.
        logits_to_keep: of how many tokens at the end, 0 for all; or which ones.
        kwargs: what the loss takes.
    """
    hidden: Tensor = outputs.last_hidden_state  # pyright: ignore[reportAssignmentType]
    logits = model.lm_head(slice_logits_to_keep(hidden, logits_to_keep))
    loss = None
    if labels is not None:
        vocabulary = model.config.get_text_config().vocab_size
        loss = model.loss_function(logits=logits, labels=labels, vocab_size=vocabulary, **kwargs)
    return CausalLMOutputWithPast(
        loss=loss,
        logits=logits,
        past_key_values=outputs.past_key_values,
        hidden_states=outputs.hidden_states,
        attentions=outputs.attentions,
    )
