"""1.0's tokenizer against what the authors' own class gives for the same file, and the official ids of the frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from limner.composer.errors import ModelIncomplete
from limner.composer.models.checkpoint import Checkpoint
from limner.composer.models.local import LocalModel
from limner.composer.models.xcomposer.official import load_processor
from limner.composer.models.xcomposer.one.model import XComposer1ForConditionalGeneration
from limner.composer.models.xcomposer.one.official import ENDS
from limner.composer.models.xcomposer.one.processor import IMAGE, XComposer1Processor
from limner.composer.protocols import Message, Picture, Sampling
from PIL import Image

from .test_xcomposer_tokenizer import small
from .tiny_xcomposer import randomise
from .tiny_xcomposer1 import config

OFFICIAL = Path(__file__).resolve().parents[3] / "shared" / "xcomposer" / "internlm1-tokenizer.model"
# By the authors' class over SentencePiece 0.1.99, from the official file.
EXPECTED = {
    "Hello world": [9843, 2028],
    " Hello\n\n  world": [22190, 402, 387, 14748],
    "，你好，世界。请写一篇关于苏州园林的文章！": [
        98899, 76379, 98899, 67488, 99157, 60817, 60878, 72370, 67865, 71525, 73127, 75156, 99000,
    ],
    "The 3. image, chosen from A.-D.": [918, 262, 308, 281, 2321, 328, 12032, 635, 493, 281, 9548, 281],
    "Ａ Ｅ …… —— naïve café №7 € 🦔🏽 \t tab\r\nend": [
        101758, 262, 101785, 262, 92806, 96966, 98672, 4477, 98953, 717, 29414, 98692, 262, 98748, 323, 97410, 262,
        243, 162, 169, 151, 102287, 7168, 5807, 450, 538,
    ],
    "1234567890 3.14159  {x}->[y]": [
        4575, 10877, 2590, 2065, 262, 308, 281, 1101, 10981, 387, 44846, 56262, 16180, 332,
    ],
    "   ": [393],
    "日本語のテキスト und Straße über Ärger": [
        67635, 61934, 99720, 101677, 99138, 101023, 2180, 27067, 98880, 261, 262, 98694, 783, 262, 98946, 267, 1535,
    ],
    "\u200b\u00a0x": [98662, 197, 163, 274],
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": [28796] * 8,
    "'s it's 'b": [725, 563, 725, 495, 260],
    " <|User|>:根据给定标题写一个图文并茂，不重复的文章：苏州\n<TOKENS_UNUSED_0> <|Bot|>:": [
        497, 352, 1621, 352, 27232, 67569, 60549, 60442, 69468, 60878, 67401, 72667, 90472, 98899, 60356, 69177, 75156,
        98750, 71525, 364, 103027, 497, 352, 23845, 352, 27232,
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    if not OFFICIAL.is_file():
        pytest.skip("the official tokenizer's file is not beside this checkout")
    folder = tmp_path_factory.mktemp("official")
    (folder / "tokenizer.model").write_bytes(OFFICIAL.read_bytes())
    return Checkpoint("official", folder)


@pytest.fixture(scope="module")
def processor(official: Checkpoint) -> Any:
    return load_processor(official, config(vocabulary=103168, image_token_id=103167))


@pytest.mark.parametrize("text", EXPECTED)
def test_tokens_are_those_of_the_authors_class(processor: Any, text: str) -> None:
    assert processor.tokenizer.encode(text) == EXPECTED[text]
    assert processor.tokenizer.decode(EXPECTED[text]) == text


def test_the_processor_is_of_the_version_of_the_configuration(processor: Any) -> None:
    assert isinstance(processor, XComposer1Processor)
    assert processor.image_token_id == 103167
    ends = ("<TOKENS_UNUSED_0>", "<TOKENS_UNUSED_1>")
    assert processor.tokenizer.convert_tokens_to_ids(ends) == [*ENDS] == [103027, 103028]


def test_the_frame_around_a_message_by_the_official_tokens(processor: Any, tmp_path: Path) -> None:
    model = XComposer1ForConditionalGeneration(config(vocabulary=103168, image_token_id=103167)).eval()
    randomise(model)
    model.generation_config.eos_token_id = [2, *ENDS]
    local = LocalModel("tiny", model, processor, 2048)
    Image.new("RGB", (30, 20), (200, 10, 10)).save(tmp_path / "red.png")
    text = "根据给定标题写一个图文并茂，不重复的文章：苏州"
    messages = [Message("user", (Picture(tmp_path / "red.png"), text))]

    ids = local._inputs(messages)["input_ids"][0].tolist()

    frame = EXPECTED[f" <|User|>:{text}\n<TOKENS_UNUSED_0> <|Bot|>:"]
    assert ids == [1, *frame[:5], *[103167] * 4, *frame[5:]]
    assert "".join(local.generate(messages, sampling=Sampling(3)))


def test_the_tokenizer_of_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelIncomplete, match=rf"it has no piece {IMAGE}"):
        load_processor(small(tmp_path, "a"), config())
