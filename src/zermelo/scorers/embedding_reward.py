"""`EmbeddingReward`: a Bradley–Terry reward head on frozen text embeddings, fitted in seconds on a CPU."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import SettingError, positive
from zermelo.feedback.neardup import plain_prompt
from zermelo.feedback.records import Group, Judgement
from zermelo.progress import Bar, silent
from zermelo.scorers.assess import Assessment, assess, gain
from zermelo.scorers.card import read_card, read_tensors, write_scorer
from zermelo.scorers.encoders import Encoder, WordCounts, encoder
from zermelo.scorers.heads import Head, fit_head, rewards
from zermelo.scorers.judging import comparisons, ratings
from zermelo.scorers.pairs import Pairs, folds, pairs_of
from zermelo.stats.estimate import Estimate

__all__ = ["CrossValidated", "EmbeddingReward", "EmbeddingRewardModel"]

Feature: TypeAlias = Literal["response", "product", "length"]
GRID = tuple(float(x) for x in np.logspace(-3, 1, 9))
PROMPT_TAIL = 1000  # characters of a long conversation that are embedded: its end, because encoders read beginnings


@dataclass(frozen=True)
class CrossValidated:
    """A reward head's figures on prompts it was not fitted on, beside its baselines.

    Args:
        reward: The head.
        length: A head that sees the length of the responses alone (log characters).
        gain: Accuracy of the head minus that of length alone, paired.
        majority: Always the more frequent side of the training folds, with its frequency as probability.
        l2: Chosen in each fold.
        folds: Number of folds.
        ties: Pairs left out because their annotators are tied.
        suspicious: Groups left out.
        predicted: P(first ≻ second) of the head for each pair, out of fold. [M]
    """

    reward: Assessment
    length: Assessment
    majority: Assessment
    gain: Estimate
    l2: tuple[float, ...]
    folds: int
    ties: int
    suspicious: int
    predicted: NDArray[np.float64]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, without the predictions."""
        found = {name: getattr(self, name).to_json() for name in ("reward", "length", "majority")}
        found["gain"] = self.gain.to_json()
        return {**found, "l2": list(self.l2), "folds": self.folds, "ties": self.ties, "suspicious": self.suspicious}


@dataclass(frozen=True)
class EmbeddingReward:
    """Settings of a reward head on frozen embeddings.

        features of (x, y): e(y), e(x) ⊙ e(y), log(1 + |y|)       blocks scaled to equal size; tf-idf for `tfidf`
        P(y ≻ y') = σ(r(x, y) − r(x, y'))

    A prompt's own embedding would cancel; its product with the response's lets the head ask whether they fit.

    Args:
        encoder: `minilm`, a sentence-transformers model, or `tfidf` (no torch).
        features: Blocks to use.
        hidden: Units of one hidden layer; 0 = linear.
        l2: Ridge; None = chosen from nine values by cross-validation over prompts.
        folds: Of the cross-validations.
        seed: Of folds and first weights.
    Source: Bradley and Terry, "Rank analysis of incomplete block designs", Biometrika 1952, with features.
    """

    encoder: str = "minilm"
    features: tuple[Feature, ...] = ("response", "product", "length")
    hidden: int = 0
    l2: float | None = None
    folds: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.features or set(self.features) - {"response", "product", "length"}:
            raise SettingError(
                "bad-setting", f"EmbeddingReward.features: of response, product, length. Got {self.features}"
            )
        if self.l2 is not None:
            positive(self, "l2")
        if self.hidden < 0 or self.folds < 2:
            raise SettingError("bad-setting", "EmbeddingReward.hidden must be ≥ 0 and folds ≥ 2")

    def fit(
        self,
        groups: Sequence[Group],
        *,
        cache: str | os.PathLike[str] | None = None,
        bar: Bar = silent,
    ) -> EmbeddingRewardModel:
        """Fit on the stated comparisons of groups.

        Args:
            groups: Groups with comparisons; several annotators of a pair are averaged, ties left out.
            cache: Folder for embeddings.
            bar: Progress.
        Raises:
            DataError: no comparison, or fewer different prompts than folds.
            MissingError: the encoder is not there.
        """
        pairs = pairs_of(groups)
        used = encoder(self.encoder, cache_folder=cache)
        x = _features(groups, pairs.rows, used, self.features, bar)
        scale = _scale(x, pairs, self)
        every = np.arange(len(pairs))
        l2 = _chosen(_scaled(x, scale), pairs, every, self) if self.l2 is None else self.l2
        head = fit_head(
            _scaled(x, scale), pairs.first, pairs.second, pairs.prob, l2=l2, hidden=self.hidden, seed=self.seed
        )
        centre = float(rewards(head, _scaled(x, scale)).mean())
        return EmbeddingRewardModel(
            settings=replace(self, l2=l2),
            head=head,
            scale=scale,
            centre=centre,
            trained_on={
                "pairs": len(pairs),
                "prompts": len(np.unique(pairs.cluster)),
                "ties_left_out": pairs.ties,
                "suspicious_left_out": pairs.suspicious,
            },
            cache=None if cache is None else os.fspath(cache),
        )

    def cross_validate(
        self,
        groups: Sequence[Group],
        *,
        cache: str | os.PathLike[str] | None = None,
        level: float = 0.95,
        bar: Bar = silent,
    ) -> CrossValidated:
        """Figures on held-out prompts: fitted on the other folds, l2 chosen within them.

        Equal and nearly equal prompts are in one fold.
        """
        pairs = pairs_of(groups)
        x = _features(groups, pairs.rows, encoder(self.encoder, cache_folder=cache), self.features, bar)
        length = _lengths(groups, pairs.rows)[:, None]
        fold = folds(pairs.cluster, self.folds, seed=self.seed)
        predicted, by_length, by_habit, chosen = (np.zeros(len(pairs)) for _ in range(4))
        advance = bar("cross-validate", total=self.folds)
        for number in range(self.folds):
            train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
            part = _subset(pairs, train)
            scale = _scale(x, part, self)
            scaled = _scaled(x, scale)
            l2 = _chosen(scaled, pairs, train, self) if self.l2 is None else self.l2
            head = fit_head(scaled, part.first, part.second, part.prob, l2=l2, hidden=self.hidden, seed=self.seed)
            predicted[test] = _predict(head, scaled, _subset(pairs, test))
            short = fit_head(length, part.first, part.second, part.prob, l2=1e-6)
            by_length[test] = _predict(short, length, _subset(pairs, test))
            by_habit[test] = (part.prob > 0.5).mean()
            chosen[number] = l2
            advance(1)
        found = {
            name: assess(name, p, pairs.prob, pairs.cluster, level=level, seed=self.seed)
            for name, p in ((self.encoder, predicted), ("length only", by_length), ("majority side", by_habit))
        }
        return CrossValidated(
            found[self.encoder],
            found["length only"],
            found["majority side"],
            gain(predicted, by_length, pairs.prob, pairs.cluster, level=level, seed=self.seed),
            tuple(chosen[: self.folds]),
            self.folds,
            pairs.ties,
            pairs.suspicious,
            predicted,
        )


@dataclass(frozen=True)
class EmbeddingRewardModel:
    """A fitted reward head: scores responses, compares them, is saved and loaded.

    Args:
        settings: What it was fitted with; `l2` is the one chosen.
        head: Weights.
        scale: Of each feature. [D]
        centre: Mean reward of the training responses, taken off.
        trained_on: Counts, for the card.
        name: Stands as `by`.
        cache: Folder for embeddings.
    """

    settings: EmbeddingReward
    head: Head
    scale: NDArray[np.float64]
    centre: float
    trained_on: dict[str, Any] = field(default_factory=dict)
    name: str = "embedding-reward"
    cache: str | None = None

    def rewards(self, groups: Sequence[Group], *, bar: Bar = silent) -> list[NDArray[np.float64]]:
        """r(x, y) of each response of each group, in logits; NaN where there is no text. [G] × [K]"""
        rows = tuple((g, i) for g, group in enumerate(groups) for i, one in enumerate(group.responses) if not one.empty)
        rows = tuple((g, i) for g, i in rows if groups[g].responses[i].content)
        out = [np.full(len(group.responses), np.nan) for group in groups]
        if rows:
            used = encoder(self.settings.encoder, cache_folder=self.cache)
            x = _features(groups, rows, used, self.settings.features, bar)
            for (g, i), value in zip(rows, rewards(self.head, _scaled(x, self.scale)) - self.centre, strict=True):
                out[g][i] = value
        return out

    def score(self, groups: Sequence[Group]) -> list[tuple[Judgement, ...]]:
        """A rating for each response. See `Scorer`."""
        return [ratings(values, self.name) for values in self.rewards(groups)]

    def compare(self, groups: Sequence[Group]) -> list[tuple[Judgement, ...]]:
        """P(i ≻ j) = σ(r_i − r_j) for each pair. See `Comparer`."""
        return [comparisons(values, self.name) for values in self.rewards(groups)]

    def save(self, folder: str | os.PathLike[str], *, report: CrossValidated | None = None) -> Path:
        """Write weights (safetensors) and a card (JSON) into a folder."""
        tensors = {**self.head, "scale": self.scale, "centre": np.array([self.centre])}
        settings = {name: getattr(self.settings, name) for name in EmbeddingReward.__dataclass_fields__}
        more = {"settings": settings, "trained_on": self.trained_on, "name": self.name}
        if report is not None:
            more["cross_validated"] = report.to_json()
        return write_scorer(folder, "embedding", tensors, more)

    @classmethod
    def load(
        cls, folder: str | os.PathLike[str], *, cache: str | os.PathLike[str] | None = None
    ) -> EmbeddingRewardModel:
        """Read what `save` wrote."""
        card, tensors = read_card(folder, "embedding"), read_tensors(folder)
        settings = {**card["settings"], "features": tuple(card["settings"]["features"])}
        return cls(
            settings=EmbeddingReward(**settings),
            head={name: tensors[name] for name in ("w", "v") if name in tensors},
            scale=tensors["scale"],
            centre=float(tensors["centre"][0]),
            trained_on=card["trained_on"],
            name=card["name"],
            cache=None if cache is None else os.fspath(cache),
        )


# ── features ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _features(
    groups: Sequence[Group],
    rows: Sequence[tuple[int, int]],
    used: Encoder,
    features: Sequence[Feature],
    bar: Bar,
) -> Any:
    """[N, D] dense float64, or CSR for a sparse encoder."""
    texts = [groups[g].responses[i].content for g, i in rows]
    prompts = [
        plain_prompt(groups[g].prompt if (own := groups[g].responses[i].prompt) is None else own) for g, i in rows
    ]
    blocks = []
    needs_product = "product" in features
    both = used.encode([*texts, *(prompt[-PROMPT_TAIL:] for prompt in prompts)] if needs_product else texts, bar=bar)
    of_text = both[: len(texts)]
    if "response" in features:
        blocks.append(of_text)
    if needs_product:
        of_prompt = both[len(texts) :]
        blocks.append(of_text.multiply(of_prompt) if isinstance(used, WordCounts) else of_text * of_prompt)
    if "length" in features:
        blocks.append(_lengths(groups, rows)[:, None])
    if isinstance(used, WordCounts):
        from scipy import sparse

        return sparse.hstack([sparse.csr_matrix(block) for block in blocks], format="csr").astype(np.float64)
    return np.concatenate(blocks, axis=1).astype(np.float64)


def _lengths(groups: Sequence[Group], rows: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    return np.log1p([len(groups[g].responses[i].content) for g, i in rows])


def _scale(x: Any, pairs: Pairs, settings: EmbeddingReward) -> NDArray[np.float64]:
    """Factor of each feature: inverse document frequency of words, else 1 / size of the block's differences."""
    width = x.shape[1] - ("length" in settings.features)
    blocks = max(1, sum(name != "length" for name in settings.features))
    scale = np.ones(x.shape[1])
    if settings.encoder == "tfidf":
        rows = np.union1d(pairs.first, pairs.second)
        seen = np.asarray((x[rows] != 0).sum(axis=0)).ravel()
        scale = np.log((1 + len(rows)) / (1 + seen)) + 1
    elif width:
        delta = x[pairs.first] - x[pairs.second]
        for block in np.array_split(np.arange(width), blocks):
            size = float(np.sqrt((delta[:, block] ** 2).sum(axis=1).mean()))
            scale[block] = 1.0 if size == 0 else 1 / size
    if "length" in settings.features:
        delta = np.asarray((x[pairs.first] - x[pairs.second])[:, [-1]].sum(axis=1)).ravel()
        size = float(np.sqrt((delta**2).mean()))
        scale[-1] = 1.0 if size == 0 else 1 / size
    return scale


def _scaled(x: Any, scale: NDArray[np.float64]) -> Any:
    if isinstance(x, np.ndarray):
        return x * scale
    from scipy import sparse

    return (x @ sparse.diags(scale)).tocsr()


def _subset(pairs: Pairs, index: NDArray[np.int64]) -> Pairs:
    return replace(
        pairs,
        first=pairs.first[index],
        second=pairs.second[index],
        prob=pairs.prob[index],
        cluster=pairs.cluster[index],
    )


def _predict(head: Head, x: Any, pairs: Pairs) -> NDArray[np.float64]:
    from scipy.special import expit

    r = rewards(head, x)
    return np.asarray(expit(r[pairs.first] - r[pairs.second]))


def _chosen(x: Any, pairs: Pairs, train: NDArray[np.int64], settings: EmbeddingReward) -> float:
    """The ridge with the least held-out log-loss among the pairs `train`, by cross-validation over prompts."""
    part = _subset(pairs, train)
    fold = folds(part.cluster, settings.folds, seed=settings.seed + 1)
    loss = np.zeros(len(GRID))
    for number in range(settings.folds):
        inner, held = _subset(part, np.flatnonzero(fold != number)), _subset(part, np.flatnonzero(fold == number))
        head: Head | None = None
        for at in reversed(range(len(GRID))):  # from strong to weak, each begins where the last ended
            head = fit_head(
                x,
                inner.first,
                inner.second,
                inner.prob,
                l2=GRID[at],
                hidden=settings.hidden,
                start=head if settings.hidden == 0 else None,  # weights near 0 are a saddle of the layered head
                seed=settings.seed,
            )
            p = np.clip(_predict(head, x, held), 1e-12, 1 - 1e-12)
            loss[at] -= float((held.prob * np.log(p) + (1 - held.prob) * np.log1p(-p)).sum())
    return GRID[int(loss.argmin())]
