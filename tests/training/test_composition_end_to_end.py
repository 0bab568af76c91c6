"""A miniature XComposer 2 learns articles about colours by the recipe, from nothing, and composes them.

It learns to write and to find places by heart in seconds; which picture it takes means nothing yet. Choosing well takes
the minutes of `training.xcomposer_train`, and is measured there.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from limner.composer.article import Brief, Figure
from limner.composer.models.checkpoint import Checkpoint
from limner.composer.models.load import load_model
from limner.composer.models.options import ModelOptions
from limner.composer.models.xcomposer.config import XComposer2Config
from limner.composer.models.xcomposer.model import XComposer2ForConditionalGeneration
from limner.composer.models.xcomposer.processor import (
    END_OF_TURN,
    IMAGE,
    TURN,
    XComposer2Processor,
    image_processor,
)
from limner.composer.models.xcomposer.tokenizer import load_tokenizer
from limner.composer.pipeline import compose
from limner.index.build import build
from limner.index.library import Library

from tests.colours import ColourEncoder, Paint
from training.composition import main

ARTICLE = "# {0}\n\nAll was {0}.\n\n![The {0} one]({0}.png)\n\nNobody came.\n"
TAUGHT = ("red", "green", "blue")


def newborn(folder: Path) -> None:
    """A model that knows nothing, with a tokenizer of the words that it will meet."""
    import sentencepiece

    folder.mkdir()
    words = [ARTICLE.format(name) for name in TAUGHT]
    words += [
        "I think images can be added under the 1, 2 paragraphs. The image captions are as follows: 1 paragraph: x"
    ]
    words += ["Based on the above text, select the appropriate locations for inserting images and give captions <Seg1>"]
    words += ["Based on the given context and candidate images, select the appropriate image. The A B C D image."]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line for text in words for line in text.splitlines() if line] * 20),
        model_prefix=str(folder / "tokenizer"), model_type="bpe", vocab_size=420, byte_fallback=True,
        normalization_rule_name="identity", add_dummy_prefix=False, remove_extra_whitespaces=False,
        user_defined_symbols=[IMAGE, TURN, END_OF_TURN], hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    tokenizer = load_tokenizer(Checkpoint("newborn", folder), (IMAGE, TURN, END_OF_TURN))
    place, end = tokenizer.convert_tokens_to_ids([IMAGE, END_OF_TURN])
    config = XComposer2Config(
        text_config={
            "vocab_size": len(tokenizer), "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 2048, "plora_rank": 8,
            "plora_alpha": 8, "bos_token_id": 1, "eos_token_id": end, "pad_token_id": 2,
        },
        vision_config={
            "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2,
            "patch_size": 14, "image_size": 28,
        },
        image_token_id=place,
    )  # fmt: skip
    torch.manual_seed(3)
    model = XComposer2ForConditionalGeneration(config)
    model.generation_config.eos_token_id, model.generation_config.pad_token_id = end, 2
    model.save_pretrained(folder)
    XComposer2Processor(image_processor(28), tokenizer, config.tile_side_tokens).save_pretrained(folder)


@pytest.mark.slow
def test_what_was_taught_is_composed(tmp_path: Path, paint: Paint, colour_encoder: ColourEncoder) -> None:
    for name in TAUGHT:
        paint(tmp_path / "site" / f"{name}.png", name)
        (tmp_path / "site" / f"{name}.md").write_text(ARTICLE.format(name))
    build([tmp_path / "site"], tmp_path / "library", encoder=colour_encoder)
    library = Library.open(tmp_path / "library", encoder=colour_encoder)
    newborn(tmp_path / "newborn")
    out = tmp_path / "taught"

    assert main([
        str(tmp_path / "site"), "--model", f"xcomposer:{tmp_path / 'newborn'}", "--out", str(out), "--whole",
        "--lr", "5e-3", "--bridge-lr", "5e-3", "--epochs", "120", "--batch-tokens", "1200", "--picture-tokens", "4",
        "--accumulate", "1", "--device", "cpu", "--save-every", "10000", "--log-every", "20", "-m", "3",
    ]) == 0  # fmt: skip

    model = load_model(f"xcomposer:{out}", ModelOptions(device="cpu"))
    for name in TAUGHT:
        article = compose(
            Brief(name, temperature=0.0, candidates=3),
            writer=model, selector=model, library=library, encoder="colour", out=tmp_path / name,
        )  # fmt: skip
        texts = [block.markdown for block in article.blocks if not isinstance(block, Figure)]
        assert texts == [f"# {name}", f"All was {name}.", "Nobody came."]
        [figure] = [block for block in article.blocks if isinstance(block, Figure)]
        assert article.blocks.index(figure) == 2
        assert (figure.caption, figure.outcome) == (f"The {name} one", "chosen")
        assert sum(candidate.probability for candidate in figure.candidates) == pytest.approx(1)
        assert Path(figure.source or "").stem in TAUGHT
