"""What is to be said before an article is begun, and stands in its record: the same of one article and of a batch's."""

from __future__ import annotations

from collections.abc import Callable, Sized
from typing import TYPE_CHECKING

from ..composer.write import subject
from .wiring import Wiring, within_world, writer_name

if TYPE_CHECKING:
    from ..composer.article import Brief, Draft
    from ..composer.protocols import ImageSearch
    from ..index.library import Library
    from .settings import Settings


def tell_cautions(
    brief: Brief,
    draft: Draft | None,
    *,
    wiring: Wiring,
    settings: Settings,
    opened: Library | None,
    searched: ImageSearch,
    strange: Callable[[], str | None],
    anyway: bool,
    warn: Callable[[str], None],
) -> None:
    """Warn of what the models or the library are not made for; quick questions, which come before a model is loaded.

    Args:
        opened: the library, None for a brief of reference pictures alone.
        searched: what of it the brief's condition leaves.
        strange: why the library is not for the model that chooses (`Wiring.check_library`), if it is not.

    Raises:
        OutsideWorld: an embedded model is asked for what it cannot do, and the user does not insist.
    """
    if draft is None:
        outside = wiring.check_instruction(writer_name(settings), subject(brief))
    else:
        outside = wiring.check_draft(writer_name(settings), draft.markdown)
    within_world(outside, anyway=anyway, warn=warn)
    if opened is None:
        return
    if isinstance(searched, Sized) and not len(searched):
        warn(f"no picture of the library meets the condition: {brief.where}")
    within_world(strange(), anyway=anyway, warn=warn)
    if opened.caution:
        warn(opened.caution)
