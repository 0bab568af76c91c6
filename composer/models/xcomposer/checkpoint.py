"""InternLM-XComposer behind `--model xcomposer:`: which of its layouts a folder has, and how that is read.

An official layout is read by `official`; one that `limner models convert` wrote is ours, and transformers reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...errors import ModelUnfit
from ..checkpoint import Checkpoint, Kind, Tensor, find_checkpoint
from .layout import Task

PREFIX = "xcomposer:"


@dataclass(frozen=True, slots=True)
class Layout:
    """A version of the model and a way in which its files are laid out."""

    version: int  # 1, or 2 for 2.0 and 2.5
    converted: bool

    @property
    def dialect(self) -> str:
        """The prompts that this version was trained on."""
        return f"xcomposer{self.version}"


# By the architecture that config.json names, and by its type: 2.x was published under more than one.
_LAYOUTS = {
    "InternLMXComposerForCausalLM": Layout(1, False),
    "InternLMXComposer": Layout(1, False),
    "InternLMXComposer2ForCausalLM": Layout(2, False),
    "internlmxcomposer2": Layout(2, False),
    "xcomposer1": Layout(1, True),
    "xcomposer2": Layout(2, True),
}
_OTHER = (
    "name an official checkpoint of InternLM-XComposer 1.0, 2.0 or 2.5, or what `limner models convert` made of one"
)


def layout_of(config: Mapping[str, Any]) -> Layout | None:
    """What a config.json says of its folder; None for every other model."""
    architectures = config.get("architectures")
    names = [*(architectures if isinstance(architectures, list) else []), config.get("model_type")]
    return next((_LAYOUTS[name] for name in names if isinstance(name, str) and name in _LAYOUTS), None)


@dataclass(frozen=True)
class XComposer(Checkpoint):
    """A checkpoint of InternLM-XComposer, official or converted."""

    task: Task = "write"

    @cached_property
    def layout(self) -> Layout:
        """Which version and layout it is.

        Raises:
            ModelUnfit: it is another model.
        """
        found = layout_of(self.config)
        if found is None:
            named = self.config.get("model_type")
            says = f"is that of {named!r}" if named else "names neither its architecture nor its type"
            raise ModelUnfit(f"{self.source} is no InternLM-XComposer: its config.json {says}", _OTHER)
        return found

    @cached_property
    def recipe(self) -> Any:
        """The model that the official files give.

        Raises:
            As official.read_official.
        """
        from .official import read_official

        return read_official(self, self.task)

    @cached_property
    def model_config(self) -> Any:
        """The model's configuration, once its tensors are known to fit it.

        Raises:
            ModelIncomplete, ModelUnfit: they do not, or it cannot be read.
        """
        if not self.layout.converted:
            return self.recipe.config
        from .converted import read_config

        return read_config(self)

    @property
    def context_tokens(self) -> int:
        """How many tokens prompt and reply may have together."""
        config = self.model_config
        most = int(config.get_text_config().max_position_embeddings)
        return min(most, getattr(config, "context_tokens", None) or most)

    def kind(self) -> Kind:
        """Every version reads pictures and writes.

        Raises:
            ModelUnfit: it is another model.
        """
        _ = self.layout
        return "pictures"

    def tensors(self) -> Iterator[Tensor]:
        """The parameters that the model will have: adapters are merged into them, and take no memory of their own."""
        _ = self.model_config
        if self.layout.converted:
            yield from super().tensors()
            return
        from .tensors import parameter_shapes, stored_dtype

        form = _SAFE_NAMES.get(str(stored_dtype(self)), "F32")
        for name, shape in parameter_shapes(self.recipe.kind, self.recipe.config).items():
            yield Tensor(name, form, shape)

    def load(self, arguments: Mapping[str, Any]) -> Any:
        """The model, ready to run; the arguments are for `from_pretrained`."""
        arguments = dict(arguments)
        if self.layout.converted:
            from .converted import load_converted

            return load_converted(self, self.model_config, arguments)
        from .official import load_official
        from .tensors import stored_dtype

        dtype = arguments.pop("dtype")
        return load_official(self, dtype=stored_dtype(self) if dtype == "auto" else dtype, task=self.task, **arguments)

    def processor(self) -> Any:
        """What turns messages into the model's prompts.

        Raises:
            ModelIncomplete: a file of it is missing, damaged or another model's.
        """
        from .converted import load_converted_processor
        from .official import load_processor

        config = self.model_config
        processor = load_converted_processor(self) if self.layout.converted else load_processor(self, config)
        there, wanted = processor.image_token_id, config.image_token_id
        if there != wanted:
            raise self.incomplete(
                f"its tokenizer is another model's: a picture's token is number {there} in it, {wanted} in the model"
            )
        return processor


_SAFE_NAMES = {"torch.float32": "F32", "torch.bfloat16": "BF16", "torch.float16": "F16"}


def find_xcomposer(source: str, task: Task = "write") -> XComposer:
    """The checkpoint that stands behind `xcomposer:`, as `find_checkpoint` finds one.

    Raises:
        As find_checkpoint; ModelUnfit for another model.
    """
    found = find_checkpoint(source)
    checkpoint = XComposer(found.source, found.folder, found.revision, task)
    _ = checkpoint.layout
    return checkpoint
