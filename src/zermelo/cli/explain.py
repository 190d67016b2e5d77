"""`zermelo explain CODE`."""

from __future__ import annotations

import typer

from zermelo.errors import SettingError, nearest
from zermelo.explanations import explanations

__all__ = ["explain"]


def explain(code: str = typer.Argument(help="Code of an error or warning, such as missing-field.")) -> None:
    """Explain the code of an error or a warning: what it means and how to mend it."""
    known = explanations()
    if code not in known:
        guess = nearest(code, list(known))
        hint = f"did you mean `{guess}`?" if guess else "codes: " + ", ".join(sorted(known))
        raise SettingError("unknown-code", f"no error or warning has the code {code!r}", hint=hint)
    typer.echo(f"{code}\n\n{known[code].strip()}")
