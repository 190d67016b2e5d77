"""What a policy makes of some pairs: log-probabilities, entropies and hidden states, read once for all audits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from zermelo.doctor.case import Case
    from zermelo.policies.groups import TokenGroups
    from zermelo.policies.policy import Policy

__all__ = ["Readings", "readings"]

MOST = 400  # pairs; a policy reads slowly, and a share is known well enough from these
AT_ONCE = 8  # groups
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Readings:
    """A sample of preferences under a policy, in order of the rows. [M]

    Args:
        row: Position of the group.
        win: log π(y_w | x), summed over tokens, nat.
        lose: log π(y_l | x).
        tokens_win: |y_w|, the end token included.
        tokens_lose: |y_l|.
        excess_win: Mean over tokens of −log π(y_t) − H(π(· | y_<t)), nat: 0 for what the policy wrote itself.
        excess_lose: Likewise of the other.
        ln_ches: Centred hidden embedding similarity of means.
        of: How many pairs there are in all.
        left_out: Pairs of the sample without text or too long.
        policy: Its name.
    """

    row: NDArray[np.int64]
    win: Floats
    lose: Floats
    tokens_win: Floats
    tokens_lose: Floats
    excess_win: Floats
    excess_lose: Floats
    ln_ches: Floats
    of: int
    left_out: int
    policy: str

    def __len__(self) -> int:
        return len(self.row)


_KNOWN: WeakKeyDictionary[Case, Readings | str] = WeakKeyDictionary()


def readings(case: Case) -> Readings | str:
    """The policy's readings of at most 400 pairs; a string says why there are none.

    Raises:
        MissingError: no such model, or the extra `train` is not installed.
    """
    if case not in _KNOWN:
        _KNOWN[case] = _made(case)
    return _KNOWN[case]


def _made(case: Case) -> Readings | str:
    if case.policy is None:
        return "no policy was named; `--policy MODEL`"
    n = case.pairs.num_rows
    if not n:
        return "the data holds no preferences"
    if not len(case.texts.row):
        return "the data holds no texts"
    from zermelo.policies.load import load

    policy = load(case.policy)
    drawn = np.random.default_rng((case.seed, 2410)).choice(n, min(n, MOST), replace=False)
    return _read(case, policy, np.sort(drawn), n)


def _read(case: Case, policy: Policy, index: NDArray[np.int64], of: int) -> Readings | str:
    from dataclasses import replace

    from zermelo.policies.tokens import tokenise

    picked = case.pairs.take(index)
    rows, wins, loses = (picked[name].to_numpy().astype(np.int64) for name in ("row", "win", "lose"))
    columns: list[list[float]] = []
    for start in range(0, len(rows), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        found = case.feedback.at(rows[part].tolist())
        groups = []
        for row, win, lose in zip(rows[part].tolist(), wins[part].tolist(), loses[part].tolist(), strict=True):
            group = found[row]
            groups.append(replace(group, responses=(group.responses[win], group.responses[lose]), judgements=()))
        tokenised = tokenise(groups, policy)
        whole = [at for at, place in enumerate(tokenised.index) if place.responses == (0, 1)]
        if whole:
            places = [rows[start + tokenised.index[at].group] for at in whole]
            columns += [
                [float(row), *numbers]
                for row, numbers in zip(places, _numbers(policy, tokenised.tokens.subset(whole)), strict=True)
            ]
    if not columns:
        return "no pair has a prompt and two texts that fit into the policy's context"
    table = np.array(columns, np.float64).T
    row, left_out = table[0].astype(np.int64), len(rows) - len(columns)
    return Readings(
        row, table[1], table[2], table[3], table[4], table[5], table[6], table[7], of, left_out, policy.name
    )


def _numbers(policy: Policy, tokens: TokenGroups) -> list[list[float]]:
    """For each group of two responses: the numbers of `Readings`, in order of its fields."""
    import torch

    from zermelo.objectives.diagnostics import ches_scores
    from zermelo.policies.engine import Want, group_logprobs

    found = group_logprobs(policy, tokens, want=Want(entropy=True, hidden=True), grad=False)
    assert found.logps is not None and found.entropy is not None and found.hidden is not None
    lengths = torch.tensor([len(response.ids) for group in tokens.groups for response in group.responses])
    owner = torch.repeat_interleave(torch.arange(len(lengths)), lengths).to(found.logps.device)
    pairs = torch.arange(len(lengths), device=owner.device).reshape(-1, 2)
    ches = ches_scores(found.hidden, token_response=owner, pairs=pairs).ln_ches

    def total(values: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(lengths), dtype=torch.float64).index_add(0, owner.cpu(), values.double().cpu())

    n, logps = lengths.double(), total(found.logps)
    excess = (-logps - total(found.entropy)) / n
    sides = [item.reshape(-1, 2) for item in (logps, n, excess)]
    return torch.cat([*sides, ches.double().cpu()[:, None]], dim=1).tolist()
