"""Alarms, metrics and estimates: numbers in, words out."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from zermelo.errors import MissingError, SettingError
from zermelo.objectives import DPO, SFT
from zermelo.training import METRICS, OfflineSettings, Samples, alarms_of, align, estimate
from zermelo.training.metrics import markdown, row_of
from zermelo.training.optimiser import learning_rates

DOCS = Path(__file__).parents[2] / "docs" / "training.md"


def history(**ends: tuple[float, float]) -> list[dict[str, float]]:
    """Thirty rows in which each figure goes evenly from one value to another."""
    return [
        {"step": i + 1, **{name.replace("__", "/"): a + (b - a) * i / 29 for name, (a, b) in ends.items()}}
        for i in range(30)
    ]


def names(rows, **counts: int) -> list[str]:
    return [alarm.name for alarm in alarms_of(rows, {name.replace("__", "/"): n for name, n in counts.items()})]


def test_displacement_is_chosen_falling_while_the_loss_falls() -> None:
    assert names(history(logps__chosen=(-80, -95), logps__rejected=(-70, -99), loss=(0.69, 0.4))) == [
        "likelihood-displacement"
    ]
    assert names(history(logps__chosen=(-80, -70), loss=(0.69, 0.4))) == []
    assert names(history(logps__chosen=(-80, -95), loss=(0.69, 0.9))) == []
    assert names(history(logps__chosen=(-80, -80.9), loss=(0.69, 0.4))) == []  # less than a nat


def test_memorised_is_accuracy_that_does_not_carry_over() -> None:
    figures = {"rewards__accuracies": (0.5, 1.0), "eval__rewards__accuracies": (0.5, 0.6)}
    assert names(history(**figures)) == ["memorised"]


def test_length_truncation_and_lack_of_signal_are_counted() -> None:
    assert names([], pairs=10, length__chosen=1300, length__rejected=1000) == ["length"]
    assert names([], pairs=10, length__chosen=1100, length__rejected=1000) == []
    assert names([], responses=100, unfinished=5) == ["truncated"]
    assert names([], groups_read=100, no_pairs=6, no_signal=4) == ["no-signal"]
    assert names([{"samples/length": 10.0}, {"samples/length": 13.0}]) == ["growing-samples"]


def test_every_alarm_says_figure_meaning_source_and_remedy() -> None:
    for alarm in alarms_of(history(logps__chosen=(-80, -95), loss=(0.69, 0.4)), {"groups_read": 10, "no_pairs": 10}):
        assert all(alarm.to_json()[part] for part in ("figure", "meaning", "source", "remedy"))
        assert alarm.line().startswith(alarm.name)


def test_the_loss_is_the_sum_of_scaled_terms_and_shared_names_have_one_owner() -> None:
    means = {"a/loss": 0.5, "#0": 0.5, "b/loss": 2.0, "#1": 0.2, "a/margins": 1.0, "b/margins": 3.0, "a/kl": 0.1}
    assert row_of(means) == {
        "loss": pytest.approx(0.7),
        "a/loss": 0.5,
        "b/loss": 2.0,
        "rewards/margins": 1.0,
        "b/margins": 3.0,
        "a/kl": 0.1,
    }


def test_every_figure_that_a_run_logs_is_explained(policy, pairs) -> None:
    settings = OfflineSettings(lr=1e-3, max_steps=1, groups_per_step=8, entropy=True, checks=False, save_every=None)
    samples = Samples([group.prompt for group in pairs[:2]])
    result = align(policy, pairs, DPO() + SFT(), settings=settings, callbacks=[samples])
    known = {metric.name for metric in METRICS}
    for row in result.history:
        for name in [*row, *(f"run.{key}" for key in row.get("run", ()))]:
            assert name in known | {"step", "run"} or re.fullmatch(r"(dpo|sft)/(loss|nll)", name), name


def test_the_docs_have_the_table_of_metrics() -> None:
    assert markdown() in DOCS.read_text(encoding="utf-8")


def test_every_metric_has_one_sentence() -> None:
    for metric in METRICS:
        assert metric.meaning.endswith(".") and metric.meaning.count(". ") == 0, metric.name


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "inverse_sqrt"])
def test_no_step_is_wasted_on_a_learning_rate_of_zero(schedule) -> None:
    rate = learning_rates(OfflineSettings(lr=2.0, warmup=0.2, schedule=schedule), 20)
    rates = [rate(step) for step in range(1, 21)]
    assert rates[0] == 0.5 and max(rates) == 2.0 and rates[3] == 2.0 and rates[-1] > 0
    if schedule == "cosine":
        assert rates[11] == pytest.approx(1 + math.cos(math.pi * 8 / 17))


def test_an_estimate_counts_parameters_and_steps(policy, pairs) -> None:
    found = estimate(policy, pairs, DPO(), settings=OfflineSettings(groups_per_step=10, epochs=2))
    n = sum(p.numel() for p in policy.model.parameters())
    assert (found.parameters, found.trainable, found.steps, found.groups) == (n, n, 14, 64)
    assert found.optimiser_gb == pytest.approx(8 * n / 1e9) and found.memory_gb > 16 * n / 1e9
    assert found.seconds > 0


def test_a_tracker_that_is_not_there_is_named(policy, pairs) -> None:
    with pytest.raises(MissingError, match="trackio-of-nowhere"):
        align(policy, pairs, SFT(), trackers=["trackio-of-nowhere"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"lr": 0},
        {"lr": float("nan")},
        {"epochs": -1},
        {"warmup": 2},
        {"schedule": "cosin"},
        {"seed": -1},
        {"save_total_limit": 0},
        {"weight_decay": -0.1},
        {"validation_share": 1.0},
    ],
    ids=str,
)
def test_wrong_settings_are_refused_when_they_are_made(wrong) -> None:
    with pytest.raises(SettingError, match=next(iter(wrong))):
        OfflineSettings(**wrong)


def test_over_optimisation_is_held_out_figures_that_turn_while_margins_grow() -> None:
    margins = {"rewards__margins": (0.0, 3.0)}
    turned = [0.60, 0.72, 0.70, 0.64]
    rows = history(**margins) + [{"step": 30, "eval/rewards/accuracies": value} for value in turned]
    assert names(rows) == ["over-optimisation"]
    steady = history(**margins) + [{"step": 30, "eval/rewards/accuracies": value} for value in (0.6, 0.70, 0.72, 0.70)]
    assert names(steady) == []
    losses = history(**margins) + [{"step": 30, "eval/loss": value} for value in (0.69, 0.5, 0.56)]
    assert names(losses) == ["over-optimisation"]
    shrinking = history(rewards__margins=(3.0, 1.0)) + [{"step": 30, "eval/loss": v} for v in (0.69, 0.5, 0.56)]
    assert names(shrinking) == []


def test_a_policy_that_left_its_reference_and_prompts_without_signal() -> None:
    assert names(history(kl=(0.0, 1.4))) == ["far-from-reference"]
    assert names(history(kl=(0.0, 0.3))) == []
    assert names(history(fresh__no_signal=(0.2, 0.8))) == ["groups-without-signal"]
    assert names(history(fresh__no_signal=(0.8, 0.2))) == []
    assert names(history(fresh__length=(20, 40))) == ["growing-samples"]


def test_entanglement_fires_on_pairs_that_are_nearly_alike_and_not_on_pairs_that_share_nothing(policy) -> None:
    from zermelo.feedback.records import Group, Judgement, Response
    from zermelo.training import Entangled

    def run(sides) -> list[str]:
        told = (Judgement("comparison", (0, 1), value=1.0),)
        groups = [Group(f"g{i}", f"{i}?", tuple(Response(text.format(i)) for text in sides), told) for i in range(16)]
        settings = OfflineSettings(lr=1e-4, groups_per_step=8, save_every=None, checks=False)
        result = align(policy, groups, DPO(), settings=settings, callbacks=[Entangled(pairs=6)])
        assert {"entanglement/cosine", "entanglement/both_down"} <= result.history[0].keys()
        return [alarm.name for alarm in result.alarms]

    # the rejected side is the chosen one and more: lowering it lowers what it begins with
    assert "entanglement" in run(("the answer is a {}", "the answer is a {} and so it is and so it is"))
    assert "entanglement" not in run(("abcde{}", "vwxyz"))


def test_products_of_the_output_layer_are_those_of_its_gradient(policy, pairs) -> None:
    import torch

    from zermelo.training import Entangled

    rows: list[dict[str, float]] = []
    settings = OfflineSettings(lr=1e-9, groups_per_step=1, max_steps=1, save_every=None, checks=False)
    result = align(policy, pairs[:1], DPO(), settings=settings, callbacks=[Entangled(pairs=1)])
    rows = [row for row in result.history if "entanglement/cosine" in row]
    policy.model.requires_grad_(True)
    head = policy.model.get_output_embeddings().weight
    gradients = []
    for response in pairs[0].responses:
        prompt = policy.template.prompts([pairs[0].prompt], [{}])[0]
        ids = [*policy.tokenizer(response.text, add_special_tokens=False).input_ids, policy.end_ids[0]]
        logits = policy.model(input_ids=torch.tensor([[*prompt, *ids]])).logits[0].log_softmax(-1)
        at = torch.arange(len(prompt), len(prompt) + len(ids))
        gradients.append(torch.autograd.grad(logits[at - 1, torch.tensor(ids)].sum(), head)[0].reshape(-1))
    cosine = torch.nn.functional.cosine_similarity(*gradients, dim=0).item()
    assert rows[0]["entanglement/cosine"] == pytest.approx(cosine, rel=1e-4)


def test_judged_samples_that_all_score_the_same_are_counted(policy, pairs) -> None:
    from zermelo.feedback.records import Judgement
    from zermelo.objectives import RWR
    from zermelo.training import Online

    class Same:
        name = "same"

        def score(self, groups):
            return [tuple(Judgement("rating", (i,), value=1.0) for i in range(len(g.responses))) for g in groups]

    settings = OfflineSettings(lr=1e-4, groups_per_step=8, max_steps=2, save_every=None, checks=False)
    result = align(policy, pairs, RWR(), settings=settings, online=Online(n=3, max_tokens=8, judge=Same()))
    assert "groups-without-signal" in [alarm.name for alarm in result.alarms]


def test_a_healthy_run_raises_none(policy, pairs) -> None:
    from zermelo.training import Entangled

    settings = OfflineSettings(lr=1e-3, groups_per_step=8, save_every=None, validation_share=0.2)
    even = [g for g in pairs if abs(len(g.responses[0].text) - len(g.responses[1].text)) < 9]
    result = align(policy, even, DPO() + 0.2 * SFT(), settings=settings, callbacks=[Entangled()])
    assert [alarm.name for alarm in result.alarms if alarm.name != "length"] == []
