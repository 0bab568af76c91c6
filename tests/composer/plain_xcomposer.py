"""InternLM-XComposer 2 in plain NumPy, written from the papers: one prompt, token by token, no batch, no cache.

Source: Dong et al. 2024, arXiv:2401.16420, section 3 (projector, Partial LoRA); Cai et al. 2024, arXiv:2403.17297,
section 2 (InternLM2: grouped wqkv, rotary positions, SwiGLU, RMSNorm); Radford et al. 2021, arXiv:2103.00020 (CLIP);
Su et al. 2021, arXiv:2104.09864 (rotary positions).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

Array = np.ndarray
_erf = np.vectorize(math.erf)


class PlainXComposer2:
    """Weights by the names of our model, float64."""

    def __init__(self, weights: Mapping[str, Any], config: Any) -> None:
        self.weights = {name: np.asarray(value, np.float64) for name, value in weights.items()}
        self.text, self.eyes, self.image_token = config.text_config, config.vision_config, config.image_token_id

    def logits(self, ids: list[int], pictures: Array | None = None) -> Array:
        """(tokens, vocabulary); pictures: (pictures, 3, side, side)."""
        hidden = self.weights["model.language_model.embed_tokens.weight"][ids]
        is_picture = np.zeros(len(ids), bool)
        if pictures is not None:
            is_picture = np.array(ids) == self.image_token
            hidden[is_picture] = np.concatenate([self.project(self.see(picture)) for picture in pictures])
        for number in range(self.text.num_hidden_layers):
            hidden = self._layer(f"model.language_model.layers.{number}.", hidden, is_picture)
        return self._rms("model.language_model.norm", hidden) @ self.weights["lm_head.weight"].T

    def see(self, picture: Array) -> Array:
        """(patches, width): the patches after CLIP's last layer, without the class token."""
        at, patch = "model.vision_tower.", self.eyes.patch_size
        kernel = self.weights[at + "embeddings.patch_embedding.weight"]
        rows, columns = picture.shape[1] // patch, picture.shape[2] // patch
        cut = [
            kernel.reshape(len(kernel), -1)
            @ picture[:, r * patch : (r + 1) * patch, c * patch : (c + 1) * patch].ravel()
            for r in range(rows)
            for c in range(columns)
        ]
        hidden = np.stack([self.weights[at + "embeddings.class_embedding"], *cut])
        hidden = hidden + self.weights[at + "embeddings.position_embedding.weight"]
        hidden = self._layer_norm(at + "pre_layrnorm", hidden)
        for number in range(self.eyes.num_hidden_layers):
            name = f"{at}encoder.layers.{number}."
            normed = self._layer_norm(name + "layer_norm1", hidden)
            q, k, v = (self._affine(f"{name}self_attn.{part}_proj", normed) for part in "qkv")
            size = q.shape[1] // self.eyes.num_attention_heads
            heads = [
                _softmax(q[:, i : i + size] @ k[:, i : i + size].T / math.sqrt(size)) @ v[:, i : i + size]
                for i in range(0, q.shape[1], size)
            ]
            hidden = hidden + self._affine(name + "self_attn.out_proj", np.concatenate(heads, 1))
            inner = self._affine(name + "mlp.fc1", self._layer_norm(name + "layer_norm2", hidden))
            hidden = hidden + self._affine(name + "mlp.fc2", inner * _sigmoid(1.702 * inner))
        return hidden[1:]

    def project(self, seen: Array) -> Array:
        inner = self._affine("model.projector.linear_1", seen)
        return self._affine("model.projector.linear_2", 0.5 * inner * (1 + _erf(inner / math.sqrt(2))))

    def _layer(self, name: str, hidden: Array, is_picture: Array) -> Array:
        text = self.text
        normed = self._rms(name + "input_layernorm", hidden)
        size = text.hidden_size // text.num_attention_heads
        shared = text.num_attention_heads // text.num_key_value_heads
        # For each key-value head in turn: its queries, its key, its value.
        wqkv = self._partial(name + "self_attn.wqkv", normed, is_picture)
        groups = wqkv.reshape(len(hidden), text.num_key_value_heads, shared + 2, size)
        heads = []
        for group in range(text.num_key_value_heads):
            keys, values = self._turned(groups[:, group, shared]), groups[:, group, shared + 1]
            for query in range(shared):
                scores = self._turned(groups[:, group, query]) @ keys.T / math.sqrt(size)
                later = np.triu(np.ones_like(scores, bool), 1)
                heads.append(_softmax(np.where(later, -np.inf, scores)) @ values)
        hidden = hidden + self._partial(name + "self_attn.wo", np.concatenate(heads, 1), is_picture)
        normed = self._rms(name + "post_attention_layernorm", hidden)
        gate, up = (self._partial(f"{name}mlp.{part}", normed, is_picture) for part in ("w1", "w3"))
        return hidden + self._partial(name + "mlp.w2", gate * _sigmoid(gate) * up, is_picture)

    def _partial(self, name: str, hidden: Array, is_picture: Array) -> Array:
        """Token by token: W x, and for a picture's token (alpha / rank) B A x more."""
        w, a, b = (self.weights[f"{name}.{part}.weight"] for part in ("linear", "lora_A", "lora_B"))
        scale = self.text.plora_alpha / self.text.plora_rank
        return np.stack([w @ x + (scale * (b @ (a @ x)) if p else 0) for x, p in zip(hidden, is_picture, strict=True)])

    def _turned(self, rows: Array) -> Array:
        """Rotary positions: the i-th and the (i + half)-th number are turned together."""
        half = rows.shape[1] // 2
        speeds = self.text.rope_parameters["rope_theta"] ** (-np.arange(half) / half)
        angles = np.outer(np.arange(len(rows)), speeds)
        one, other = rows[:, :half], rows[:, half:]
        return np.concatenate(
            [one * np.cos(angles) - other * np.sin(angles), one * np.sin(angles) + other * np.cos(angles)], 1
        )

    def _rms(self, name: str, x: Array) -> Array:
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + self.text.rms_norm_eps) * self.weights[f"{name}.weight"]

    def _layer_norm(self, name: str, x: Array) -> Array:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + self.eyes.layer_norm_eps)
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def _affine(self, name: str, x: Array) -> Array:
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _softmax(x: Array) -> Array:
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)
