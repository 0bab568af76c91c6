"""A sentence encoder with checkable answers: a text is the topics that its words belong to."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

TOPICS = (
    {"fox", "hound", "dog", "wolf", "canine"},
    {"sea", "beach", "wave", "coast", "shore"},
    {"bread", "soup", "kitchen", "meal", "dinner"},
)


class TopicSentences:
    """A text is one number a topic: "a canine" must find the fox, though they share no word."""

    name = "topics"
    dimension = len(TOPICS) + 1

    def __init__(self, fingerprint: str = "70" * 32) -> None:
        self.fingerprint = fingerprint
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.encoded += texts
        words = [re.findall(r"[a-z]+", text.lower()) for text in texts]
        rows = np.array([[*(sum(w in topic for w in line) for topic in TOPICS), 0.1] for line in words], np.float32)
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).reshape(-1, self.dimension)
