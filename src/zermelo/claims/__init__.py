"""One runnable experiment for each published claim.

protocol.py    Claim, Summary, verdict rules
runner.py      run, keep and list results
mNNN_*.py      one file per claim
results/       results that ship with the package, with versions and seeds
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zermelo.lazy import attach

if TYPE_CHECKING:
    from zermelo.claims.protocol import Claim, Summary, above
    from zermelo.claims.runner import load_claim, run_claim

__all__ = ["Claim", "Summary", "above", "load_claim", "run_claim"]

__getattr__, __dir__ = attach(
    __name__,
    {"Claim": "protocol", "Summary": "protocol", "above": "protocol", "load_claim": "runner", "run_claim": "runner"},
)
