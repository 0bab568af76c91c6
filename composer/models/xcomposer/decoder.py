"""InternLM2's decoder with Partial LoRA in every linear layer: Llama's layers, but for the grouped `wqkv`.

Source: Cai et al. 2024, arXiv:2403.17297 (grouped wqkv); Dong et al. 2024, arXiv:2401.16420 (Partial LoRA).
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers import initialization
from transformers.activations import ACT2FN
from transformers.cache_utils import Cache
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.llama.modeling_llama import (
    LlamaModel,
    LlamaRMSNorm,
    LlamaRotaryEmbedding,
    apply_rotary_pos_emb,
    eager_attention_forward,
)

from .config import XComposer2TextConfig
from .partial_lora import PartialLoraLinear, Places


def _linear(config: XComposer2TextConfig, inputs: int, outputs: int, *, bias: bool = False) -> PartialLoraLinear:
    return PartialLoraLinear(inputs, outputs, bias=bias, rank=config.plora_rank, alpha=config.plora_alpha)


class XComposer2Attention(nn.Module):
    """Grouped-query attention whose one matrix holds, for each key-value head, its queries, its key and its value."""

    def __init__(self, config: XComposer2TextConfig, layer_idx: int) -> None:
        super().__init__()
        self.config = config
        self.layer_idx = layer_idx
        self.head_dim: int = config.head_dim or config.hidden_size // config.num_attention_heads
        self.key_value_heads = config.num_key_value_heads or config.num_attention_heads
        self.num_key_value_groups = config.num_attention_heads // self.key_value_heads  # transformers' name for it
        self.scaling = self.head_dim**-0.5
        self.is_causal = True
        heads = config.num_attention_heads + 2 * self.key_value_heads
        self.wqkv = _linear(config, config.hidden_size, heads * self.head_dim, bias=config.attention_bias)
        self.wo = _linear(
            config, config.num_attention_heads * self.head_dim, config.hidden_size, bias=config.attention_bias
        )

    def forward(
        self,
        hidden_states: Tensor,
        position_embeddings: tuple[Tensor, Tensor],
        attention_mask: Tensor | None = None,
        past_key_values: Cache | None = None,
        image_places: Places | None = None,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor | None]:
        """Args: hidden_states: (batch, tokens, width). image_places: as in PartialLoraLinear."""
        shape = hidden_states.shape[:-1]
        grouped = self.wqkv(hidden_states, image_places).view(*shape, self.key_value_heads, -1, self.head_dim)
        queries = grouped[..., :-2, :].flatten(-3, -2).transpose(1, 2)  # (batch, heads, tokens, head_dim)
        keys, values = grouped[..., -2, :].transpose(1, 2), grouped[..., -1, :].transpose(1, 2)
        queries, keys = apply_rotary_pos_emb(queries, keys, *position_embeddings)
        if past_key_values is not None:
            keys, values = past_key_values.update(keys, values, self.layer_idx)
        attend = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation or "eager", eager_attention_forward
        )
        out, weights = attend(
            self,
            queries,
            keys,
            values,
            attention_mask,
            dropout=self.config.attention_dropout if self.training else 0.0,
            scaling=self.scaling,
            **kwargs,
        )
        return self.wo(out.reshape(*shape, -1), image_places), weights


class XComposer2FeedForward(nn.Module):
    """SwiGLU: w2(silu(w1 x) * w3 x)."""

    def __init__(self, config: XComposer2TextConfig) -> None:
        super().__init__()
        self.w1 = _linear(config, config.hidden_size, config.intermediate_size)
        self.w2 = _linear(config, config.intermediate_size, config.hidden_size)
        self.w3 = _linear(config, config.hidden_size, config.intermediate_size)
        self.act = ACT2FN[config.hidden_act]

    def forward(self, hidden: Tensor, image_places: Places | None) -> Tensor:
        """Args: as those of PartialLoraLinear."""
        return self.w2(self.act(self.w1(hidden, image_places)) * self.w3(hidden, image_places), image_places)


class XComposer2DecoderLayer(GradientCheckpointingLayer):
    """Attention and feed-forward, each behind its norm and beside what came in."""

    def __init__(self, config: XComposer2TextConfig, layer_idx: int) -> None:
        super().__init__()
        self.self_attn = XComposer2Attention(config, layer_idx)
        self.mlp = XComposer2FeedForward(config)
        self.input_layernorm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.post_attention_layernorm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)

    def forward(self, hidden_states: Tensor, image_places: Places | None = None, **kwargs: Any) -> Tensor:
        """Args: as those of the attention."""
        attended, _ = self.self_attn(self.input_layernorm(hidden_states), image_places=image_places, **kwargs)
        hidden_states = hidden_states + attended
        return hidden_states + self.mlp(self.post_attention_layernorm(hidden_states), image_places)


class XComposer2TextModel(LlamaModel):
    """Llama's loop over layers, masks and positions, with these layers, which `image_places` reaches by its name."""

    config: XComposer2TextConfig  # pyright: ignore[reportIncompatibleVariableOverride]
    _no_split_modules = ["XComposer2DecoderLayer"]  # noqa: RUF012
    _can_record_outputs = {  # noqa: RUF012
        "hidden_states": XComposer2DecoderLayer,
        "attentions": XComposer2Attention,
    }

    def __init__(self, config: XComposer2TextConfig) -> None:
        # Not LlamaModel's own, which would make Llama's layers first: as much memory again, on the GPU too.
        super(LlamaModel, self).__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size, config.pad_token_id)
        self.layers = nn.ModuleList(XComposer2DecoderLayer(config, i) for i in range(config.num_hidden_layers))
        self.norm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.rotary_emb = LlamaRotaryEmbedding(config)
        self.gradient_checkpointing = False
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, nn.Linear) and getattr(module, "begins_with_zeros", False):
            initialization.zeros_(module.weight)
