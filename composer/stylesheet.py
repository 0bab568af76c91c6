"""The style of the pages beside articles, one palette and typefaces for all, and the policy that allows a page no more.

An article's page has a style of its own, which travels with it.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources


def stylesheet(page: str) -> str:
    """The style of the pages in the folder `page` of the templates, to stand in them as it is."""
    templates = resources.files("limner.templates")
    names = ("page/palette.css", f"{page}/style.css")
    return "\n".join((templates / name).read_text(encoding="utf-8") for name in names)


def content_policy(style: str, *, images: str = "'none'", script: str = "") -> str:
    """The content security policy of a page that needs nothing beside it: this style, script, and images."""
    parts = ["default-src 'none'", f"img-src {images}", f"style-src {_source(style)}"]
    if script:
        parts.append(f"script-src {_source(script)}")
    return "; ".join([*parts, "base-uri 'none'", "form-action 'none'"])


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
