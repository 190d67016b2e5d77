"""Small things that several claims share: batches from tables, a tiny autoregressive policy, right answers with filler.

pair_batch, list_batch   a `RaggedBatch` of one-token responses, from tables of log-probabilities
mean_loss                what a training loop minimises
TinyPolicy               log π(y_t | x, y_<t) from one hidden layer over prompt, prefix and place; SGD-sized
sequence_batch, fit      pairs of its responses as a batch; steps of an objective on them
filler_pairs             a right or wrong answer token, then filler: quality and length are known and confounded at will
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zermelo.objectives.batch import Axis, RaggedBatch
from zermelo.objectives.protocol import Losses, weights_of

__all__ = [
    "END",
    "Texts",
    "TinyPolicy",
    "accuracy",
    "filler_pairs",
    "fit",
    "imitate",
    "list_batch",
    "mean_loss",
    "pair_batch",
    "sequence_batch",
]

END = 0  # the token that ends a text


def pair_batch(log_p: Tensor, ref: Tensor, **more: Any) -> RaggedBatch:
    """Pairs of one-token responses, the preferred one first.

    Args:
        log_p: log π of both sides. [M, 2]
        ref: log π_ref of both sides. [M, 2]
        more: Other fields of the batch.
    """
    place = torch.arange(log_p.numel())
    return RaggedBatch(
        log_p.reshape(-1),
        place,
        place // 2,
        pairs=place.reshape(-1, 2),
        logps_of={"ref": ref.reshape(-1)},
        **more,
    )


def list_batch(log_p: Tensor, ref: Tensor, scores: Tensor) -> RaggedBatch:
    """Lists of scored one-token responses, all arguments [G, K]."""
    place = torch.arange(log_p.numel())
    return RaggedBatch(
        log_p.reshape(-1), place, place // log_p.shape[1], scores=scores.reshape(-1), logps_of={"ref": ref.reshape(-1)}
    )


def mean_loss(losses: Losses, batch: RaggedBatch) -> Tensor:
    """Σ w·each / Σ w of each term, times its scale, added: what the training loop minimises."""
    total = torch.zeros((), dtype=batch.logps.dtype)
    for item in losses:
        weight = weights_of(item, batch)
        total = total + item.scale * (weight * item.each).sum() / weight.sum().clamp_min(1e-12)
    return total


@dataclass(frozen=True)
class Texts:
    """Responses and the prompts that they answer.

    Args:
        prompt: Number of the prompt. [N]
        tokens: Tokens, −1 behind the last one. [N, L]
    """

    prompt: Tensor
    tokens: Tensor

    def __getitem__(self, rows: Tensor) -> Texts:
        return Texts(self.prompt[rows], self.tokens[rows])

    @property
    def lengths(self) -> Tensor:
        """Tokens of each response, the end token included. [N]"""
        return (self.tokens >= 0).sum(1)


class TinyPolicy(nn.Module):
    """A next-token model with one hidden layer and no attention; all responses share its parameters.

        h_t = tanh(P_x + mean of E over y_<t + B_{y_{t−1}} + C_t)          [D]
        log π(· | x, y_<t) = log softmax(W h_t + b)                        [V]

    Args:
        vocabulary: V; token 0 ends a text.
        prompts: Number of prompts.
        longest: Most tokens of a response.
        hidden: D.
        seed: Of the first weights.
    """

    def __init__(self, vocabulary: int, prompts: int, longest: int, *, hidden: int = 32, seed: int = 0) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(seed)

        def table(rows: int, columns: int, scale: float) -> nn.Parameter:
            return nn.Parameter(scale * torch.randn(rows, columns, generator=rng))

        self.prompt = table(prompts, hidden, 0.5)
        self.bag = table(vocabulary, hidden, 0.5)
        self.last = table(vocabulary + 1, hidden, 0.5)  # its last row: nothing said yet
        self.place = table(longest, hidden, 0.1)
        self.head = table(vocabulary, hidden, hidden**-0.5)
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def states(self, texts: Texts) -> Tensor:
        """h_t, the state that predicts token t. [N, L, D]"""
        tokens = texts.tokens
        n, longest = tokens.shape
        said = self.bag[tokens.clamp_min(0)] * (tokens >= 0).unsqueeze(-1)
        count = torch.arange(longest).clamp_min(1).unsqueeze(-1)
        before = torch.cat([torch.zeros_like(said[:, :1]), said.cumsum(1)[:, :-1]], 1) / count
        start = torch.full((n, 1), len(self.last) - 1)
        last = self.last[torch.cat([start, tokens[:, :-1]], 1).clamp_min(0)]
        return torch.tanh(self.prompt[texts.prompt].unsqueeze(1) + before + last + self.place[:longest])

    def logits(self, texts: Texts) -> Tensor:
        """W h_t + b. [N, L, V]"""
        logits: Tensor = self.states(texts) @ self.head.T + self.bias
        return logits

    def logps(self, texts: Texts) -> Tensor:
        """log π(y_t) of the tokens of all texts, one after the other. [T]"""
        kept = texts.tokens >= 0
        log_p = self.logits(texts).log_softmax(-1)
        return log_p.gather(-1, texts.tokens.clamp_min(0).unsqueeze(-1)).squeeze(-1)[kept]

    def sums(self, texts: Texts) -> Tensor:
        """log π(y) of each text. [N]"""
        owner = (texts.tokens >= 0).nonzero()[:, 0]
        logps = self.logps(texts)
        return torch.zeros(len(texts.prompt), dtype=logps.dtype).index_add(0, owner, logps)

    @torch.no_grad()
    def sample(self, prompt: Tensor, *, seed: int) -> Texts:
        """One response to each prompt at temperature 1, cut where there is no more place. [N] → texts"""
        rng = torch.Generator().manual_seed(seed)
        n, longest = len(prompt), len(self.place)
        tokens = torch.full((n, longest), -1)
        said, last, going = torch.zeros(n, self.bag.shape[1]), torch.full((n,), len(self.last) - 1), torch.ones(n) > 0
        for t in range(longest):
            h = torch.tanh(self.prompt[prompt] + said / max(t, 1) + self.last[last] + self.place[t])
            last = torch.multinomial((h @ self.head.T + self.bias).softmax(-1), 1, generator=rng).squeeze(1)
            tokens[going, t] = last[going]
            said = said + self.bag[last]
            going = going & (last != END)
        return Texts(prompt, tokens)

    def copy(self) -> TinyPolicy:
        """A copy with weights of its own."""
        return copy.deepcopy(self)


def sequence_batch(
    policy: TinyPolicy, texts: Texts, ref: TinyPolicy | Tensor | None = None, **more: Any
) -> RaggedBatch:
    """Texts as a batch; rows 2m and 2m + 1 are the preferred and the other side of pair m, in a group of their own.

    Args:
        policy: Whose log-probabilities are differentiable.
        texts: An even number of rows.
        ref: The reference, or its log-probabilities of every token [T].
        more: Other fields of the batch.
    """
    owner, finished = (texts.tokens >= 0).nonzero()[:, 0], (texts.tokens == END).any(1)
    place = torch.arange(len(texts.prompt))
    logps_of: Mapping[str, Tensor] = {}
    if ref is not None:
        with torch.no_grad():
            logps_of = {"ref": ref if isinstance(ref, Tensor) else ref.logps(texts)}
    return RaggedBatch(
        policy.logps(texts),
        owner,
        place // 2,
        pairs=place.reshape(-1, 2),
        finished=finished,
        logps_of=logps_of,
        **more,
    )


def fit(
    start: TinyPolicy,
    objective: Any,
    pairs: Texts,
    *,
    steps: int,
    lr: float,
    size: int = 64,
    seed: int = 0,
    ref: TinyPolicy | None = None,
    extra: Callable[[Tensor], Mapping[str, tuple[Axis, Tensor]]] | None = None,
    watch: Callable[[int, TinyPolicy], bool] | None = None,
) -> TinyPolicy:
    """A copy of `start` after Adam steps on random pairs, rows (2m, 2m + 1) of `pairs`.

    Args:
        start: Where training begins.
        objective: Any objective over pairs that reads `ref` alone.
        pairs: Texts, the preferred side of each pair first.
        steps: Adam steps.
        lr: Learning rate.
        size: Pairs in a step.
        seed: Of the draws.
        ref: Reference; `start` by default.
        extra: Rows → the batch's extra tensors.
        watch: Called after each step with its number from 1; False ends training.
    """
    policy, ref = start.copy(), start if ref is None else ref
    optimiser = torch.optim.Adam(policy.parameters(), lr=lr)
    rng = torch.Generator().manual_seed(seed)
    n_pairs = len(pairs.prompt) // 2
    for step in range(1, steps + 1):
        chosen = torch.randint(n_pairs, (size,), generator=rng)
        rows = torch.stack([2 * chosen, 2 * chosen + 1], 1).reshape(-1)
        batch = sequence_batch(policy, pairs[rows], ref, **({} if extra is None else {"extra": extra(rows)}))
        optimiser.zero_grad()
        mean_loss(objective(batch), batch).backward()
        optimiser.step()
        if watch is not None and not watch(step, policy):
            break
    return policy


def imitate(policy: TinyPolicy, texts: Texts, *, steps: int, lr: float, size: int = 128, seed: int = 0) -> TinyPolicy:
    """A copy after Adam steps on −log π(y_t), the mean over tokens of random texts."""
    policy = policy.copy()
    optimiser = torch.optim.Adam(policy.parameters(), lr=lr)
    rng = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        rows = torch.randint(len(texts.prompt), (size,), generator=rng)
        optimiser.zero_grad()
        (-policy.logps(texts[rows]).mean()).backward()
        optimiser.step()
    return policy


@torch.no_grad()
def accuracy(policy: TinyPolicy, *, answers: int = 10) -> float:
    """Probability that the first token is the right answer in the world of `filler_pairs`, the mean over prompts."""
    prompt = torch.arange(len(policy.prompt))
    first = policy.logits(Texts(prompt, torch.zeros(len(prompt), 1, dtype=torch.long)))[:, 0].softmax(-1)
    return float(first[prompt, prompt % answers + 1].mean())


def filler_pairs(
    n: int,
    *,
    seed: int,
    answers: int = 10,
    prompts: int | None = None,
    filler: int = 5,
    shortest: int = 2,
    longest: int = 12,
    right: float = 0.9,
    longer: float = 0.75,
) -> Texts:
    """Pairs of an answer token, filler tokens and the end; token d % `answers` + 1 is the right answer to prompt d.

    One side of each pair is right and one wrong, one longer and one shorter. Tokens: 0 end, 1…`answers` answers, then
    `filler` fillers, drawn uniformly.

    Args:
        n: Pairs.
        seed: Of everything random.
        answers: Kinds of answer.
        prompts: Number of prompts; as many as answers by default.
        filler: Kinds of filler.
        shortest: Fewest filler tokens.
        longest: Most filler tokens.
        right: Share of pairs whose preferred side is the right one.
        longer: Share of pairs whose preferred side is the longer one.
    """
    rng = torch.Generator().manual_seed(seed)

    def chance(p: float) -> Tensor:
        return torch.rand(n, generator=rng) < p

    prompt = torch.randint(answers if prompts is None else prompts, (n,), generator=rng)
    good = prompt % answers + 1
    bad = (prompt + torch.randint(1, answers, (n,), generator=rng)) % answers + 1
    one = torch.randint(shortest, longest + 1, (n,), generator=rng)
    width = longest - shortest + 1
    two = (one - shortest + torch.randint(1, width, (n,), generator=rng)) % width + shortest
    long, short = torch.maximum(one, two), torch.minimum(one, two)
    is_right, is_long = chance(right), chance(longer)
    first = torch.stack([torch.where(is_right, good, bad), torch.where(is_right, bad, good)], 1).reshape(-1)
    count = torch.stack([torch.where(is_long, long, short), torch.where(is_long, short, long)], 1).reshape(-1)
    fill = torch.randint(answers + 1, answers + 1 + filler, (2 * n, longest + 1), generator=rng)
    place = torch.arange(longest + 1)
    fill = torch.where(place < count.unsqueeze(1), fill, torch.full_like(fill, -1))
    fill[torch.arange(2 * n), count] = END
    return Texts(prompt.repeat_interleave(2), torch.cat([first.unsqueeze(1), fill], 1))
