"""The stages in which a tiny XComposer learns: the paper's in small, and an ablation.

A decoder that knows the three tasks as text (each picture told in words); the projector alone, by describing pictures;
then Partial LoRA and projector by choosing pictures, with the decoder frozen; then all three tasks, the decoder with
them. The ablation freezes one part while the others learn to choose. The eyes are nano-clip's and stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

DECODER, PROJECTOR = r"\.linear\.|(?:input|attention)_layernorm|language_model\.norm|embed_tokens|lm_head", "projector"
ATTENTION, FEED_FORWARD = r"self_attn\.\w+\.lora_", r"mlp\.\w+\.lora_"


@dataclass(frozen=True, slots=True)
class Stage:
    """What one stage trains, on what, and for how long."""

    name: str
    begin: str | None  # the stage whose weights it begins with
    learns: tuple[str, ...]
    mix: tuple[float, ...]  # share of the batches by task
    share: float  # of the time
    words: bool = False  # pictures are told in words


FRESH = "fresh"  # what the ablation begins with
_PARTS = (PROJECTOR, ATTENTION, FEED_FORWARD)
_CHOOSING = (0.0, 0.0, 0.6, 0.15, 0.25)
STAGES = (
    Stage("base", None, (DECODER,), (0.2, 0.1, 0.35, 0.0, 0.35), 0.26, words=True),
    Stage("aligned", "base", (PROJECTOR,), (0.0, 0.0, 0.0, 1.0, 0.0), 0.05),
    Stage("adapted", "aligned", _PARTS, _CHOOSING, 0.20),
    Stage("whole", "adapted", (DECODER, *_PARTS), (0.35, 0.15, 0.4, 0.1, 0.0), 0.21),
    # The ablation, as many steps for each as the first one made in its time: the decoder has read pictures, as the
    # paper's has in its first stage, and is frozen; Partial LoRA is new, and the projector that of the second stage.
    Stage("nothing-frozen", FRESH, _PARTS, _CHOOSING, 0.07),
    Stage("frozen-projector", FRESH, (ATTENTION, FEED_FORWARD), _CHOOSING, 0.07),
    Stage("frozen-attention", FRESH, (PROJECTOR, FEED_FORWARD), _CHOOSING, 0.07),
    Stage("frozen-feed-forward", FRESH, (PROJECTOR, ATTENTION), _CHOOSING, 0.07),
)
ABLATION = 4  # of the stages, the last ones
