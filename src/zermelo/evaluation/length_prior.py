"""Published coefficients of length-controlled fits: a prior that anchors difficulties and the effect of length."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from zermelo.errors import DataError
from zermelo.evaluation.length_glm import Coefficients

__all__ = ["read_coefficients"]

NAMES = {
    "phi": ("phi", "np.tanh(std_delta_len)"),
    "psi": ("psi", "instruction_difficulty"),
    "theta": ("theta", "not_gamed_baseline.astype(float)"),
}


def read_coefficients(path: str | Path) -> dict[str, Coefficients]:
    """Model → (φ, ψ, θ) of a CSV file with columns model, phi, psi, theta, or with the names of the official file.

    Rows of three zeros (the baseline against itself) are left out: they say nothing about a judge.

    Args:
        path: The file.
    Raises:
        DataError: it cannot be read, lacks a column, names a model twice, or holds something other than numbers.
    """
    name = str(path)
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError("unreadable-file", f"no table of coefficients: {error}", file=name) from None
    there = list(rows[0]) if rows else []
    columns = {key: next((known for known in names if known in there), None) for key, names in NAMES.items()}
    lacking = [key for key, column in columns.items() if column is None]
    if "model" not in there or lacking:
        raise DataError(
            "missing-field",
            f"expected columns model, phi, psi, theta; {'model' if 'model' not in there else lacking[0]} is missing",
            file=name,
        )
    found: dict[str, Coefficients] = {}
    for number, row in enumerate(rows, 2):
        try:
            phi, psi, theta = (float(row[columns[key] or ""]) for key in ("phi", "psi", "theta"))
        except (TypeError, ValueError):
            raise DataError("wrong-type", "phi, psi, theta: expected numbers", file=name, row=number) from None
        if not all(math.isfinite(value) for value in (phi, psi, theta)):
            raise DataError("wrong-type", "phi, psi, theta: expected finite numbers", file=name, row=number)
        if row["model"] in found:
            raise DataError("duplicate-id", f"{row['model']}: stands in an earlier row", file=name, row=number)
        if (phi, psi, theta) != (0.0, 0.0, 0.0):
            found[row["model"]] = (phi, psi, theta)
    return found
