"""Typer commands; `app.py` is the table of names and the one place where errors become exit codes."""
