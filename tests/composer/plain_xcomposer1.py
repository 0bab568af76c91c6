"""InternLM-XComposer 1.0 in plain NumPy, written from the papers: one prompt, token by token, no batch, no cache.

Source: Zhang et al. 2023, arXiv:2309.15112, section 3.1 (eyes, perceive sampler, InternLM); Li et al. 2023,
arXiv:2301.12597, section 3.1 (Q-Former: self-attention of queries, cross-attention to the eyes in every other block);
Devlin et al. 2018, arXiv:1810.04805 (BERT: each norm after the sum); Fang et al. 2022, arXiv:2211.07636 (EVA: each norm
before; no bias of keys).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .plain_xcomposer import Array, PlainXComposer2, _erf, _sigmoid, _softmax


class PlainXComposer1(PlainXComposer2):
    """Weights by the names of our model, float64; of 2's the rotary positions and RMSNorm, which both writers have."""

    def __init__(self, weights: Mapping[str, Any], config: Any) -> None:
        super().__init__(weights, config)
        self.sampler_heads = config.qformer_config.num_attention_heads

    def logits(self, ids: list[int], pictures: Array | None = None) -> Array:
        """(tokens, vocabulary); pictures: (pictures, 3, side, side)."""
        hidden = self.weights["model.language_model.embed_tokens.weight"][ids]
        if pictures is not None:
            flags = [self.weights[f"model.image_{end}"][0] for end in ("begin", "end")]
            parts = [
                part
                for picture in pictures
                for part in (flags[0], self._affine("model.projector", self.sample(self.see(picture))), flags[1])
            ]
            hidden[np.array(ids) == self.image_token] = np.concatenate(parts)
        for number in range(self.text.num_hidden_layers):
            hidden = self._write(f"model.language_model.layers.{number}.", hidden)
        return self._rms("model.language_model.norm", hidden) @ self.weights["lm_head.weight"].T

    def see(self, picture: Array) -> Array:
        """(1 + patches, width): the class token too."""
        at, patch = "model.vision_tower.", self.eyes.patch_size
        kernel = self.weights[at + "embeddings.patch_embedding.weight"]
        count = picture.shape[1] // patch
        cut = [
            picture[:, row * patch : (row + 1) * patch, column * patch : (column + 1) * patch].ravel()
            for row in range(count)
            for column in range(count)
        ]
        patches = np.stack(cut) @ kernel.reshape(len(kernel), -1).T
        patches = patches + self.weights[at + "embeddings.patch_embedding.bias"]
        hidden = np.concatenate([self.weights[at + "embeddings.class_embedding"][0], patches])
        hidden = hidden + self.weights[at + "embeddings.position_embedding"][0]
        width = hidden.shape[1]
        for number in range(self.eyes.num_hidden_layers):
            name = f"{at}encoder.layers.{number}."
            q, k, v = np.split(
                self._affine(name + "self_attn.qkv", self._norm(name + "layer_norm1", hidden, 1e-6)), 3, 1
            )
            attended = _heads(q, k, v, width // self.eyes.num_attention_heads)
            hidden = hidden + self._affine(name + "self_attn.projection", attended)
            inner = self._affine(name + "mlp.fc1", self._norm(name + "layer_norm2", hidden, 1e-6))
            hidden = hidden + self._affine(name + "mlp.fc2", _gelu(inner))
        return self._norm(at + "post_layernorm", hidden, 1e-5)

    def sample(self, seen: Array) -> Array:
        """(queries, width)."""
        hidden = self._norm("model.qformer.layernorm", self.weights["model.query_tokens"][0], 1e-12)
        layer = 0
        while (at := f"model.qformer.encoder.layer.{layer}.") + "output_query.dense.weight" in self.weights:
            hidden = self._attend(at + "attention.", hidden, hidden)
            if layer % 2 == 0:
                hidden = self._attend(at + "crossattention.", hidden, seen)
            inner = _gelu(self._affine(at + "intermediate_query.dense", hidden))
            grown = hidden + self._affine(at + "output_query.dense", inner)
            hidden = self._norm(at + "output_query.LayerNorm", grown, 1e-12)
            layer += 1
        return hidden

    def _attend(self, at: str, hidden: Array, to: Array) -> Array:
        q = self._affine(at + "attention.query", hidden)
        k, v = (self._affine(f"{at}attention.{part}", to) for part in ("key", "value"))
        size = q.shape[1] // self.sampler_heads
        return self._norm(
            at + "output.LayerNorm", hidden + self._affine(at + "output.dense", _heads(q, k, v, size)), 1e-12
        )

    def _write(self, name: str, hidden: Array) -> Array:
        normed = self._rms(name + "input_layernorm", hidden)
        q, k, v = (self._affine(f"{name}self_attn.{part}_proj", normed) for part in "qkv")
        size = q.shape[1] // self.text.num_attention_heads
        heads = []
        for i in range(0, q.shape[1], size):
            scores = self._turned(q[:, i : i + size]) @ self._turned(k[:, i : i + size]).T / math.sqrt(size)
            later = np.triu(np.ones_like(scores, bool), 1)
            heads.append(_softmax(np.where(later, -np.inf, scores)) @ v[:, i : i + size])
        hidden = hidden + self._affine(name + "self_attn.o_proj", np.concatenate(heads, 1))
        normed = self._rms(name + "post_attention_layernorm", hidden)
        gate, up, down = (self.weights[f"{name}mlp.{part}_proj.weight"] for part in ("gate", "up", "down"))
        opened = normed @ gate.T
        return hidden + (opened * _sigmoid(opened) * (normed @ up.T)) @ down.T

    def _norm(self, name: str, x: Array, eps: float) -> Array:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + eps)
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]


def _heads(q: Array, k: Array, v: Array, size: int) -> Array:
    """Full attention of each head, beside each other."""
    heads = [
        _softmax(q[:, i : i + size] @ k[:, i : i + size].T / math.sqrt(size)) @ v[:, i : i + size]
        for i in range(0, q.shape[1], size)
    ]
    return np.concatenate(heads, 1)


def _gelu(x: Array) -> Array:
    return 0.5 * x * (1 + _erf(x / math.sqrt(2)))
