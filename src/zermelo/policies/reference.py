"""Reference log-probabilities, computed once and found again: by later steps, later runs, other processes.

One SQLite file per fingerprint, one row per sequence: a hash of prompt ids and response ids → the log-probability of
every response token. Per token, so that no setting of an objective can make them stale.
"""

from __future__ import annotations

import array
import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from zermelo.errors import MissingError
from zermelo.policies.backends import evaluating
from zermelo.policies.engine import Model, group_logprobs, module_of
from zermelo.policies.fingerprint import fingerprint
from zermelo.policies.groups import TokenGroup, TokenGroups
from zermelo.policies.want import Backend

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ReferenceCache", "fingerprint", "sequence_key"]


def sequence_key(prompt: Sequence[int], response: Sequence[int]) -> bytes:
    """blake2b-128 of prompt ids and response ids; where the prompt ends matters."""
    ids = array.array("q", [len(prompt), *prompt, *response])
    return hashlib.blake2b(ids.tobytes(), digest_size=16).digest()


@dataclass(frozen=True)
class ReferenceCache:
    """Per-token log-probabilities of one policy, kept in `folder`.

    Several processes may use one folder at a time: a call reads, computes what is missing and adds it in one
    transaction; a process that dies in between leaves the file as it was.

    Args:
        folder: Where `<fingerprint>.sqlite` lies; made when needed.
        fingerprint: Of the reference policy, from `fingerprint(policy)`.
    """

    folder: Path
    fingerprint: str

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.folder) / f"{self.fingerprint}.sqlite"

    def logps(
        self, policy: Model | None, groups: TokenGroups, *, backend: Backend = "auto", rows: int | None = None
    ) -> Tensor:
        """Log-probability of every response token under the reference.

        Args:
            policy: Computes what is missing, in evaluation mode and without a graph; it must be the one that the
                fingerprint was taken of. None where everything is known to be there.
            groups: Prompt and response ids.
            backend: As in `group_logprobs`.
            rows: As in `group_logprobs`.
        Returns:
            In the order of `groups`: group, response, token; float32 (float64 for a float64 model). On the policy's
            device, or the processor without a policy. [T]
        Raises:
            MissingError: something is missing and there is no policy.
        """
        keys = [[sequence_key(group.prompt, response.ids) for response in group.responses] for group in groups.groups]
        flat = [key for group in keys for key in group]
        known = self._read(flat)
        missing = _missing(groups, keys, known)
        if missing:
            if policy is None:
                n = sum(len(group.responses) for group in missing)
                raise MissingError(
                    "missing-reference", f"{n} sequences are not in {self.path}, and no policy was given"
                )
            with evaluating(module_of(policy)):
                got = group_logprobs(policy, TokenGroups(tuple(missing)), grad=False, backend=backend, rows=rows).logps
            assert got is not None
            new = _pieces(missing, got.cpu().numpy())
            self._write(new)
            known.update(new)
        device = "cpu" if policy is None else next(module_of(policy).parameters()).device
        return torch.from_numpy(np.concatenate([known[key] for key in flat])).to(device)

    def missing(self, groups: TokenGroups) -> int:
        """How many responses would have to be computed."""
        keys = {sequence_key(group.prompt, response.ids) for group in groups.groups for response in group.responses}
        return len(keys) - len(self._read(list(keys)))

    def _read(self, keys: Sequence[bytes]) -> dict[bytes, np.ndarray]:
        if not self.path.exists():
            return {}
        found: dict[bytes, np.ndarray] = {}
        with self._open() as connection:
            for at in range(0, len(keys), 500):  # SQLite takes 999 variables at least
                part = keys[at : at + 500]
                marks = ",".join("?" * len(part))
                query = f"SELECT key, width, logps FROM reference WHERE key IN ({marks})"
                for key, width, blob in connection.execute(query, part):
                    found[key] = np.frombuffer(blob, dtype=f"<f{width}")
        return found

    def _write(self, new: dict[bytes, np.ndarray]) -> None:
        Path(self.folder).mkdir(parents=True, exist_ok=True)
        rows = [(key, value.itemsize, value.astype(f"<f{value.itemsize}").tobytes()) for key, value in new.items()]
        with self._open() as connection, connection:
            connection.executemany("INSERT OR IGNORE INTO reference VALUES (?, ?, ?)", rows)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        # opened per call: connections survive neither fork nor threads, and opening costs less than a token
        with closing(sqlite3.connect(self.path, timeout=120.0)) as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS reference (key BLOB PRIMARY KEY, width INTEGER, logps BLOB) WITHOUT ROWID"
            )
            yield connection


def _missing(groups: TokenGroups, keys: Sequence[Sequence[bytes]], known: dict[bytes, np.ndarray]) -> list[TokenGroup]:
    """The groups with the responses that are not known, each sequence once; groups without any are left out."""
    seen = set(known)
    found = []
    for group, own in zip(groups.groups, keys, strict=True):
        responses = []
        for response, key in zip(group.responses, own, strict=True):
            if key not in seen:
                seen.add(key)
                responses.append(response)
        if responses:
            found.append(TokenGroup(group.id, group.prompt, tuple(responses)))
    return found


def _pieces(groups: Sequence[TokenGroup], flat: np.ndarray) -> dict[bytes, np.ndarray]:
    found, at = {}, 0
    for group in groups:
        for response in group.responses:
            n = len(response.ids)
            found[sequence_key(group.prompt, response.ids)] = flat[at : at + n]
            at += n
    return found
