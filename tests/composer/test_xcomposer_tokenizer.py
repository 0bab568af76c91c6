"""InternLM2's tokenizer against what SentencePiece itself gives for the same file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from limner.composer.errors import ModelIncomplete
from limner.composer.models.checkpoint import Checkpoint
from limner.composer.models.local import LocalModel
from limner.composer.models.xcomposer.model import XComposer2ForConditionalGeneration
from limner.composer.models.xcomposer.official import END_OF_TURN_ID, load_processor
from limner.composer.models.xcomposer.processor import END_OF_TURN, IMAGE, TURN
from limner.composer.models.xcomposer.tiles import TileImageProcessor
from limner.composer.models.xcomposer.tokenizer import load_tokenizer
from limner.composer.protocols import Message, Picture, Sampling
from PIL import Image
from transformers.convert_slow_tokenizer import import_protobuf

from .tiny_xcomposer import config, randomise

OFFICIAL = Path(__file__).resolve().parents[3] / "shared" / "xcomposer" / "internlm2-tokenizer.model"
# By SentencePiece 0.2.3 from the official file.
EXPECTED = {
    "Hello world": [9843, 2028],
    " Hello\n\n  world": [22190, 402, 387, 14748],
    "[UNUSED_TOKEN_146]user\nhi[UNUSED_TOKEN_145]\n": [92543, 1008, 364, 6176, 92542, 364],
    "，你好，世界。请写一篇关于苏州园林的文章！": [
        60353,
        77230,
        60353,
        68339,
        60355,
        60836,
        60897,
        73221,
        68716,
        72376,
        73978,
        76007,
        60477,
    ],
    "I think images can be added under the 1,3,5 paragraphs.": [
        295,
        1896,
        5494,
        777,
        517,
        3854,
        1358,
        410,
        262,
        312,
        328,
        308,
        328,
        317,
        42291,
        281,
    ],
    "Ａ Ｅ …… —— naïve café №7 € 🦔🏽 \t tab\r\nend": [
        66844,
        262,
        92352,
        262,
        92396,
        262,
        92395,
        4477,
        67656,
        717,
        29414,
        63000,
        262,
        229,
        135,
        153,
        323,
        262,
        67829,
        262,
        243,
        162,
        169,
        151,
        243,
        162,
        146,
        192,
        7168,
        5807,
        450,
        538,
    ],
    "1234567890 3.14159  {x}->[y]": [
        4575,
        10877,
        2590,
        2065,
        262,
        308,
        281,
        1101,
        10981,
        387,
        44846,
        56262,
        16180,
        332,
    ],
    "   ": [393],
    "日本語のテキスト und Straße über Ärger": [
        68486,
        61959,
        62984,
        65092,
        65137,
        63905,
        64225,
        2180,
        27067,
        65819,
        261,
        262,
        64259,
        783,
        262,
        198,
        135,
        267,
        1535,
    ],
    "\u200b\u00a0x": [62945, 60590, 274],
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": [28796, 28796, 28796, 28796, 28796, 28796, 28796, 28796],
}


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    if not OFFICIAL.is_file():
        pytest.skip("the official tokenizer's file is not beside this checkout")
    folder = tmp_path_factory.mktemp("official")
    (folder / "tokenizer.model").write_bytes(OFFICIAL.read_bytes())
    return Checkpoint("official", folder)


def small(folder: Path, *pieces: str, kind: int = 2, best: str = "") -> Checkpoint:
    """A SentencePiece file of a few pieces, worse and worse but for the best."""
    model = import_protobuf().ModelProto()
    model.trainer_spec.model_type, model.trainer_spec.byte_fallback = kind, True
    for number, piece in enumerate(("<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *pieces)):
        of = 2 if number == 0 else 3 if number < 3 else 6 if number < 259 else 4 if piece.startswith("[") else 1
        model.pieces.add(piece=piece, score=0.0 if piece == best else -float(number), type=of)
    (folder / "tokenizer.model").write_bytes(model.SerializeToString())
    return Checkpoint(str(folder), folder)


@pytest.fixture(scope="module")
def tokenizer(official: Checkpoint) -> Any:
    return load_tokenizer(official, (IMAGE, TURN, END_OF_TURN))


@pytest.mark.parametrize("text", EXPECTED)
def test_tokens_are_those_of_sentencepiece(tokenizer: Any, text: str) -> None:
    assert tokenizer.encode(text) == EXPECTED[text]
    assert tokenizer.decode(EXPECTED[text]) == text


def test_the_better_pair_is_merged_first(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(small(tmp_path, "a", "b", "c", "ab", "bc", "[X]", best="bc"), ("[X]",))

    assert tokenizer.tokenize("abc[X]é") == ["a", "bc", "[X]", "<0xC3>", "<0xA9>"]
    assert tokenizer.decode(tokenizer.encode("abc[X]é"), skip_special_tokens=True) == "abcé"


def test_the_frame_around_a_message_by_the_official_tokens(official: Checkpoint, tmp_path: Path) -> None:
    shape = config(vocabulary=92544, image_token_id=92397)
    model = XComposer2ForConditionalGeneration(shape).eval()
    randomise(model)
    model.generation_config.eos_token_id = [2, END_OF_TURN_ID]
    local = LocalModel("tiny", model, load_processor(official, shape), 2048)
    Image.new("RGB", (30, 20), (200, 10, 10)).save(tmp_path / "red.png")
    messages = [Message("user", ("Hello world", Picture(tmp_path / "red.png"), "hi"))]

    ids = local._inputs(messages)["input_ids"][0].tolist()

    frame, hello = EXPECTED["[UNUSED_TOKEN_146]user\nhi[UNUSED_TOKEN_145]\n"], EXPECTED["Hello world"]
    asked = [1, *frame[:3], *hello, *[92397] * 4, *frame[3:]]
    assert ids[: len(asked) + 1] == [*asked, frame[0]]
    assert "".join(local.generate(messages, sampling=Sampling(3)))


def test_25_has_tiles_of_its_own_size(official: Checkpoint) -> None:
    shape = config()
    shape.tiled, shape.vision_config.image_size = True, 560

    processor = load_processor(official, shape)

    assert isinstance(processor.image_processor, TileImageProcessor)
    made = processor(text=[IMAGE], images=[Image.new("RGB", (600, 300))], return_tensors="pt")
    assert made["pixel_values"].shape == (1, 3, 3, 560, 560)
    assert torch.equal(made["image_sizes"], torch.tensor([[560, 1120]]))
    assert int((made["input_ids"] == processor.image_token_id).sum()) == (1 * 2 + 1) * 400 + 1 + 20 * (1 + 1)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelIncomplete, match=r"tokenizer\.model is missing"):
        load_tokenizer(Checkpoint("x", tmp_path), ())


@pytest.mark.parametrize("content", [b"\x0a\xff\xff", b"version https://git-lfs.github.com/spec/v1\n", b""])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tokenizer.model").write_bytes(content)

    with pytest.raises(ModelIncomplete, match=r"tokenizer\.model is (damaged|that of another model)"):
        load_tokenizer(Checkpoint("x", tmp_path), ())


def test_another_models_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelIncomplete, match=r"it has no piece \[UNUSED_TOKEN_0\]"):
        load_tokenizer(small(tmp_path, "a"), (IMAGE,))
    with pytest.raises(ModelIncomplete, match="not byte pairs"):
        load_tokenizer(small(tmp_path, "a", kind=1), ())
