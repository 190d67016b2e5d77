"""`zermelo merge`: an adapter into its base."""

from __future__ import annotations

from pathlib import Path

import typer

__all__ = ["merge"]


def merge(
    adapter: Path = typer.Argument(..., help="Folder of a PEFT adapter, such as runs/mine/model."),
    out: Path = typer.Option(..., "--out", "-o", help="New folder for the merged model."),
    base: str = typer.Option(None, "--base", help="Base model, where not the one noted.", show_default=False),
    dtype: str = typer.Option("auto", "--dtype", help="auto (the base's own), float32, bfloat16 or float16."),
) -> None:
    """Fold an adapter into its base model; the result loads in Transformers and vLLM as it is.

    zermelo merge runs/mine/model -o merged
    """
    from zermelo.policies.merge import merge_adapter

    place = merge_adapter(adapter, out, base=base, dtype=dtype)  # type: ignore[arg-type]
    typer.echo(f"model: {place}")
