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
