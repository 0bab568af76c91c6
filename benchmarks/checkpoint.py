"""An open_clip checkpoint of random weights in a folder: as slow as the real one, and nothing to fetch."""

from __future__ import annotations

import json
from pathlib import Path

MODEL = "ViT-B-32"


def write_checkpoint(folder: Path, model: str = MODEL) -> Path:
    """Write what open_clip loads by `local-dir:` to folder, and return it."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    made = open_clip.create_model(model, pretrained=None)
    folder.mkdir(parents=True)
    save_file(
        {name: tensor.contiguous() for name, tensor in made.state_dict().items()},
        folder / "open_clip_model.safetensors",
    )
    config = {"model_cfg": open_clip.get_model_config(model), "preprocess_cfg": made.visual.preprocess_cfg}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return folder


def export_onnx(checkpoint: Path, file: Path) -> None:
    """Write the checkpoint's picture side to an ONNX file: `input` (n, 3, h, w) float32 to `output` (n, d)."""
    import open_clip
    import torch

    model, _ = open_clip.create_model_from_pretrained(f"local-dir:{checkpoint}")
    side = model.visual.image_size[0]
    # The fast path of attention is one operation of torch alone.
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        torch.onnx.export(
            model.visual.eval(),
            (torch.zeros(2, 3, side, side),),
            str(file),
            input_names=["input"],
            output_names=["output"],
            dynamic_axes={"input": {0: "n"}, "output": {0: "n"}},
            dynamo=False,  # the other way needs onnxscript too
        )
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
