"""A tiny InternLM-XComposer 1.0 of random weights; the tests' prompts for 2 fit it too."""

from __future__ import annotations

from limner.composer.models.xcomposer.one.config import XComposer1Config
from limner.composer.models.xcomposer.one.model import XComposer1ForConditionalGeneration
from limner.composer.models.xcomposer.one.processor import END_OF_ANSWER, END_OF_HUMAN, IMAGE, XComposer1Processor
from limner.composer.models.xcomposer.processor import image_processor

from .families import tokenizer
from .tiny_xcomposer import SIDE_PX, TOKENS_A_PICTURE, randomise

TEXT = {
    "vocab_size": 300, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "max_position_embeddings": 2048, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
EYES = {
    "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "patch_size": 14,
    "image_size": SIDE_PX,
}  # fmt: skip
SAMPLER = {
    "hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 3, "num_attention_heads": 2,
    "encoder_hidden_size": 16,
}  # fmt: skip


def words() -> object:
    """Byte tokens with the frame's; 3 is the token of pictures."""
    return tokenizer(IMAGE, END_OF_HUMAN, END_OF_ANSWER, eos="</s>", pad="<pad>", bos="<s>")


def config(*, vocabulary: int = 300, image_token_id: int = 3) -> XComposer1Config:
    return XComposer1Config(
        text_config={**TEXT, "vocab_size": vocabulary},
        vision_config=EYES,
        qformer_config=SAMPLER,
        num_query_tokens=TOKENS_A_PICTURE - 2,  # the rest are flags
        image_token_id=image_token_id,
    )


def tiny_model() -> XComposer1ForConditionalGeneration:
    model = XComposer1ForConditionalGeneration(config()).eval()
    randomise(model)
    return model


def processor() -> XComposer1Processor:
    return XComposer1Processor(image_processor(SIDE_PX), words(), TOKENS_A_PICTURE)
