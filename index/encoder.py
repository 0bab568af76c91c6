"""Pictures and words to unit vectors: the Encoder protocol, and open_clip behind it. Never touches the network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, Protocol

from .errors import DeviceMissing, EncoderUnknown
from .precision import (
    AUTO,
    FULL,
    has_arithmetic,
    is_faster,
    lower_precision,
    split_name,
    torch_dtype,
    with_precision,
)
from .processors import on_all_processors

if TYPE_CHECKING:
    import numpy as np
    import torch
    from PIL import Image

EMBEDDED = "nano-clip"
CONFIG_NAME = "open_clip_config.json"
_URL_CACHE = Path("~/.cache/clip")  # where open_clip puts what it does not get from the hub
_WEIGHTS_SUFFIXES = (".safetensors", ".bin", ".pth")  # where open_clip's local-dir: looks
# What open_clip, torch and transformers raise on checkpoints that do not fit or are broken.
_UNLOADABLE = (RuntimeError, OSError, EOFError, ValueError, LookupError, TypeError, ImportError, AttributeError)
# Read once by the tokenizer, so that the fingerprint notices another vocabulary.
_PROBE = "An orange cat, two boats & a lighthouse at night (1987)"


class Encoder(Protocol):
    """A pair of towers that bring pictures and words into one space."""

    @property
    def name(self) -> str:
        """The name that `load_encoder` takes, as the manifest keeps it."""
        ...

    @property
    def fingerprint(self) -> str:
        """Digest of weights, configuration, preprocessing and precision; the same vectors have the same one."""
        ...

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        ...

    @property
    def image_side_px(self) -> int:
        """The side of the square that a picture is brought to."""
        ...

    @property
    def prepare(self) -> Callable[[Image.Image], Image.Image]:
        """Brings an RGB image to the size that the model sees; may be called from several threads and processes.

        What is prepared already stays as it is, so that encode_images gives the same for both. It holds no model.
        """
        ...

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Return (n, d) float32, unit rows, for RGB images of any size, prepared or not."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Return (n, d) float32, unit rows; a text beyond the context is cut."""
        ...


@dataclass(frozen=True, slots=True)
class OpenClipEncoder:
    """An open_clip model on a device."""

    name: str
    fingerprint: str
    dimension: int
    image_side_px: int
    model: Any
    prepare: Any  # PIL image of any size to one of side x side; see Encoder
    normalise: Any  # (n, 3, side, side) float32 from 0 to 1, to what the model was trained with
    tokenizer: Any  # texts to (n, context) int64
    device: torch.device
    dtype: torch.dtype  # of the pixels, and of the weights as they are computed with

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        """See Encoder."""
        import numpy as np

        if not images:
            return self._none()
        return np.concatenate(on_all_processors(self._rows, images, self.device))

    def _rows(self, images: Sequence[Image.Image]) -> np.ndarray:
        import torch

        with torch.inference_mode():
            return _unit_rows(self.model.encode_image(self.pixels(images)))

    def pixels(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """What the model takes for these images: (n, 3, side, side) of its type, on its device."""
        import numpy as np
        import torch

        squares = torch.from_numpy(np.stack([np.asarray(self.prepare(image)) for image in images]))
        # A quarter of the bytes goes to the device this way, and waits before it.
        levels = squares.to(self.device).permute(0, 3, 1, 2).contiguous()  # (n, 3, side, side) uint8
        return self.normalise(levels.to(torch.float32).div(255)).to(self.dtype)

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """See Encoder."""
        import torch

        if not texts:
            return self._none()
        tokens = self.tokenizer(list(texts)).to(self.device)
        with torch.inference_mode():
            vectors = self.model.encode_text(tokens)
        return _unit_rows(vectors)

    def _none(self) -> np.ndarray:
        import numpy as np

        return np.empty((0, self.dimension), np.float32)


def _unit_rows(vectors: torch.Tensor) -> np.ndarray:
    import torch

    return torch.nn.functional.normalize(vectors.float(), dim=-1).cpu().numpy()  # (n, d) float32, unit rows


def load_encoder(name: str, device: str = "auto") -> OpenClipEncoder:
    """Load an encoder from this machine.

    name is `nano-clip`; or a folder with open_clip_config.json and weights, as open_clip's `local-dir:` reads it; or
    `ARCHITECTURE/TAG` of open_clip (`ViT-B-32/laion2b_s34b_b79k`) whose weights lie in the local cache. Behind any of
    them may stand a precision: `@bf16` or `@fp16` keeps the weights in half the bytes, `@auto` measures a batch of
    both and takes the lower one where it is clearly faster; the encoder's name then says which it is.
    device is `auto` (a GPU if there is one), `cpu`, `cuda` or `cuda:N`. One that has no arithmetic of the precision
    computes with the same weights in float32.

    Raises:
        EncoderUnknown: no such encoder, or its weights are not here; the hint says what to do.
        DeviceMissing: no such device.
    """
    base, precision = split_name(name)
    where = device_named(device)
    if precision != AUTO:
        return _load_named(base, precision or FULL, where)
    plain = _load_named(base, FULL, where)
    lower = lower_precision(where)
    if not has_arithmetic(where, lower):
        return plain
    other = _load_named(base, lower, where)
    return other if is_faster(other, than=plain) else plain


def _load_named(base: str, precision: str, device: torch.device) -> OpenClipEncoder:
    if base == EMBEDDED:
        folder = Path(str(files("limner.index.nano_clip")))
        return _from_folder(folder, with_precision(base, precision), precision, device)
    resolved = resolved_name(base)
    name = with_precision(resolved, precision)
    if resolved and Path(resolved).is_dir():
        return _from_folder(Path(resolved), name, precision, device)
    return _from_tag(base, name, precision, device)


def resolved_name(base: str) -> str:
    """The name that a library keeps, without its precision: a folder by its absolute path, all else as it is."""
    folder = Path(base.removeprefix("local-dir:")).expanduser()
    return str(folder.resolve()) if base and folder.is_dir() else base


def encoders_at_hand() -> list[str]:
    """The names that `load_encoder` can load now without a download: the embedded one, then cached tags by name."""
    from huggingface_hub import constants

    folder = Path(str(files("limner.index.nano_clip")))
    names = [EMBEDDED] if _lacks(folder) is None else []
    if not any(Path(constants.HF_HUB_CACHE).glob("models--*")) and not _URL_CACHE.expanduser().is_dir():
        return names  # nothing was ever downloaded, and to ask open_clip for its tags takes seconds
    import open_clip

    cached = [
        f"{arch}/{tag}"
        for arch, tag in open_clip.list_pretrained()
        if _cached_weights(_tag_config(arch, tag)) is not None
    ]
    return names + sorted(cached)


def hub_source(name: str) -> tuple[str, tuple[str, ...]]:
    """Where the weights of ARCHITECTURE/TAG lie on the hub: the repository, and its files of them, the best first.

    Raises:
        EncoderUnknown: open_clip has no such weights, or not on the hub.
    """
    arch, _, tag = split_name(name)[0].rpartition("/")
    config = _tag_config(arch, tag)
    source = _on_hub(config)
    if source is None:
        why = "has its weights elsewhere than on the hub" if config else "is none of open_clip's ARCHITECTURE/TAG"
        raise EncoderUnknown(f"{name!r} {why}", "`python -c 'import open_clip; print(open_clip.list_pretrained())'`")
    return source


def device_named(name: str) -> torch.device:
    """The device of a name: auto, cpu, cuda or cuda:N.

    Raises:
        DeviceMissing: no such device.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as exc:
        raise DeviceMissing(f"no device is called {name!r}", "use auto, cpu or cuda") from exc
    if device.type not in ("cpu", "cuda"):
        raise DeviceMissing(f"Limner does not run on {name!r}", "use auto, cpu or cuda")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceMissing(f"this machine has no {name}", "use --device auto or --device cpu")
    return device


def _lacks(folder: Path) -> str | None:
    """What keeps a folder from being an encoder, or None."""
    if not (folder / CONFIG_NAME).is_file():
        return CONFIG_NAME
    if not any(path.suffix in _WEIGHTS_SUFFIXES for path in folder.iterdir()):
        return "weights (open_clip_model.safetensors)"
    return None


def _from_folder(folder: Path, name: str, precision: str, device: torch.device) -> OpenClipEncoder:
    lacks = _lacks(folder)
    if lacks:
        raise EncoderUnknown(f"no encoder {name!r}: {folder} has no {lacks}", _HINT)
    return _load(f"local-dir:{folder}", name, precision, device)


def _from_tag(base: str, name: str, precision: str, device: torch.device) -> OpenClipEncoder:
    import open_clip

    arch, _, tag = base.rpartition("/")
    if arch not in open_clip.list_models():
        raise EncoderUnknown(f"no encoder is called {name!r}, and no folder either", _HINT)
    config = _tag_config(arch, tag)
    if not config:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(arch)) or "none"
        raise EncoderUnknown(f"{arch} has no weights called {tag!r}", f"it has: {tags}")
    weights = _cached_weights(config)
    if weights is None:
        raise EncoderUnknown(f"the weights of {base} are not on this machine", _HINT)
    return _load(
        arch,
        name,
        precision,
        device,
        pretrained=str(weights),
        force_preprocess_cfg=config,
        # A file of weights does not say which activation it was trained with; its tag does.
        force_quick_gelu=bool(config.get("quick_gelu", False)),
    )


_HINT = "`limner models list` shows the encoders at hand"


def _tag_config(arch: str, tag: str) -> dict[str, Any]:
    from open_clip.pretrained import get_pretrained_cfg

    return dict(get_pretrained_cfg(arch, tag) or {})


def _on_hub(config: dict[str, Any]) -> tuple[str, tuple[str, ...]] | None:
    """A tag's repository and its files of weights, the best first."""
    from open_clip.constants import HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME

    repository, _, filename = config.get("hf_hub", "").rpartition("/")
    if not repository:
        return None
    if not filename:
        return repository, (HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME)
    safe = (f"{Path(filename).stem}.safetensors",) if Path(filename).suffix in (".bin", ".pth") else ()
    return repository, (*safe, filename)


def _cached_weights(config: dict[str, Any]) -> Path | None:
    """Where a tag's weights lie in the caches that open_clip's own download fills, or None."""
    from huggingface_hub import try_to_load_from_cache

    if hub := _on_hub(config):
        repo_id, names = hub
        for candidate in names:
            cached = try_to_load_from_cache(repo_id, candidate)
            if isinstance(cached, str):
                return Path(cached)
    if url := config.get("url", ""):
        path = _URL_CACHE.expanduser() / url.rpartition("/")[2]
        return path if path.is_file() else None
    return None


def _load(source: str, name: str, precision: str, device: torch.device, **options: Any) -> OpenClipEncoder:
    """Build the model and its tokenizer; every failure of open_clip becomes ours here."""
    import open_clip
    import torch
    from open_clip.transform import PreprocessCfg, image_transform_v2
    from safetensors import SafetensorError
    from torchvision.transforms import Compose

    try:
        with _offline():
            model: Any = open_clip.create_model(
                source, precision=precision, device=device, require_pretrained=True, **options
            ).eval()
            tokenizer = open_clip.get_tokenizer(source)
        config = open_clip.get_model_config(source)
        probe = tokenizer([_PROBE])
    except (SafetensorError, UnpicklingError, *_UNLOADABLE) as exc:
        reason = " ".join(str(exc).split())[:300]
        raise EncoderUnknown(f"cannot load the encoder {name!r}: {reason}", _HINT) from exc
    visual: Any = model.visual
    preprocess_config = dict(visual.preprocess_cfg)
    # Sizes and crops of pictures, then to a tensor, then to the mean and spread of the training.
    whole: Any = image_transform_v2(PreprocessCfg(**preprocess_config), is_train=False)
    transforms = whole.transforms
    side = visual.image_size if isinstance(visual.image_size, int) else max(visual.image_size)
    fingerprint = _fingerprint(model, config, preprocess_config, precision, probe)
    dtype = torch_dtype(precision)
    if not has_arithmetic(device, precision):
        # A library from another machine: these weights, rounded as they are, in an arithmetic that takes no hours.
        model, dtype = model.float(), torch.float32
    with torch.inference_mode():
        dimension = model.encode_text(probe.to(device)).shape[-1]
    return OpenClipEncoder(
        name=name,
        fingerprint=fingerprint,
        dimension=int(dimension),
        image_side_px=int(side),
        model=model,
        prepare=Compose(transforms[:-2]),
        normalise=transforms[-1],
        tokenizer=tokenizer,
        device=device,
        dtype=dtype,
    )


def _fingerprint(model: torch.nn.Module, config: Any, preprocess: Any, precision: str, probe: torch.Tensor) -> str:
    """SHA-256 over all that shapes a vector; the device is not in it, nor where the weights came from."""
    import torch

    digest = hashlib.sha256()
    described = {"config": config, "preprocess": preprocess, "precision": precision, "probe": probe.tolist()}
    digest.update(json.dumps(described, sort_keys=True, default=str).encode())
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


@contextmanager
def _offline() -> Iterator[None]:
    """Keep huggingface_hub to its cache: some towers and tokenizers of open_clip would ask for their files."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
