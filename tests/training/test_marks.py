"""What the supplier marks for losses on phrases and on faults."""

from __future__ import annotations

import torch

from zermelo.feedback.records import Group, Judgement, Response
from zermelo.objectives import FAIT, RRPO, Needs
from zermelo.training.examples import make_examples
from zermelo.training.settings import OfflineSettings
from zermelo.training.supply import data_batch


def test_tokens_in_which_the_sides_of_a_pair_differ_are_marked(policy) -> None:
    group = Group(
        "g", "n?", (Response("range(n)"), Response("range(n-1)")), (Judgement("comparison", on=(0, 1), value=1.0),)
    )
    needs = RRPO(alpha=0.0).needs | FAIT().needs
    assert needs == Needs(pairs=True, policies=("ref",), extra=("phrase", "fault"))
    items = make_examples([group], policy, needs, OfflineSettings()).items
    batch = data_batch(items, needs, torch.device("cpu"))
    # one token per character, and an end token on each side
    assert batch.extra_of("phrase").tolist() == [0.0] * 9 + [0.0] * 7 + [1.0, 1.0] + [0.0] * 2
    assert batch.extra_of("fault").tolist() == [0.0] * 7 + [1.0, 0.0] + [0.0] * 7 + [1.0, 1.0] + [0.0] * 2
