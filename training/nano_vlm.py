"""Trains nano-vlm, the embedded vision-language model (LLaVA: nano-clip's vision tower, a small Llama), with the
transformers Trainer, and writes it to `composer/models/nano_vlm/`.

    python -m training.nano_vlm                  train (again from the last checkpoint if one is there) and export
    python -m training.nano_vlm --export-only

The curriculum runs by the share of training done. Trained on the answer letter alone the model stays at chance, and
so it does on a look in words as long as its verdicts are a fiftieth of the loss. What moves it: verdicts that weigh
more, and a drill of verdicts alone, in text, until they are learnt; pictures, whole articles and the letter follow.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import torch
from limner.composer.protocols import Message, Picture
from torch.nn.functional import cross_entropy
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
from .picture_book.world import PALETTE, PLACES, SUBJECTS, TIMES, WEATHERS
from .pictures import SIDE_PX, WORK, from_json
from .samples import (
    NO,
    YES,
    Gloss,
    Pool,
    Sample,
    describe_sample,
    drill_sample,
    row_of,
    select_sample,
    spot_sample,
    write_sample,
)
from .tokenizers import article_tokenizer

OUT = Path(__file__).parent.parent / "composer" / "models" / "nano_vlm"
RUN = WORK / "nano-vlm"
PATCHES = (SIDE_PX // MODEL["vision_cfg"]["patch_size"]) ** 2  # image tokens a picture
IGNORE = -100
# In a reply of fifty tokens the few that decide would count for a fiftieth each, and are never learnt.
VERDICT_WEIGHT = 8.0
NAME_WEIGHT = 8.0  # the places, times, colours and subjects of an article and of its captions
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Share of the micro-batches by task, at the beginning of each phase of training (the share done so far).
# "select0@0.5" is a selection of level 0 with a gloss after half of its pictures.
CURRICULUM: list[tuple[float, dict[str, float]]] = [
    (0.00, {"drill": 0.25, "describe": 0.18, "select0@0.5": 0.15, "write": 0.24, "spot": 0.18}),
    (0.21, {"drill": 1.0}),
    (0.28, {"drill": 0.04, "describe": 0.08, "select0@0": 0.22, "select1@0": 0.08, "write": 0.33, "spot": 0.25}),
    (0.50, {"describe": 0.05, "select1@0": 0.25, "write": 0.42, "spot": 0.28}),
    (0.75, {"describe": 0.04, "select2@0": 0.26, "write": 0.43, "spot": 0.27}),
    (0.85, {"select2@0": 0.16, "write": 0.72, "spot": 0.12}),
]
BATCH = {"drill": 48, "describe": 48, "select0": 8, "select1": 7, "select2": 6, "write": 10, "spot": 9}


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
            num_attention_heads=4,
            num_key_value_heads=4,
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
    """One batch, padded on the right; all its samples are of one task, so that their lengths are alike.

    No attention mask: a causal model sees no padding that comes after, and attention without a mask is twice as fast.
    """
    encoded = [encode(sample.turns, tokenizer) for sample in samples]
    longest = max(len(ids) for ids, _, _ in encoded)
    input_ids = torch.full((len(encoded), longest), int(tokenizer.pad_token_id or 0))
    labels = torch.full((len(encoded), longest), IGNORE)
    for row, (ids, wanted, _) in enumerate(encoded):
        input_ids[row, : len(ids)] = torch.tensor(ids)
        labels[row, : len(ids)] = torch.tensor(wanted)
    weights = (labels != IGNORE).float()
    if samples[0].task.startswith("select"):
        weights[verdicts(labels, tokenizer)] = VERDICT_WEIGHT
        weights[wanted_colour(labels, tokenizer)] = VERDICT_WEIGHT
    elif samples[0].task in ("write", "spot"):
        weights[torch.isin(labels, name_tokens(tokenizer))] = NAME_WEIGHT
    batch = {"input_ids": input_ids, "labels": labels, "weights": weights}
    rows = [row for _, _, rows in encoded for row in rows]
    if rows:
        batch["pixel_values"] = pixel_values(pixels[rows])
    return batch


@cache
def name_tokens(tokenizer: PreTrainedTokenizerFast) -> torch.Tensor:
    """The tokens that begin a name of the picture-book world."""
    names = [*PLACES, *TIMES, *WEATHERS, *SUBJECTS, *PALETTE]
    return torch.tensor([tokenizer.encode(f" {word}")[0] for name in names for word in (name, name.title())])


def verdicts(labels: torch.Tensor, tokenizer: PreTrainedTokenizerFast) -> torch.Tensor:
    """Where a look says yes or no: a mask like labels."""
    return torch.isin(labels, torch.tensor([tokenizer.encode(f" {word}")[0] for word in (YES, NO)]))


def wanted_colour(labels: torch.Tensor, tokenizer: PreTrainedTokenizerFast) -> torch.Tensor:
    """Where a look says the article's colour, at the end of its first line: a mask like labels."""
    ends = (labels == tokenizer.encode("\n")[0]).long().argmax(1) - 1
    mask = torch.zeros_like(labels, dtype=torch.bool)
    mask[torch.arange(len(labels)), ends] = True
    return mask


class Curriculum(IterableDataset):
    """Whole batches, each of one task, drawn by the share of training that is done."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerFast, *, total: int, start: int = 0, from_share: float = 0.0
    ) -> None:
        self.tokenizer, self.total, self.start, self.from_share = tokenizer, total, start, from_share

    def samples(self, number: int, pool: Pool) -> list[Sample]:
        """The samples of the batch of this number."""
        rng = np.random.default_rng([29, number])
        done = self.from_share + (1 - self.from_share) * number / self.total
        mix = [shares for begin, shares in CURRICULUM if begin <= done][-1]
        task = list(mix)[int(rng.choice(len(mix), p=list(mix.values())))]
        return [self.one(task, number * 64 + i, pool, rng) for i in range(BATCH[task.partition("@")[0]])]

    def one(self, task: str, seed: int, pool: Pool, rng: np.random.Generator) -> Sample:
        """One sample of a task."""
        if task == "drill":
            return drill_sample(rng)
        if task == "describe":
            return describe_sample(pool, rng)
        if task.startswith("select"):
            kind, _, gloss = task.partition("@")
            return select_sample(pool, seed, rng, level=int(kind[-1]), gloss=float(gloss))
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

    def __init__(self, *args: object, tokenizer: PreTrainedTokenizerFast, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.tokenizer = tokenizer
        self.model_accepts_loss_kwargs = False
        self.sums: dict[str, list[float]] = defaultdict(list)

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        task, labels, weights = (inputs.pop(name) for name in ("task", "labels", "weights"))
        outputs = model(**inputs)
        learnt = weights[:, 1:] > 0
        logits, wanted, weights = outputs.logits[:, :-1][learnt].float(), labels[:, 1:][learnt], weights[:, 1:][learnt]
        losses = cross_entropy(logits, wanted, reduction="none")
        loss = (losses * weights).sum() / weights.sum()
        self.sums[f"{task}_loss"].append(losses.mean().item())
        right = (logits.argmax(-1) == wanted).float()
        for name, mask in (("verdict", verdicts), ("colour", wanted_colour)):
            if task.startswith("select"):
                self.sums[f"{task}_{name}"].append(right[mask(labels, self.tokenizer)[:, 1:][learnt]].mean().item())
        if task == "drill":
            self.sums["drill_verdict"].append(right.mean().item())
        return (loss, outputs) if return_outputs else loss

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
    model.config.text_config.use_cache = False
    for layer in model.model.language_model.layers:
        layer.compile(dynamic=True)
    batches = args.steps * args.accumulate
    arguments = TrainingArguments(
        output_dir=str(RUN),
        max_steps=args.steps,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=args.accumulate,
        learning_rate=args.lr,
        lr_scheduler_type="cosine",
        warmup_steps=150,
        weight_decay=0.05,
        adam_beta2=0.98,
        max_grad_norm=1.0,
        bf16=args.bf16,
        use_cpu=not torch.cuda.is_available(),
        logging_steps=50,
        save_steps=250,
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
        tokenizer=processor.tokenizer,
        model=model,
        args=arguments,
        train_dataset=Curriculum(
            processor.tokenizer, total=batches, start=done * args.accumulate, from_share=args.from_share
        ),
        data_collator=lambda batches: batches[0],
    )
    trainer.train(resume_from_checkpoint=bool(checkpoints))
    return model


def export(model: LlavaForConditionalGeneration) -> None:
    """Write model (bfloat16) and processor as `from_pretrained` reads them."""
    model.config.text_config.use_cache = True
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
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--accumulate", type=int, default=2, help="micro-batches a step, each of one task")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--begin", help="a checkpoint whose weights to begin with, in place of random ones")
    parser.add_argument("--from-share", type=float, default=0.0, help="where in the curriculum to begin, with --begin")
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
