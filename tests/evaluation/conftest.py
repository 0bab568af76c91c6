"""A browser for the page of an evaluation."""

from ..composer.conftest import browser

__all__ = ["browser"]
