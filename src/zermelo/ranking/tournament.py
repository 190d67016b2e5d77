"""Single-elimination cups, one per prompt, pooled into a Bradley–Terry board: M − 1 matches a prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from zermelo.errors import DataError
from zermelo.ranking.bradley_terry import BradleyTerry
from zermelo.ranking.counts import count
from zermelo.ranking.result import Ratings

__all__ = ["Match", "TournamentBoard", "anchored_board", "cup", "insert_player", "tournament_board"]

# (first shown, second shown, prompt) → P(first ≻ second): 1, 0, ½ for a tie, or a probability
MatchFunction = Callable[[int, int, int], float]


@dataclass(frozen=True)
class Match:
    """One match: players as shown, and the result of the first."""

    prompt: int
    first: int
    second: int
    score: float


@dataclass(frozen=True)
class TournamentBoard:
    """Ratings from pooled cups, with every match and the champion of each prompt (for replays: the seed)."""

    ratings: Ratings
    matches: tuple[Match, ...]
    champions: tuple[int, ...]
    seed: int


def cup(
    players: Sequence[int], match: MatchFunction, prompt: int, rng: np.random.Generator
) -> tuple[int, tuple[Match, ...]]:
    """One cup among `players` in the given bracket: champion and the M − 1 matches.

    The list is split into halves of ⌈m/2⌉ and ⌊m/2⌋; the winners of both meet. Who is shown first is drawn; a tie or a
    probability is settled by a draw, but logged as it was.
    """
    if len(players) == 1:
        return players[0], ()
    half = (len(players) + 1) // 2
    left, first = cup(players[:half], match, prompt, rng)
    right, second = cup(players[half:], match, prompt, rng)
    a, b = (left, right) if rng.random() < 0.5 else (right, left)
    score = match(a, b, prompt)
    return (a if rng.random() < score else b), (*first, *second, Match(prompt, a, b, score))


def tournament_board(
    players: Sequence[str], match: MatchFunction, *, n_prompts: int, seed: int, prior: float = 0.1
) -> TournamentBoard:
    """One cup with a fresh random bracket for each prompt, all matches pooled into one Bradley–Terry fit.

    Strong players play more matches than weak ones, so win rates are not comparable; ratings are.

    Args:
        players: Names. [M]
        match: Judge of one match.
        n_prompts: Cups.
        seed: Of brackets, order and draws.
        prior: Ridge of the fit: a player that never wins has no finite rating without one.
    Raises:
        DataError: fewer than two players.
    Source: "Varco Arena: A Tournament Approach to Reference-Free Benchmarking Large Language Models", 2024,
        arXiv 2411.01281.
    """
    if len(players) < 2:
        raise DataError("no-battles", f"a cup needs two players. Got {len(players)}")
    matches: list[Match] = []
    champions = []
    for prompt in range(n_prompts):
        rng = np.random.default_rng([seed, prompt])
        champion, played = cup(rng.permutation(len(players)).tolist(), match, prompt, rng)
        champions.append(champion)
        matches += played
    return TournamentBoard(pooled(players, matches, prior), tuple(matches), tuple(champions), seed)


def pooled(players: Sequence[str], matches: Sequence[Match], prior: float) -> Ratings:
    """Bradley–Terry over matches."""
    first, second = (np.array([getattr(m, side) for m in matches], dtype=np.int64) for side in ("first", "second"))
    score = np.array([m.score for m in matches])
    return BradleyTerry(prior=prior).fit(count(first, second, score, players=players))


def anchored_board(n_players: int, match: MatchFunction, *, anchor: int, n_prompts: int) -> np.ndarray:
    """The usual practice for comparison: every player against one reference on every prompt; win rates. [M]

    Source: "Varco Arena: A Tournament Approach to Reference-Free Benchmarking Large Language Models", 2024.
    """
    rates = np.full(n_players, 0.5)
    for player in range(n_players):
        if player != anchor:
            rates[player] = np.mean([match(player, anchor, prompt) for prompt in range(n_prompts)])
    return rates


def insert_player(
    board: TournamentBoard, name: str, match: MatchFunction, *, n_prompts: int, seed: int, prior: float = 0.1
) -> TournamentBoard:
    """Add a newcomer to a finished board: per prompt a binary search along the ranking, old matches kept.

    Args:
        board: A finished board.
        name: The newcomer; in `match` it has the index M.
        match: Judge.
        n_prompts: Searches, about log₂ M matches each.
        seed: Of order and draws.
        prior: Ridge of the new fit.
    """
    newcomer = len(board.ratings.players)
    order = np.argsort(-board.ratings.rating).tolist()
    matches = list(board.matches)
    for prompt in range(n_prompts):
        rng = np.random.default_rng([seed, prompt])
        low, high = 0, len(order)
        while low < high:
            middle = (low + high) // 2
            a, b = (newcomer, order[middle]) if rng.random() < 0.5 else (order[middle], newcomer)
            score = match(a, b, prompt)
            matches.append(Match(prompt, a, b, score))
            won = rng.random() < (score if a == newcomer else 1 - score)
            low, high = (low, middle) if won else (middle + 1, high)
    players = (*board.ratings.players, name)
    return TournamentBoard(pooled(players, matches, prior), tuple(matches), board.champions, seed)
