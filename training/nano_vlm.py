"""Trains nano-vlm, the embedded vision-language model (LLaVA: nano-clip's vision tower, a small Llama), with the
transformers Trainer, and writes it to `composer/models/nano_vlm/`.

    python -m training.nano_vlm                  train (again from the last checkpoint if one is there) and export
    python -m training.nano_vlm --export-only

The curriculum runs by the share of training done. Trained on the answer letter alone the model stays at chance; what
moved it was to say, right after a picture and only in training, what it shows (a gloss): first after each picture of a
short selection, then after half of them, then after none. Facts asked after the answer keep that knowledge in place.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from limner.composer.protocols import Message, Picture
from torch.utils.data import IterableDataset, get_worker_info
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    Trainer,
    TrainingArguments,
)

from .nano_clip import MEAN, MODEL, STD
from .nano_clip import OUT as CLIP_FOLDER
from .picture_book.stories import make_story, without_colour
from .picture_book.world import SUBJECTS
from .pictures import SIDE_PX, WORK, from_json
from .samples import (
    Gloss,
    Pool,
    Sample,
    describe_sample,
    row_of,
    select_sample,
    spoken_sample,
    spot_sample,
    write_sample,
)
from .tokenizers import article_tokenizer

OUT = Path(__file__).parent.parent / "composer" / "models" / "nano_vlm"
RUN = WORK / "nano-vlm"
PATCHES = (SIDE_PX // MODEL["vision_cfg"]["patch_size"]) ** 2  # image tokens a picture
IGNORE = -100
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Share of the micro-batches by task, at the beginning of each phase of training (the share done so far).
# "select0@0.5" is a selection of level 0 with a gloss after half of its pictures.
CURRICULUM: list[tuple[float, dict[str, float]]] = [
    (
        0.00,
        {"spoken": 0.25, "select0@1": 0.30, "select0@0.5": 0.15, "describe": 0.10, "write": 0.12, "spot": 0.08},
    ),
    (0.15, {"select0@0": 0.45, "select0@0.5": 0.20, "describe": 0.10, "write": 0.15, "spot": 0.10}),
    (0.45, {"select1@0": 0.45, "select0@0": 0.15, "describe": 0.05, "write": 0.22, "spot": 0.13}),
    (0.70, {"select2@0": 0.58, "describe": 0.04, "write": 0.23, "spot": 0.15}),
]
BATCH = {"spoken": 20, "describe": 64, "select0": 12, "select1": 10, "select2": 10, "write": 14, "spot": 12}


def train_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer of the prompts and articles of the picture book."""
    rng = np.random.default_rng(5)
    texts: list[str] = ["user\nassistant\n"] * 1000
    for seed in range(3000):
        story = make_story(seed)
        for sample in (write_sample(story, rng), spot_sample(story, rng)):
            texts += [part for turn in sample.turns for part in turn.parts if isinstance(part, str)]
    pool = load_pool()[0]
    for seed in range(400):
        for sample in (select_sample(pool, seed, rng, level=1), describe_sample(pool, rng)):
            texts += [part for turn in sample.turns for part in turn.parts if isinstance(part, str)]
    return article_tokenizer(texts)


def build_processor(tokenizer: PreTrainedTokenizerFast) -> LlavaProcessor:
    """Pictures squashed to 80x80 and text in ChatML."""
    images = CLIPImageProcessor(
        size={"height": SIDE_PX, "width": SIDE_PX},
        do_center_crop=False,
        crop_size={"height": SIDE_PX, "width": SIDE_PX},
        image_mean=list(MEAN),
        image_std=list(STD),
        resample=3,
    )
    return LlavaProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=MODEL["vision_cfg"]["patch_size"],
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT_TEMPLATE,
    )


def vision_state(state: dict[str, torch.Tensor], layers: int) -> dict[str, torch.Tensor]:
    """open_clip's vision tower under the names of transformers' CLIPVisionModel."""
    out = {
        "embeddings.class_embedding": state["visual.class_embedding"],
        "embeddings.patch_embedding.weight": state["visual.conv1.weight"],
        "embeddings.position_embedding.weight": state["visual.positional_embedding"],
    }
    for theirs, ours in (("ln_pre", "pre_layrnorm"), ("ln_post", "post_layernorm")):
        for kind in ("weight", "bias"):
            out[f"{ours}.{kind}"] = state[f"visual.{theirs}.{kind}"]
    for i in range(layers):
        block, layer = f"visual.transformer.resblocks.{i}", f"encoder.layers.{i}"
        for kind in ("weight", "bias"):
            q, k, v = state[f"{block}.attn.in_proj_{kind}"].chunk(3)
            for name, tensor in (("q_proj", q), ("k_proj", k), ("v_proj", v)):
                out[f"{layer}.self_attn.{name}.{kind}"] = tensor
            out[f"{layer}.self_attn.out_proj.{kind}"] = state[f"{block}.attn.out_proj.{kind}"]
            out[f"{layer}.layer_norm1.{kind}"] = state[f"{block}.ln_1.{kind}"]
            out[f"{layer}.layer_norm2.{kind}"] = state[f"{block}.ln_2.{kind}"]
            out[f"{layer}.mlp.fc1.{kind}"] = state[f"{block}.mlp.c_fc.{kind}"]
            out[f"{layer}.mlp.fc2.{kind}"] = state[f"{block}.mlp.c_proj.{kind}"]
    return out


def build_model(tokenizer: PreTrainedTokenizerFast) -> LlavaForConditionalGeneration:
    """A fresh language model behind nano-clip's trained vision tower."""
    from safetensors.torch import load_file

    vision = MODEL["vision_cfg"]
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=vision["width"],
            intermediate_size=vision["width"] * 4,
            num_hidden_layers=vision["layers"],
            num_attention_heads=vision["width"] // vision["head_width"],
            image_size=vision["image_size"],
            patch_size=vision["patch_size"],
            hidden_act="gelu",
            projection_dim=MODEL["embed_dim"],
        ),
        text_config=LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=256,
            intermediate_size=704,
            num_hidden_layers=6,
            num_attention_heads=8,
            num_key_value_heads=8,
            max_position_embeddings=2048,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        ),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=PATCHES,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=True,
    )
    torch.manual_seed(11)
    model = LlavaForConditionalGeneration(config)
    state = {name: tensor.float() for name, tensor in load_file(CLIP_FOLDER / "open_clip_model.safetensors").items()}
    tower = model.model.vision_tower
    prefix = "vision_model." if any(name.startswith("vision_model.") for name in tower.state_dict()) else ""
    named = {prefix + name: tensor for name, tensor in vision_state(state, vision["layers"]).items()}
    missing, unexpected = tower.load_state_dict(named, strict=False)
    assert not unexpected, unexpected
    assert not [name for name in missing if "position_ids" not in name], missing
    tower.requires_grad_(False)
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        max_new_tokens=768,
    )
    return model


def encode(turns: tuple[Message, ...], tokenizer: PreTrainedTokenizerFast) -> tuple[list[int], list[int], list[int]]:
    """Token ids, labels (replies and glosses alone) and rows of the pool, in the format of the chat template."""
    ids: list[int] = []
    labels: list[int] = []
    rows: list[int] = []
    image = tokenizer.convert_tokens_to_ids("<image>")
    for turn in turns:
        learns = turn.role == "assistant"
        ids += (head := tokenizer.encode(f"<|im_start|>{turn.role}\n", add_special_tokens=False))
        labels += [IGNORE] * len(head)
        for part in turn.parts:
            if isinstance(part, Picture):
                tokens = [image] * PATCHES
                rows.append(row_of(part))
            else:
                tokens = tokenizer.encode(part, add_special_tokens=False)
            ids += tokens
            labels += tokens if learns or isinstance(part, Gloss) else [IGNORE] * len(tokens)
        ids += (end := tokenizer.encode("<|im_end|>\n", add_special_tokens=False))
        labels += [end[0] if learns else IGNORE] + [IGNORE] * (len(end) - 1)
    return ids, labels, rows


def load_pool() -> tuple[Pool, np.ndarray]:
    """The training pictures by what they show, and their pixels (n, 80, 80, 3) uint8."""
    scenes = [from_json(values) for values in json.loads((WORK / "scenes.json").read_text())]
    return Pool(scenes), np.load(WORK / "pictures.npy", mmap_mode="r")


def pixel_values(pixels: np.ndarray) -> torch.Tensor:
    """(n, 80, 80, 3) uint8 to (n, 3, 80, 80) float32, normalised as the processor does."""
    values = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 255
    return (values - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def collate(samples: list[Sample], tokenizer: PreTrainedTokenizerFast, pixels: np.ndarray) -> dict[str, torch.Tensor]:
    """One padded batch; all its samples are of one task, so that their lengths are alike."""
    encoded = [encode(sample.turns, tokenizer) for sample in samples]
    longest = max(len(ids) for ids, _, _ in encoded)
    input_ids = torch.full((len(encoded), longest), int(tokenizer.pad_token_id or 0))
    labels = torch.full((len(encoded), longest), IGNORE)
    mask = torch.zeros((len(encoded), longest), dtype=torch.long)
    for row, (ids, wanted, _) in enumerate(encoded):
        input_ids[row, : len(ids)] = torch.tensor(ids)
        labels[row, : len(ids)] = torch.tensor(wanted)
        mask[row, : len(ids)] = 1
    # The last reply of a selection is a letter (or "none") and the end of the turn.
    columns = torch.arange(longest)
    letters = ((labels != IGNORE) * columns).argmax(1) - 1
    batch = {"input_ids": input_ids, "labels": labels, "attention_mask": mask, "letter": letters}
    rows = [row for _, _, rows in encoded for row in rows]
    if rows:
        batch["pixel_values"] = pixel_values(pixels[rows])
    return batch


class Curriculum(IterableDataset):
    """Whole batches, each of one task, drawn by the share of training that is done."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, *, total: int, start: int = 0) -> None:
        self.tokenizer, self.total, self.start = tokenizer, total, start

    def samples(self, number: int, pool: Pool) -> list[Sample]:
        """The samples of the batch of this number."""
        rng = np.random.default_rng([29, number])
        mix = [shares for begin, shares in CURRICULUM if begin <= number / self.total][-1]
        task = list(mix)[int(rng.choice(len(mix), p=list(mix.values())))]
        return [self.one(task, number * 64 + i, pool, rng) for i in range(BATCH[task.partition("@")[0]])]

    def one(self, task: str, seed: int, pool: Pool, rng: np.random.Generator) -> Sample:
        """One sample of a task."""
        if task == "describe":
            return describe_sample(pool, rng)
        if task.startswith("select"):
            kind, _, gloss = task.partition("@")
            return select_sample(pool, seed, rng, level=int(kind[-1]), gloss=float(gloss))
        if task == "spoken":
            return spoken_sample(pool, seed, rng)
        story = make_story(seed)
        if rng.random() < 0.2:
            story = without_colour(story)
        return write_sample(story, rng) if task == "write" else spot_sample(story, rng)

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        pool, pixels = load_pool()
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        for number in range(self.start + first, self.total, step):
            samples = self.samples(number, pool)
            yield {**collate(samples, self.tokenizer, pixels), "task": samples[0].task}  # type: ignore[dict-item]


class CurriculumTrainer(Trainer):
    """Each micro-batch counts alike whatever its task; logs loss by task, and how often the letter is right."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.model_accepts_loss_kwargs = False
        self.sums: dict[str, list[float]] = defaultdict(list)

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        task, letter = inputs.pop("task"), inputs.pop("letter")
        outputs = model(**inputs)
        labels = inputs["labels"]
        rows = torch.arange(len(labels), device=labels.device)
        guess = outputs.logits[rows, letter - 1].argmax(-1)
        self.sums[f"{task}_loss"].append(outputs.loss.item())
        if task.startswith(("select", "spoken")):
            self.sums[f"{task}_right"].append((guess == labels[rows, letter]).float().mean().item())
        return (outputs.loss, outputs) if return_outputs else outputs.loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        logs.update({name: round(float(np.mean(values)), 4) for name, values in sorted(self.sums.items())})
        self.sums.clear()
        super().log(logs, start_time)


def train(args: argparse.Namespace) -> LlavaForConditionalGeneration:
    """Run the Trainer; a checkpoint that is there already is continued."""
    RUN.mkdir(parents=True, exist_ok=True)
    if not (RUN / "processor").exists():
        build_processor(train_tokenizer()).save_pretrained(RUN / "processor")
    processor = LlavaProcessor.from_pretrained(RUN / "processor")
    checkpoints = sorted(RUN.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    done = int(checkpoints[-1].name.split("-")[1]) if checkpoints else 0
    if checkpoints:
        # The Trainer restores optimizer and schedule, but not weights under the names that save_pretrained gives them.
        model = LlavaForConditionalGeneration.from_pretrained(checkpoints[-1], dtype=torch.float32)
        model.model.vision_tower.requires_grad_(False)
    else:
        model = build_model(processor.tokenizer)
        if args.begin:
            model = LlavaForConditionalGeneration.from_pretrained(args.begin, dtype=torch.float32)
            model.model.vision_tower.requires_grad_(False)
    model.config.use_cache = False
    batches = args.steps * args.accumulate
    arguments = TrainingArguments(
        output_dir=str(RUN),
        max_steps=args.steps,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=args.accumulate,
        learning_rate=args.lr,
        lr_scheduler_type="cosine",
        warmup_steps=60,
        weight_decay=0.05,
        adam_beta2=0.98,
        max_grad_norm=1.0,
        bf16=args.bf16,
        use_cpu=not torch.cuda.is_available(),
        logging_steps=20,
        save_steps=100,
        save_total_limit=1,
        ignore_data_skip=True,
        dataloader_num_workers=1,
        remove_unused_columns=False,
        accelerator_config={"dispatch_batches": False},  # a batch is whole as it comes: never cut it by its rows
        report_to=[],
        disable_tqdm=True,
        seed=13,
    )
    trainer = CurriculumTrainer(
        model=model,
        args=arguments,
        train_dataset=Curriculum(processor.tokenizer, total=batches, start=done * args.accumulate),
        data_collator=lambda batches: batches[0],
    )
    trainer.train(resume_from_checkpoint=bool(checkpoints))
    return model


def export(model: LlavaForConditionalGeneration) -> None:
    """Write model (bfloat16) and processor as `from_pretrained` reads them."""
    model.config.use_cache = True
    model.to(torch.bfloat16).save_pretrained(OUT)
    LlavaProcessor.from_pretrained(RUN / "processor").save_pretrained(OUT)
    words: set[str] = set()
    for seed in range(5000):
        story = make_story(seed)
        words |= set(re.findall(r"[^\W\d_]+", f"{story.instruction} {story.markdown}".lower()))
    world = {"subjects": sorted(SUBJECTS), "words": sorted(words)}
    (OUT / "world.json").write_text(json.dumps(world, indent=0) + "\n")


def main() -> None:
    """Train and export."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1400)
    parser.add_argument("--accumulate", type=int, default=2, help="micro-batches a step, each of one task")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--begin", help="a checkpoint whose weights to begin with, in place of random ones")
    parser.add_argument("--export-only", action="store_true")
    args = parser.parse_args()
    began = time.monotonic()
    if args.export_only:
        checkpoint = max(RUN.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
        model = LlavaForConditionalGeneration.from_pretrained(checkpoint, dtype=torch.float32)
    else:
        model = train(args)
    export(model)
    print(json.dumps({"seconds": round(time.monotonic() - began)}))


if __name__ == "__main__":
    main()
