"""One streaming pass over all texts: what each check sees in them, their lengths and their digests.

What stays in memory is some 30 bytes for each text, whatever its length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import SettingError

if TYPE_CHECKING:
    import pyarrow as pa

    from zermelo.feedback import Feedback

__all__ = ["PROMPT", "TextCheck", "TextTable", "scan_texts", "text_batches"]

PROMPT = -1  # `response` of a prompt
MOST_CHECKS = 64
AHEAD = 4  # batches in flight
ROWS_AT_ONCE = 2_000


@dataclass(frozen=True)
class TextCheck:
    """Something that is to be seen in one text by itself.

    Args:
        name: Unique.
        test: Arrow strings (no nulls) → where it is seen, [T] bool. Runs in a thread; pure.
        where: Which texts are looked at.
    """

    name: str
    test: Callable[[pa.Array], NDArray[np.bool_]]
    where: Literal["all", "prompts", "responses"] = "all"


@dataclass(frozen=True)
class TextTable:
    """Every text of a file, prompts too, without the text itself. [T]

    Args:
        row: Position of its group.
        response: Index of the response in its group, −1 for the prompt.
        chars: Length in characters.
        digest: 64 bits of the text: equal texts have equal digests.
        flags: Bit k is set where check k saw something.
        checks: Names of the checks, bit 0 first.
        n_rows: Number of groups.
    """

    row: NDArray[np.int64]
    response: NDArray[np.int16]
    chars: NDArray[np.int32]
    digest: NDArray[np.uint64]
    flags: NDArray[np.uint64]
    checks: tuple[str, ...]
    n_rows: int

    def seen(self, check: str) -> NDArray[np.bool_]:
        """Where a check saw something. [T]"""
        return (self.flags >> np.uint64(self.checks.index(check))) & np.uint64(1) == 1

    @property
    def is_prompt(self) -> NDArray[np.bool_]:
        """Which texts are prompts. [T]"""
        return self.response == PROMPT

    def place(self, row: NDArray[np.int64], response: NDArray[np.int64]) -> NDArray[np.int64]:
        """Place of some texts in the table, −1 where there is none (a response of which only the source is known)."""
        width = 1 << 16
        keys = self.row * width + (self.response.astype(np.int64) + 1)
        wanted = np.asarray(row, np.int64) * width + (np.asarray(response, np.int64) + 1)
        order = np.argsort(keys, kind="stable")
        at = np.minimum(np.searchsorted(keys[order], wanted), max(len(keys) - 1, 0))
        if not len(keys):
            return np.full(len(wanted), -1)
        found = order[at]
        return np.where(keys[found] == wanted, found, -1)


def scan_texts(feedback: Feedback, checks: Sequence[TextCheck]) -> TextTable:
    """Look at every text once.

    Args:
        feedback: The data.
        checks: At most 64.
    Raises:
        SettingError: too many checks, or two of one name.
    """
    names = tuple(check.name for check in checks)
    if len(names) > MOST_CHECKS or len(set(names)) < len(names):
        raise SettingError("bad-setting", f"checks: at most {MOST_CHECKS} of different names. Got {len(names)}")
    parts: list[tuple[NDArray[np.generic], ...]] = []
    rows = 0
    with ThreadPoolExecutor(2) as pool:
        waiting = []
        for positions, prompts, responses in text_batches(feedback):
            rows += len(positions)
            waiting.append(pool.submit(_looked_at, positions, prompts, responses, checks))
            if len(waiting) >= AHEAD:
                parts.append(waiting.pop(0).result())
        parts += [item.result() for item in waiting]
    kinds = (np.int64, np.int16, np.int32, np.uint64, np.uint64)
    columns = [
        np.concatenate([np.asarray(part[index], kind) for part in parts]) if parts else np.zeros(0, kind)
        for index, kind in enumerate(kinds)
    ]
    return TextTable(columns[0], columns[1], columns[2], columns[3], columns[4], names, rows)


def text_batches(feedback: Feedback) -> Iterator[tuple[NDArray[np.int64], pa.Array, pa.Array]]:
    """Positions, prompts as text (null where there is none), and native responses."""
    import pyarrow as pa

    from zermelo.feedback.schema import prompts_from_arrow

    paths = ("prompt", "prompt_messages", "responses.text", "responses.messages")
    for positions, whole in feedback.source.batches(paths, feedback.rows):
        for start in range(0, whole.num_rows, ROWS_AT_ONCE):
            batch = whole.slice(start, ROWS_AT_ONCE)
            prompts = batch.column("prompt")
            if batch.column("prompt_messages").null_count < batch.num_rows:
                from zermelo.feedback.neardup import plain_prompt

                found = [None if item is None else plain_prompt(item) for item in prompts_from_arrow(batch)]
                prompts = pa.array(found, pa.string())
            yield positions[start : start + ROWS_AT_ONCE], prompts, batch.column("responses")


def _looked_at(
    positions: NDArray[np.int64], prompts: pa.Array, responses: pa.Array, checks: Sequence[TextCheck]
) -> tuple[NDArray[np.generic], ...]:
    import pyarrow as pa
    import pyarrow.compute as pc

    from zermelo.feedback.texts import texts_of

    asked = pa.RecordBatch.from_arrays(
        [pa.array(positions), pa.array(np.full(len(positions), PROMPT, np.int32)), prompts],
        names=["row", "response", "text"],
    )
    columns = []
    for batch, kind in ((asked, "prompts"), (texts_of(positions, responses), "responses")):
        batch = batch.filter(pc.is_valid(batch.column("text")))
        text = batch.column("text")
        flags = np.zeros(len(text), np.uint64)
        for bit, check in enumerate(checks):
            if check.where in ("all", kind) and len(text):
                flags |= np.asarray(check.test(text), bool).astype(np.uint64) << np.uint64(bit)
        chars = pc.utf8_length(text).to_numpy(zero_copy_only=False)
        row, response = (batch.column(name).to_numpy(zero_copy_only=False) for name in ("row", "response"))
        columns.append((row, response.astype(np.int16), chars, _digests(text), flags))
    both = tuple(np.concatenate(pair) for pair in zip(*columns, strict=True))
    order = np.argsort(both[0], kind="stable")
    return tuple(column[order] for column in both)


def _digests(text: pa.Array) -> NDArray[np.uint64]:
    """64 bits of each text, the same in every process: folds and samples are numbered by them."""
    from hashlib import blake2b

    found = (
        int.from_bytes(blake2b(item, digest_size=8).digest(), "little") for item in text.cast("binary").to_pylist()
    )
    return np.fromiter(found, np.uint64, len(text))
