"""Where a model runs and in which numbers: options to devices, a dtype and the arguments of transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...index.errors import DeviceMissing
from ..errors import ModelUnfit
from .options import ModelOptions

if TYPE_CHECKING:
    import torch

MAP = "map"
# Up to here float32 on a CPU: 4 GB, and the same bytes on every machine. Larger ones are as good in half of it.
LARGE_PARAMETERS = 1_000_000_000


def devices_named(name: str) -> list[torch.device]:
    """The devices of `--device`: one, or for `map` all GPUs and then the processor, which takes what they cannot.

    Raises:
        DeviceMissing: this machine has no such device.
    """
    import torch

    gpus = torch.cuda.device_count()
    if name == MAP:
        return [*(torch.device("cuda", number) for number in range(gpus)), torch.device("cpu")]
    if name == "auto":
        return [torch.device("cuda", 0) if gpus else torch.device("cpu")]
    try:
        device = torch.device(name)
    except RuntimeError as exc:
        raise DeviceMissing(f"no device is called {name!r}", "use auto, cpu, cuda, cuda:N or map") from exc
    if device.type not in ("cpu", "cuda"):
        raise DeviceMissing(f"Limner does not run on {name!r}", "use auto, cpu, cuda, cuda:N or map")
    if device.type == "cuda" and (device.index or 0) >= gpus:
        raise DeviceMissing(f"this machine has no {name}", "use --device auto or --device cpu")
    return [torch.device("cuda", device.index or 0) if device.type == "cuda" else device]


def dtype_for(options: ModelOptions, device: torch.device, parameters: int) -> str:
    """The name of the dtype to load in; "auto" is what the weights are stored in."""
    if options.dtype != "auto":
        return options.dtype
    if device.type == "cuda":
        return "auto"
    return "bfloat16" if parameters > LARGE_PARAMETERS and _has_bfloat16() else "float32"


def loading_arguments(options: ModelOptions, devices: list[torch.device], dtype: str) -> dict[str, Any]:
    """What `from_pretrained` is to be told.

    Raises:
        ModelUnfit: bitsandbytes or flash-attn is asked for and not installed, or cannot work there.
    """
    import torch

    arguments: dict[str, Any] = {"dtype": dtype if dtype == "auto" else getattr(torch, dtype)}
    if options.device == MAP:
        arguments["device_map"] = "auto"
    elif devices[0].type == "cuda" or options.quantize != "none":
        arguments["device_map"] = {"": devices[0]}  # straight there, without a copy in the machine's memory
    if options.attention != "auto":
        arguments["attn_implementation"] = options.attention
    if options.attention == "flash_attention_2":
        _check_flash(devices[0], dtype)
    if options.quantize != "none":
        arguments["quantization_config"] = _quantisation(options.quantize, arguments["dtype"])
    return arguments


def _has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 itself; emulated it is fifty times as slow."""
    import torch

    known: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(value is True and "bf16" in name for name, value in known.items())


def _check_flash(device: torch.device, dtype: str) -> None:
    from transformers.utils.import_utils import is_flash_attn_2_available

    if device.type != "cuda":
        raise ModelUnfit("flash_attention_2 runs on GPUs alone", "leave --attention at auto")
    if dtype == "float32":
        raise ModelUnfit("flash_attention_2 does not compute in float32", "add --dtype bfloat16")
    if not is_flash_attn_2_available():
        raise ModelUnfit(
            "flash_attention_2 needs the package flash-attn", "`pip install flash-attn`, or --attention sdpa"
        )


def _quantisation(bits: str, dtype: Any) -> Any:
    import logging

    import torch
    from transformers import BitsAndBytesConfig
    from transformers.utils.import_utils import is_bitsandbytes_available

    if not is_bitsandbytes_available():
        raise ModelUnfit(f"--quantize {bits} needs the package bitsandbytes", "`pip install 'limner[quantize]'`")
    # It says at every layer of every call that it computes in float16.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    if bits == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    computed = torch.bfloat16 if dtype == "auto" else dtype
    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=computed)
