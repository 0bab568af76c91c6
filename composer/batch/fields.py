"""shim"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ..article import Brief
from ..errors import BriefInvalid
from .rows import Fields


class _F(BaseModel):
    model_config = ConfigDict(extra="forbid")
    instruction: str = ""
    title: str | None = None
    images: int | None = None
    candidates: int = 4
    seed: int = 0
    where: str | None = None
    draft: str | None = None


def reader(defaults: Fields):
    def read(fields: Fields, base: Path) -> tuple[Brief, Path | None]:
        values: dict[str, Any] = {**defaults, **fields}
        try:
            f = _F(**values)
        except ValidationError as exc:
            fault = exc.errors(include_url=False, include_context=False)[0]
            raise BriefInvalid(f"{fault['loc'][0]}: {fault['msg']}") from exc
        if not f.draft and not f.instruction.strip():
            raise BriefInvalid("instruction: is missing")
        return Brief(f.instruction, f.title, f.images, f.candidates, f.seed, f.where), (base / f.draft) if f.draft else None

    return read
