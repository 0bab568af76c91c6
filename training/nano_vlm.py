"""Trains nano-vlm, the embedded vision-language model (LLaVA: nano-clip's vision tower, a small Llama), with the
transformers Trainer, and writes it to `composer/models/nano_vlm/`.

    python -m training.nano_vlm                  train (again from the last checkpoint if one is there) and export
    python -m training.nano_vlm --export-only
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import (
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    Trainer,
    TrainingArguments,
)

from .curriculum import Curriculum, load_pool, verdicts, wanted_colour
from .llava import build_model, build_processor
from .muon import MuonAdamW
from .picture_book.stories import make_story
from .picture_book.world import SUBJECTS
from .pictures import WORK
from .precision import bf16_is_faster
from .samples import describe_sample, select_sample, spot_sample, write_sample
from .tokenizers import article_tokenizer

OUT = Path(__file__).parent.parent / "composer" / "models" / "nano_vlm"
RUN = WORK / "nano-vlm"


def train_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer of the prompts and articles of the picture book."""
    rng = np.random.default_rng(5)
    texts: list[str] = ["user\nassistant\n"] * 1000
    for seed in range(3000):
        story = make_story(seed, stranger=seed % 3 == 0)
        for sample in (write_sample(story, rng), spot_sample(story, rng)):
            texts += [part for turn in sample.turns for part in turn.parts if isinstance(part, str)]
    pool = load_pool()[0]
    for seed in range(400):
        for sample in (select_sample(pool, seed, rng, level=1), describe_sample(pool, rng)):
            texts += [part for turn in sample.turns for part in turn.parts if isinstance(part, str)]
    return article_tokenizer(texts)


class CurriculumTrainer(Trainer):
    """Each micro-batch counts alike whatever its task; logs loss by task, and how often the letter is right."""

    def __init__(self, *args: object, tokenizer: PreTrainedTokenizerFast, muon_lr: float, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.tokenizer = tokenizer
        self.muon_lr = muon_lr
        self.model_accepts_loss_kwargs = False
        self.sums: dict[str, list[float]] = defaultdict(list)

    def create_optimizer(self, model=None):
        learnt = {name: weight for name, weight in self.model.named_parameters() if weight.requires_grad}
        matrices = {name for name, weight in learnt.items() if weight.ndim == 2 and ".layers." in name}
        self.optimizer = MuonAdamW(
            [learnt[name] for name in sorted(matrices)],
            [learnt[name] for name in sorted(learnt.keys() - matrices)],
            muon_lr=self.muon_lr,
            lr=self.args.learning_rate,
            weight_decay=self.args.weight_decay,
            betas=(self.args.adam_beta1, self.args.adam_beta2),
        )
        return self.optimizer

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
        warmup_steps=100,
        weight_decay=0.05,
        adam_beta2=0.98,
        max_grad_norm=1.0,
        bf16=bf16_is_faster() if args.bf16 is None else args.bf16,
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
        muon_lr=args.muon_lr,
        model=model,
        args=arguments,
        train_dataset=Curriculum(
            processor.tokenizer,
            total=batches,
            start=done * args.accumulate,
            from_share=args.from_share,
            seed=args.seed,
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
    parser.add_argument("--lr", type=float, default=1e-3, help="of embeddings and norms, by AdamW")
    parser.add_argument("--muon-lr", type=float, default=1.5e-3, help="of the matrices of the layers")
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, help="default: what is faster here")
    parser.add_argument("--begin", help="a checkpoint whose weights to begin with, in place of random ones")
    parser.add_argument("--from-share", type=float, default=0.0, help="where in the curriculum to begin, with --begin")
    parser.add_argument("--seed", type=int, default=0, help="with --begin: other samples than the run before had")
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
