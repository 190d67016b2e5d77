"""Trainability: each figure against one plain forward per sequence, or against a hand count."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from zermelo.doctor.case import Case
from zermelo.doctor.protocol import Finding, Passed, Skipped
from zermelo.doctor.trainability.calibration_set import CalibrationSet
from zermelo.doctor.trainability.ches import Ches
from zermelo.doctor.trainability.coverage import Coverage
from zermelo.doctor.trainability.curriculum import Curriculum
from zermelo.doctor.trainability.difficulty import Difficulty
from zermelo.doctor.trainability.margins import Margins
from zermelo.doctor.trainability.on_policy import OnPolicy
from zermelo.doctor.trainability.readings import Readings, readings
from zermelo.errors import SettingError
from zermelo.feedback import Feedback, Group, Judgement, Response
from zermelo.worlds.replies import replies

NEED_A_POLICY = [Ches(), Difficulty(), OnPolicy()]
ANSWERS = ["yes it is", "no", "maybe so", "42", "a = b + c", "zzz", "not at all", "ask me later"]


def pairs(n: int = 12) -> Feedback:
    rng = np.random.default_rng(0)
    groups = []
    for i in range(n):
        one, two = rng.choice(len(ANSWERS), 2, replace=False)
        said = Judgement("comparison", (0, 1), value=float(i % 2), by="ann")
        groups.append(Group(f"g{i}", f"question {i}?", (Response(ANSWERS[one]), Response(ANSWERS[two])), (said,)))
    return Feedback.of(groups)


def plain(folder: str, prompt: str, text: str) -> tuple[float, int, float, torch.Tensor]:
    """Log-probability, length, excess and summed hidden states, from one ordinary forward pass."""
    from zermelo.policies.load import load

    policy = load(folder)
    start = list(policy.tokenizer(prompt, add_special_tokens=False).input_ids)
    answer = [*policy.tokenizer(text, add_special_tokens=False).input_ids, 2]
    ids = torch.tensor([start + answer])
    with torch.no_grad():
        out = policy.model(ids, output_hidden_states=True)
    at = slice(len(start) - 1, ids.shape[1] - 1)
    logs = out.logits[0, at].double().log_softmax(-1)
    logp = logs[torch.arange(len(answer)), torch.tensor(answer)]
    entropy = -(logs.exp() * logs).sum(-1)
    return float(logp.sum()), len(answer), float((-logp - entropy).mean()), out.hidden_states[-1][0, at].double()


def test_readings_are_those_of_plain_forward_passes(policy_folder: str) -> None:
    data = pairs()
    found = readings(Case(data, policy=policy_folder))
    assert isinstance(found, Readings) and len(found) == 12 and found.left_out == 0
    for at, group in enumerate(data):
        win = 0 if group.judgements[0].value == 1 else 1
        a, b = (plain(policy_folder, str(group.prompt), group.responses[k].content) for k in (win, 1 - win))
        assert [found.win[at], found.lose[at]] == pytest.approx([a[0], b[0]], abs=1e-4)  # float32
        assert [found.tokens_win[at], found.tokens_lose[at]] == [a[1], b[1]]
        assert [found.excess_win[at], found.excess_lose[at]] == pytest.approx([a[2], b[2]], abs=1e-4)
        s, r = a[3].mean(0), b[3].mean(0)
        assert found.ln_ches[at] == pytest.approx(float(s @ r - s @ s), rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("audit", NEED_A_POLICY, ids=lambda audit: audit.id)
def test_without_a_policy_it_says_so(audit: Ches) -> None:
    (result,) = audit.run(Case(pairs()))
    assert isinstance(result, Skipped) and "--policy" in result.why


def test_the_policy_ranks_as_often_as_counted_by_hand(policy_folder: str) -> None:
    case = Case(pairs(), policy=policy_folder)
    found = readings(case)
    assert isinstance(found, Readings)
    (result,) = Difficulty().run(case)
    assert isinstance(result, Finding | Passed)
    assert result.details["ranking accuracy"] == pytest.approx(float((found.win >= found.lose).mean()))
    c = found.lose - found.win
    hopeless = [math.log1p(math.exp(-0.1 * x)) < 0.2 for x in c]
    assert result.figure is not None and result.figure.value == pytest.approx(sum(hopeless) / len(c))
    if isinstance(result, Finding):
        assert sorted(result.rows.tolist()) == np.flatnonzero(hopeless).tolist()


def test_a_text_of_the_policy_is_nearer_to_it_than_noise(policy_folder: str) -> None:
    from zermelo.policies.load import load

    policy = load(policy_folder)
    torch.manual_seed(0)
    groups = []
    for number in range(10):
        start = torch.tensor([policy.tokenizer(f"q{number}", add_special_tokens=False).input_ids])
        made = policy.model.generate(start, do_sample=True, max_new_tokens=30, min_new_tokens=30, top_k=0)
        own = policy.tokenizer.decode(made[0, start.shape[1] :], skip_special_tokens=True)
        noise = "qxzj" * 8
        said = Judgement("comparison", (0, 1), value=1.0)
        groups.append(Group(f"g{number}", f"q{number}", (Response(own), Response(noise)), (said,)))
    found = readings(Case(Feedback.of(groups), policy=policy_folder))
    assert isinstance(found, Readings)
    assert abs(float(np.mean(found.excess_win))) < 0.5 < float(np.mean(found.excess_lose))


def test_only_weak_preferences_are_named() -> None:
    sizes = [5.0, 4.0, 3.0, 0.1, 0.2]
    groups = [
        Group(
            f"g{i}",
            "p",
            (Response("a"), Response("b")),
            (Judgement("comparison", (0, 1), value=1.0, strength=size),),
        )
        for i, size in enumerate(sizes)
    ]
    (result,) = Margins().run(Case(Feedback.of(groups)))
    assert isinstance(result, Finding) and result.severity == "medium"
    assert result.rows.tolist() == [3, 4]
    assert result.figure is not None and result.figure.value == pytest.approx(0.4)


def test_bare_winners_have_no_margins_and_equal_ones_no_spread() -> None:
    (bare,) = Margins().run(Case(pairs()))
    assert isinstance(bare, Skipped)
    said = Judgement("comparison", (0, 1), value=1.0, strength=2.0)
    groups = [Group(f"g{i}", "p", (Response("a"), Response("b")), (said,)) for i in range(4)]
    (equal,) = Margins().run(Case(Feedback.of(groups)))
    assert isinstance(equal, Passed) and "alike" in equal.title


def test_overlap_ranks_replies_to_the_point() -> None:
    (result,) = Curriculum().run(Case(Feedback.of(replies(300, seed=4))))
    assert isinstance(result, Finding) and result.severity == "info"
    assert result.figure is not None and result.figure.low > 0.8


def test_one_crowded_subject_is_seen_and_many_are_well() -> None:
    crowd = [
        Group(f"g{i}", f"translate the word number {i} of {'dogs' if i % 2 else 'cats'} into french please")
        for i in range(120)
    ]
    found = Coverage(k=3).run(Case(Feedback.of([*crowd, *replies(30, seed=1)])))[0]
    spread = Coverage().run(Case(Feedback.of(replies(200, seed=1))))[0]
    assert isinstance(found, Finding) and isinstance(spread, Finding) and spread.severity == "info"
    assert found.figure is not None and spread.figure is not None and found.figure.value > spread.figure.value
    assert sum(found.table["prompts"]) == found.details["different prompts"]  # type: ignore[arg-type]
    assert "</svg>" in found.plots[0]().body


def test_prompts_that_lie_on_a_line_have_a_map_too() -> None:
    rows = [Group(f"g{i}", "?" * (i + 1), (Response("a"), Response("b"))) for i in range(60)]
    (found,) = Coverage(k=3).run(Case(Feedback.of(rows)))
    assert isinstance(found, Finding) and "</svg>" in found.plots[0]().body


def rated(n: int = 24) -> Feedback:
    """Three rated answers each; the second is the best."""
    said = tuple(Judgement("rating", (k,), value=value, low=1, high=5) for k, value in enumerate((2.0, 5.0, 1.0)))
    answers = ("yes it is", "no, not at all", "yes it is")
    return Feedback.of([Group(f"g{i}", f"q{i}?", tuple(Response(text) for text in answers), said) for i in range(n)])


def test_sets_of_rated_answers_are_measured(policy_folder: str) -> None:
    (plain_result,) = CalibrationSet().run(Case(rated()))
    assert isinstance(plain_result, Passed)
    assert plain_result.details["mean margin"] == pytest.approx(2.0)
    assert "mean surprise" not in plain_result.details
    (result,) = CalibrationSet().run(Case(rated(), policy=policy_folder))
    means = [
        (lambda found: found[0] / found[1])(plain(policy_folder, "q0?", text))
        for text in ("yes it is", "no, not at all")
    ]
    better = 1.0 if means[1] > means[0] else -1.0
    assert isinstance(result, Passed | Finding)
    assert float(result.details["mean surprise"]) * better < 0
    (few,) = CalibrationSet().run(Case(pairs()))
    assert isinstance(few, Skipped)


def test_few_prompts_make_no_map() -> None:
    (result,) = Coverage().run(Case(pairs()))
    assert isinstance(result, Skipped)


def test_wrong_settings_are_refused() -> None:
    for make in (lambda: Coverage(k=1), lambda: Difficulty(beta=0.0), lambda: OnPolicy(far=-1.0), lambda: Margins(2.0)):
        with pytest.raises(SettingError):
            make()
