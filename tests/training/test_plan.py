"""Order, steps and cuts: deterministic, complete, balanced."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from zermelo.policies.groups import TokenGroup, TokenResponse
from zermelo.training.examples import Example, Pair
from zermelo.training.plan import cut, make_plan, split_by_prompt, spread
from zermelo.training.settings import OfflineSettings


def example(i: int, size: int = 5, pairs: int = 1) -> Example:
    tokens = TokenGroup(f"g{i}", (1,) * size, (TokenResponse((4, 2)), TokenResponse((5, 2))))
    return Example(f"g{i}", (tokens,), tuple(Pair(0, 1) for _ in range(pairs)))


EXAMPLES = [example(i, 3 + i % 7, 1 + i % 3) for i in range(23)]


def ids(step) -> list[str]:
    return [item.id for item in step.examples]


def test_every_epoch_takes_every_group_once_in_another_order() -> None:
    plan = make_plan(EXAMPLES, OfflineSettings(groups_per_step=4, epochs=3))
    steps = list(plan.steps())
    assert len(steps) == plan.n_steps == 18
    epochs = [[name for step in steps if step.epoch == epoch for name in ids(step)] for epoch in range(3)]
    assert all(sorted(epoch) == sorted(item.id for item in EXAMPLES) for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_a_position_gives_exactly_the_steps_that_are_left() -> None:
    plan = make_plan(EXAMPLES, OfflineSettings(groups_per_step=4, epochs=2, seed=3))
    steps = list(plan.steps())
    for done in range(len(steps)):
        left = list(plan.steps(steps[done].start))
        assert [(s.number, s.epoch, ids(s)) for s in left] == [(s.number, s.epoch, ids(s)) for s in steps[done:]]


def test_steps_can_be_counted_in_pairs() -> None:
    plan = make_plan(EXAMPLES, OfflineSettings(pairs_per_step=6))
    counts = [sum(len(item.pairs) for item in step.examples) for step in plan.steps()]
    assert all(6 <= count <= 8 for count in counts[:-1])
    assert sum(counts) == sum(len(item.pairs) for item in EXAMPLES)


def test_fractions_of_an_epoch_and_max_steps_end_the_plan() -> None:
    assert make_plan(EXAMPLES, OfflineSettings(groups_per_step=4, epochs=0.5)).n_steps == 3
    assert make_plan(EXAMPLES, OfflineSettings(groups_per_step=4, epochs=2.5)).n_steps == 15
    assert make_plan(EXAMPLES, OfflineSettings(groups_per_step=4, epochs=9, max_steps=7)).n_steps == 7


def test_progress_starts_at_zero_and_stays_below_one() -> None:
    progress = [step.progress for step in make_plan(EXAMPLES, OfflineSettings(groups_per_step=4)).steps()]
    assert progress[0] == 0 and progress == sorted(progress) and progress[-1] < 1


@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=20),
    tokens=st.integers(1, 120),
    world=st.integers(1, 5),
)
@settings(max_examples=60, deadline=None)
def test_a_cut_gives_every_group_to_one_device_and_every_device_as_many_parts(sizes, tokens, world) -> None:
    examples = [example(i, size) for i, size in enumerate(sizes)]
    parts = [cut(examples, tokens=tokens, world=world, rank=rank) for rank in range(world)]
    assert len({len(part) for part in parts}) == 1
    counted = [item.id for part in parts for micro in part if micro.counts for item in micro.examples]
    assert sorted(counted) == sorted(item.id for item in examples)
    for part in parts:
        for micro in part:
            assert len(micro.examples) == 1 or sum(item.n_tokens for item in micro.examples) <= max(
                tokens, max(item.n_tokens for item in examples)
            )


def test_spread_balances() -> None:
    assert sorted(sum([9, 5, 4, 3, 3][i] for i in part) for part in spread([9, 5, 4, 3, 3], 2)) == [12, 12]


def test_a_split_keeps_equal_prompts_together_whatever_the_order() -> None:
    keys = [f"k{i % 40}" for i in range(120)]
    kept, held = split_by_prompt(keys, 0.25, seed=0)
    assert not {keys[i] for i in kept} & {keys[i] for i in held}
    assert 5 <= len({keys[i] for i in held}) <= 16
    again = split_by_prompt(keys[::-1], 0.25, seed=0)[1]
    assert {keys[i] for i in held} == {keys[::-1][i] for i in again}
