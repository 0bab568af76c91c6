"""The two small byte-level BPE tokenizers: one for nano-clip's captions, one for nano-vlm's prompts and articles.

Byte level: any text in any script can be written, in more tokens the farther it is from the picture book.
"""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast


def _train(texts: Iterable[str], vocab_size: int, special: list[str], *, lowercase: bool) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    steps: list[normalizers.Normalizer] = [normalizers.NFC()]
    if lowercase:
        steps.append(normalizers.Lowercase())
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def caption_tokenizer(texts: Iterable[str], vocab_size: int = 1024) -> PreTrainedTokenizerFast:
    """Lower-cased, `<start> caption <end>`, padded: what open_clip's text tower reads."""
    tokenizer = _train(texts, vocab_size, ["<pad>", "<start>", "<end>"], lowercase=True)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 1), ("<end>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<start>", eos_token="<end>", model_max_length=40
    )


def article_tokenizer(texts: Iterable[str], vocab_size: int = 2048) -> PreTrainedTokenizerFast:
    """Case kept, with ChatML's turn markers and LLaVA's `<image>`: what nano-vlm reads and writes."""
    special = ["<pad>", "<|im_start|>", "<|im_end|>", "<image>"]
    tokenizer = _train(texts, vocab_size, special, lowercase=False)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        extra_special_tokens={"image_token": "<image>"},
        model_max_length=2048,
        padding_side="left",
    )
