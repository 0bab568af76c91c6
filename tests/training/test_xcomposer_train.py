"""The tiny XComposer of the picture-book world: its eyes are nano-clip's, and a batch asks what it says it asks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from training import nano_clip
from training.finetune import Rate, train_only
from training.picture_book.world import Scene, Thing
from training.samples import Pool
from training.xcomposer_book import Encoder, load, numbers, pack, samples_of, save, shown, train_tokenizer
from training.xcomposer_samples import DRILL, LETTER, NAME, REPLY, TASKS, VERDICT, Samples
from training.xcomposer_stages import STAGES
from training.xcomposer_tiny import Seeing, build_model, pixel_values, read_pictures
from training.xcomposer_train import fresh, parser, train_stage

SHAPE = {"vocab_size": 64, "image_token_id": 3, "bos_token_id": 1, "eos_token_id": 5, "pad_token_id": 2}
PLACES_SEEN = ("meadow", "forest", "beach", "lake", "mountains", "village", "city", "farm", "desert", "garden")


def test_eyes_see_what_nano_clip_sees_though_pictures_are_scaled_otherwise() -> None:
    import open_clip

    pixels = np.random.default_rng(0).integers(0, 256, (3, 80, 80, 3), np.uint8)
    clip: Any = open_clip.create_model(f"local-dir:{nano_clip.OUT}").eval()
    model = build_model(SHAPE).eval()

    with torch.inference_mode():
        expected = clip.encode_image((torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25)
        seen = model.model._see(pixel_values(pixels))
        pooled = clip.visual.ln_post(seen).mean(1) @ clip.visual.proj

    assert pooled.numpy() == pytest.approx(expected.numpy(), abs=2e-4)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Samples, Any]:
    """Twelve stories' samples over pictures that are never drawn."""
    from training.picture_book.world import PLACES, SUBJECTS, TIMES

    folder = tmp_path_factory.mktemp("book")
    scenes = [
        Scene((Thing(subject, colour),), place, time, "clear", 0)
        for subject, colours in SUBJECTS.items()
        for colour in colours
        for place in PLACES
        for time in TIMES
    ]
    pool = Pool(scenes)
    train_tokenizer(folder / "tokenizer.model", pool, stories=40)
    tokenizer = load(folder / "tokenizer.model")
    encoder = Encoder(tokenizer)
    samples = [sample for seed in range(12) for sample in samples_of(seed, pool)]
    packed = pack((s.task, *encoder(s.turns), s.answer, s.candidates) for s in samples)
    save({**packed, **shown(pool, tokenizer)}, folder / "samples.npz.xz")
    return Samples(folder / "samples.npz.xz", json.loads(json.dumps(numbers(tokenizer))), 0), tokenizer


def learnt(batch: dict[str, torch.Tensor], tokenizer: Any, kind: int) -> list[str]:
    return tokenizer.convert_ids_to_tokens(batch["targets"][batch["kinds"] == kind].tolist())


@pytest.mark.parametrize("words", [True, False])
@pytest.mark.parametrize("drill", [True, False])
def test_a_choice_asks_for_its_letter_and_its_verdicts(prepared: tuple[Samples, Any], words: bool, drill: bool) -> None:
    samples, tokenizer = prepared
    row = int(samples.by_task[DRILL][0])
    answer, count = int(samples.data["answer"][row]), int(samples.data["candidates"][row])

    batch = samples.batch([row], words=words, drill=drill)

    assert learnt(batch, tokenizer, LETTER) == ["▁" + "ABCDEF"[answer]]
    assert "".join(learnt(batch, tokenizer, REPLY)) == "The▁image.[UNUSED_TOKEN_145]"
    verdicts = learnt(batch, tokenizer, VERDICT)
    assert [verdict == verdicts[answer] for verdict in verdicts] == [i == answer for i in range(count)]
    places = batch["where"][batch["kinds"] == VERDICT]
    colours = samples.data["names"][samples._shown(row)[-count:], 1]
    at = batch["input_ids"].flatten()[places].tolist()
    assert at == (colours.tolist() if words else [samples.numbers["image_token_id"]] * count)
    text = tokenizer.decode(batch["input_ids"][0])
    assert ("<s>[UNUSED_TOKEN_146]user\n" in text) and text.count("Based on the given context") == 1
    assert (len(text.partition("Based on")[0].split(".")) == 1) is drill


def test_each_picture_is_asked_for_subject_colour_and_place_before_its_last_token(
    prepared: tuple[Samples, Any],
) -> None:
    samples, tokenizer = prepared
    rows = samples.by_task[TASKS.index("describe")][:3].tolist()

    batch = samples.batch(rows, words=False)

    names = tokenizer.convert_ids_to_tokens(
        samples.data["names"][[samples._shown(r)[0] for r in rows]].ravel().tolist()
    )
    assert learnt(batch, tokenizer, NAME) == names
    ends = np.flatnonzero(np.diff((batch["input_ids"].flatten() == samples.numbers["image_token_id"]).int()) == -1)
    assert batch["where"][batch["kinds"] == NAME].tolist() == [end - back for end in ends for back in (3, 2, 1)]
    assert len(batch["image_rows"]) == 25 * 3
    assert float(batch["weights"].sum()) == pytest.approx(1.3)


def test_frozen_parts_are_those_that_the_ablation_names() -> None:
    model = build_model(SHAPE)

    def learning(name: str) -> set[str]:
        [stage] = [stage for stage in STAGES if stage.name == name]
        train_only(model, [Rate(pattern, 1.0) for pattern in stage.learns])
        return {name for name, weights in model.named_parameters() if weights.requires_grad}

    all_parts = learning("nothing-frozen")
    assert all_parts - learning("frozen-projector") == {name for name in all_parts if "projector" in name}
    assert all_parts - learning("frozen-attention") == {name for name in all_parts if "self_attn" in name}
    assert all_parts - learning("frozen-feed-forward") == {name for name in all_parts if "mlp" in name}
    assert not all_parts & learning("base")
    everything = {name for name, _ in model.named_parameters() if "vision_tower" not in name}
    assert learning("whole") == all_parts | learning("base") == everything


def test_a_stage_changes_what_it_trains_and_nothing_else(prepared: tuple[Samples, Any], tmp_path: Path) -> None:
    samples, _ = prepared
    model = build_model(samples.numbers)
    seeing = Seeing(model, torch.randn(samples.pictures, 25, nano_clip.MODEL["vision_cfg"]["width"]))
    before = {name: weights.clone() for name, weights in model.named_parameters()}
    [stage] = [stage for stage in STAGES if stage.name == "adapted"]
    args = parser().parse_args(["--data", "x", "--out", str(tmp_path), "--batch-tokens", "600", "--workers", "0",
                                "--warmup", "1", "--no-bf16", "--log-every", "1"])  # fmt: skip

    trainer = train_stage(seeing, samples, stage, 1000.0, 3, args)

    changed = {name for name, weights in model.named_parameters() if not torch.equal(weights, before[name])}
    assert changed == {name for name in before if ".lora_" in name or ".projector." in name}
    assert trainer.state.global_step == 3
    assert any("verdict" in kind for entry in trainer.history for kind in entry)


def test_fresh_has_the_trained_decoder_and_nothing_that_saw() -> None:
    names = ("a.projector.linear_1.weight", "a.wqkv.lora_A.weight", "a.wqkv.linear.weight", "lm_head.weight")
    aligned, whole = ({name: torch.full((1,), value) for name in names} for value in (1.0, 2.0))

    assert [float(weights) for weights in fresh(aligned, whole).values()] == [1.0, 1.0, 2.0, 2.0]


def test_pictures_come_out_of_their_square_as_they_went_in(tmp_path: Path) -> None:
    from training.xcomposer_book import save_pictures

    pixels = np.repeat(np.arange(7, dtype=np.uint8)[:, None] * 36, 80 * 80 * 3, 1).reshape(7, 80, 80, 3)
    save_pictures(pixels, tmp_path / "p.webp", quality=100)

    found = read_pictures(tmp_path / "p.webp", 7).astype(int)
    assert np.abs(found - pixels).max() <= 2
