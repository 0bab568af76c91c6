"""The recipe that fine-tunes for composition, on tiny models of random weights: what learns, and what is kept of it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from limner.composer.errors import ModelUnfit
from limner.composer.models.local import LocalModel
from limner.composer.protocols import Message, Picture
from PIL import Image

from tests.colours import COLOURS
from tests.composer import tiny_xcomposer1
from tests.composer.tiny_families import FAMILIES
from tests.composer.tiny_xcomposer import processor, tiny_model
from training.composition import (
    Lessons,
    Question,
    arguments,
    fine_tune,
    keep,
    learner_for,
    main,
    prepare,
    read_articles,
)
from training.conversations import IGNORE, batches_by_length, collate
from training.finetune import BRIDGE, Rate, train_only


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An article for each of three colours, with the pictures of eight."""
    folder = tmp_path_factory.mktemp("site")
    for name, colour in COLOURS.items():
        Image.new("RGB", (30, 20), colour).save(folder / f"{name}.png")
    for name in ("red", "green", "blue"):
        (folder / f"{name}.md").write_text(f"# A {name} day\n\nAll was {name}.\n\n![The {name} one]({name}.png)\n")
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


def asked(*given: str) -> argparse.Namespace:
    return arguments().parse_args(["SITE", "--model", "tiny", "--device", "cpu", "--accumulate", "1", *given])


def qwen() -> LocalModel:
    return LocalModel("tiny", *FAMILIES["qwen2_5_vl"](), 4096)


def xcomposer() -> LocalModel:
    model = tiny_model()
    model.generation_config.eos_token_id = [2, 5]
    return LocalModel("tiny", model, processor(), 2048, "xcomposer2")


def xcomposer1() -> LocalModel:
    model = tiny_xcomposer1.tiny_model()
    model.generation_config.eos_token_id = [2]
    return LocalModel("tiny", model, tiny_xcomposer1.processor(), 2048, "xcomposer1")


def lessons(site: Path, model: LocalModel, *tasks: str) -> Lessons:
    articles, pool = read_articles([site])
    return Lessons(articles, pool, learner_for(model), tasks=tasks or ("select",))


def conversation(site: Path, *replies: str) -> list[list[Message]]:
    question = Message("user", ("Which? ", Picture(site / "red.png"), " or ", Picture(site / "blue.png")))
    return [[question, Message("assistant", (reply,))] for reply in replies]


@pytest.mark.parametrize("family", [*FAMILIES, "xcomposer2"])
def test_collate_labels_replies_and_their_ends_alone(site: Path, family: str) -> None:
    model = xcomposer() if family == "xcomposer2" else LocalModel("tiny", *FAMILIES[family](), 4096)

    batch = collate(conversation(site, "Red.", "The blue one, of course."), model)

    for ids, labels, reply in zip(
        batch["input_ids"], batch["labels"], ("Red.", "The blue one, of course."), strict=True
    ):
        learnt = labels[labels != IGNORE]
        assert int(learnt[-1]) in model.ends
        assert torch.equal(learnt, ids[labels != IGNORE])
        assert model.processor.tokenizer.decode(learnt, skip_special_tokens=True).strip() == reply


def test_collate_refuses_a_template_that_asks_otherwise_than_it_tells(site: Path) -> None:
    model = qwen()
    model.processor.chat_template = model.processor.chat_template.replace(
        "assistant\n{% endif %}", "assistant\nLet me think.\n{% endif %}"
    )

    with pytest.raises(ModelUnfit, match="does not tell a reply as it asks for one"):
        collate(conversation(site, "Red."), model)


def test_collated_loss_is_that_of_the_replies_by_themselves(site: Path) -> None:
    """Padding and the other conversation change nothing: each reply's loss is that of a pass over it alone."""
    model = qwen()
    both = conversation(site, "Red.", "The blue one, of course.")
    with torch.inference_mode():
        together = model.model(**collate(both, model)).loss
        alone, counts = [], []
        for one in both:
            batch = collate([one], model)
            alone.append(float(model.model(**batch).loss))
            counts.append(int((batch["labels"] != IGNORE).sum()))

    assert float(together) == pytest.approx(np.average(alone, weights=counts), rel=1e-5)


def test_batches_by_length_has_every_sample_once_within_the_tokens() -> None:
    lengths = np.random.default_rng(0).integers(10, 400, 200).tolist()

    batches = batches_by_length(lengths, 1000, np.random.default_rng(1))

    assert sorted(index for batch in batches for index in batch) == list(range(200))
    assert all(len(batch) * max(lengths[i] for i in batch) <= 1000 for batch in batches)
    padded = sum(len(batch) * max(lengths[i] for i in batch) for batch in batches)
    assert sum(lengths) / padded > 0.9
    assert batches_by_length([5000], 1000, np.random.default_rng(1)) == [[0]]


def test_read_articles_leaves_out_pictures_that_cannot_be_read(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    articles, pool = read_articles([site])

    assert len(articles) == 3
    assert {path.stem for path in pool} == set(COLOURS)
    assert "broken.png" in capsys.readouterr().out


def test_negatives_are_others_than_the_articles_pictures_and_drawn_anew_each_epoch(site: Path) -> None:
    given = lessons(site, qwen())
    seen = set()
    for epoch in range(12):
        question, reply = given.turns(given.questions()[0], epoch)
        candidates = [part.path.stem for part in question.parts if isinstance(part, Picture)]
        assert len(set(candidates)) == 4
        assert candidates["ABCD".index(str(reply.parts[0]))] == given.articles[0].pictures[0].path.stem
        seen |= set(candidates)
    assert seen == set(COLOURS)


def test_negatives_of_a_search_are_its_best_hits(site: Path) -> None:
    given = lessons(site, qwen())
    order = ["red", "cyan", "blue", "green", "white"]
    searched = Lessons(
        given.articles, given.pool, given.learner, 3, lambda words, m: [site / f"{n}.png" for n in order], 1.0
    )
    number = next(i for i, article in enumerate(given.articles) if article.pictures[0].path.stem == "red")

    assert set(searched.negatives(given.articles[number], 0, np.random.default_rng(0))) == {
        site / "cyan.png",
        site / "blue.png",
    }


def loss_by_step(trainer: Any) -> list[float]:
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def test_lora_teaches_a_general_model_and_its_result_is_read_again(site: Path, tmp_path: Path) -> None:
    from limner.composer.models.load import load_model
    from limner.composer.models.options import ModelOptions

    source = tmp_path / "source"
    model = qwen()
    model.model.save_pretrained(source)
    FAMILIES["qwen2_5_vl"]()[1].save_pretrained(source)
    given = lessons(site, model)
    args = asked("--out", str(tmp_path / "out"), "--lr", "1e-2", "--rank", "4", "--epochs", "12", "--log-every", "3",
                 "--batch-tokens", "1500", "--picture-tokens", "4")  # fmt: skip

    losses = loss_by_step(fine_tune(model, given, args))
    keep(model, f"transformers:{source}", tmp_path / "out")

    assert losses[-1] < 0.7 * losses[0]
    again = load_model(f"transformers:{tmp_path / 'out'}", ModelOptions(device="cpu", dtype="float32"))
    question = given.turns(given.questions()[0], 99)[:-1]
    assert again.score(question, list("ABCD")) == pytest.approx(model.score(question, list("ABCD")), abs=1e-3)
    assert (tmp_path / "out" / "adapter" / "adapter_model.safetensors").is_file()


def test_partial_lora_teaches_an_xcomposer_and_leaves_its_language_as_it_was(site: Path, tmp_path: Path) -> None:
    model = xcomposer()
    before = {name: weights.clone() for name, weights in model.model.named_parameters()}
    args = asked("--out", str(tmp_path), "--partial-lora", "--tasks", "select", "--lr", "1e-2", "--bridge-lr", "1e-2",
                 "--epochs", "30", "--log-every", "5", "--batch-tokens", "900", "--picture-tokens", "4")  # fmt: skip

    losses = loss_by_step(fine_tune(model, lessons(site, model), args))

    assert losses[-1] < 0.8 * losses[0]
    changed = {name for name, weights in model.model.named_parameters() if not torch.equal(weights, before[name])}
    learnt = {name for name in before if ".lora_" in name or ".projector." in name}
    # What comes after the keys and values of the last layer is read by no token of a reply.
    unread = {name for name in learnt if ".layers.1." in name and "wqkv" not in name}
    assert changed == learnt - unread


class Cut(Lessons):
    """Lessons that somebody ends in the fourth epoch."""

    def turns(self, question: Question, epoch: int) -> Sequence[Message]:
        if epoch == 3:
            raise KeyboardInterrupt
        return super().turns(question, epoch)


def test_a_resumed_run_ends_as_one_that_was_not_cut(site: Path, tmp_path: Path) -> None:
    def train(kind: type[Lessons], out: Path, *given: str) -> dict[str, torch.Tensor]:
        model = xcomposer()
        args = asked("--out", str(out), "--lr", "1e-3", "--epochs", "5", "--batch-tokens", "900", "--save-every", "1",
                     "--picture-tokens", "4", *given)  # fmt: skip
        articles, pool = read_articles([site])
        fine_tune(model, kind(articles, pool, learner_for(model), tasks=("select",)), args)
        return {name: weights.detach() for name, weights in model.model.named_parameters()}

    whole = train(Lessons, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(Cut, tmp_path / "cut")
    resumed = train(Lessons, tmp_path / "cut", "--resume")

    assert all(torch.equal(resumed[name], weights) for name, weights in whole.items())


@pytest.mark.parametrize("family", ["idefics3", "xcomposer1", "xcomposer2"])
def test_lora_leaves_what_it_stands_beside_as_it_was(site: Path, tmp_path: Path, family: str) -> None:
    """All three tasks; after merging only the decoder's linear layers, the bridge and Partial LoRA have changed."""
    models = {"xcomposer1": xcomposer1, "xcomposer2": xcomposer}
    model = models[family]() if family in models else LocalModel("tiny", *FAMILIES[family](), 4096)
    before = {name: weights.clone() for name, weights in model.model.named_parameters()}
    args = asked("--out", str(tmp_path), "--lr", "1e-2", "--bridge-lr", "1e-2", "--rank", "2", "--steps", "6",
                 "--batch-tokens", "900", "--picture-tokens", "4")  # fmt: skip

    fine_tune(model, lessons(site, model, "write", "spot", "select"), args)
    merged = dict(model.model.merge_and_unload().named_parameters())

    changed = {name for name, weights in before.items() if not torch.equal(merged[name], weights)}
    linear = {name for name in changed if name.endswith("_proj.weight") or name.endswith(".linear.weight")}
    others = {name for name in changed - linear if not re.search(BRIDGE, name) and ".lora_" not in name}
    assert linear and all(re.search("language_model|text_model", name) for name in linear - {"model.projector.weight"})
    assert not others
    assert any(re.search(BRIDGE, name) for name in changed)
    assert any("qformer" in name for name in changed) is (family == "xcomposer1")
    assert any(".lora_" in name for name in changed) is (family == "xcomposer2")


def test_partial_lora_is_refused_where_it_can_learn_nothing() -> None:
    with pytest.raises(ModelUnfit, match="has no Partial LoRA"):
        prepare(qwen(), asked("--out", "x", "--partial-lora"))
    with pytest.raises(ModelUnfit, match="no token of a text"):
        prepare(xcomposer(), asked("--out", "x", "--partial-lora"))


def test_train_only_names_what_it_does_not_find() -> None:
    with pytest.raises(ValueError, match="no weights are named sampler"):
        train_only(tiny_model(), [Rate("sampler", 1e-3)])


def test_main_says_what_is_wrong_with_its_articles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.md").write_text("# No pictures\n\nHere.\n")

    assert main([str(tmp_path), "--model", "transformers:nowhere", "--out", str(tmp_path / "out")]) == 1
    assert "no article has a picture" in capsys.readouterr().out
