"""New responses and new pairs.

errors.py     inject_errors: corrupted twins of correct responses, by a world's or the generic catalogue
self_edit.py  RISE: step pairs whose rejected side is a minimal wrong edit
edits.py      the edits by rule, and the checker of equalities
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zermelo.lazy import attach

if TYPE_CHECKING:
    from zermelo.synthesis.errors import Catalogue, TextErrors, inject_errors
    from zermelo.synthesis.self_edit import SelfEditPair, pairs_to_groups, self_edit_pairs

__all__ = ["Catalogue", "SelfEditPair", "TextErrors", "inject_errors", "pairs_to_groups", "self_edit_pairs"]

__getattr__, __dir__ = attach(
    __name__,
    {
        **dict.fromkeys(["Catalogue", "TextErrors", "inject_errors"], "errors"),
        **dict.fromkeys(["SelfEditPair", "pairs_to_groups", "self_edit_pairs"], "self_edit"),
    },
)
