"""Every error that an evaluation raises on purpose, below the root that all of Limner shares.

LimnerError               message names the thing, hint names the fix (index/errors.py)
  SiteUnreadable          a site that is missing, or has nothing to evaluate
  ItemsInvalid            a list of places to choose at that is missing, damaged or empty
  EvaluationMismatch      records of other settings, or two runs that cannot be compared
  EvaluationBusy          another process evaluates into the same folder
  RecordsUnreadable       a folder that holds no evaluation, or a damaged one
  GradesInvalid           a file that holds no grades of a person
"""

from __future__ import annotations

from ..index.errors import LimnerError


class SiteUnreadable(LimnerError):
    """A site that is missing, is no folder, or has no documents or no pictures in them."""


class ItemsInvalid(LimnerError):
    """A list of places with candidates that is missing or empty, or has a line that is none."""


class EvaluationMismatch(LimnerError):
    """Records of an evaluation with other settings, or two evaluations that cannot be compared."""


class EvaluationBusy(LimnerError):
    """Another process evaluates into the same folder."""


class RecordsUnreadable(LimnerError):
    """A folder that holds no evaluation, or one whose records are damaged."""


class GradesInvalid(LimnerError):
    """A file that holds no grades as the sheet saves them."""
