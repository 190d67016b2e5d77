"""The group engine equals one plain forward per sequence: values and the gradient of every parameter."""

from __future__ import annotations

import contextlib
import copy
import logging
from dataclasses import replace

import pytest
import torch
import zoo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from zermelo.errors import SettingError
from zermelo.policies.backends import examine, unable
from zermelo.policies.engine import Want, group_logprobs
from zermelo.policies.groups import TokenGroup, TokenGroups, TokenResponse

torch.set_num_threads(1)

# rounding only: float64 with everything in float64, float32 over two layers
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5}


def outputs(
    model: nn.Module, groups: TokenGroups, *, heads: dict[str, nn.Module] | None = None, **kwargs: object
) -> dict[str, Tensor]:
    """Every result, and the gradients of a fixed random sum of them."""
    modules = [model, *(heads or {}).values()]
    for module in modules:
        module.zero_grad(set_to_none=True)
    got = group_logprobs(model, groups, heads=heads, **kwargs)  # type: ignore[arg-type]
    named = {
        **{name: getattr(got, name) for name in ("logps", "entropy", "hidden", "pooled", "prompt_logps")},
        **{f"kl {name}": value for name, value in got.kl.items()},
        **{f"head {name}": value for name, value in got.heads.items()},
    }
    values = {name: value for name, value in named.items() if value is not None}
    loss = 0.0
    for seed, value in enumerate(values.values()):
        weight = torch.randn(value.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        loss = loss + (value * weight.to(value.dtype)).sum()
    loss.backward()  # type: ignore[attr-defined]
    grads = {
        f"∂ {name}": parameter.grad.clone()
        for module in modules
        for name, parameter in module.named_parameters()
        if parameter.grad is not None
    }
    return {**{name: value.detach() for name, value in values.items()}, **grads}


def check(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float) -> None:
    assert found.keys() == expected.keys()
    worst = max(expected, key=lambda name: zoo.apart(found[name], expected[name]))
    assert zoo.apart(found[worst], expected[worst]) <= tolerance, worst


@pytest.mark.parametrize("name", zoo.BRANCHING)
class TestEveryArchitectureThatBranches:
    def test_equals_the_plain_forward_in_float64_on_every_backend(self, name: str) -> None:
        with zoo.wide():
            model = zoo.build(name, torch.float64)
            expected = outputs(model, zoo.SAMPLE, backend="plain")
            for backend in ("dense", "split", "sequences"):
                check(outputs(model, zoo.SAMPLE, backend=backend), expected, TOLERANCE[torch.float64])

    def test_equals_the_plain_forward_in_float32(self, name: str) -> None:
        model = zoo.build(name, torch.float32)
        expected = outputs(model, zoo.SAMPLE, backend="plain")
        for backend in ("auto", "split"):
            check(outputs(model, zoo.SAMPLE, backend=backend), expected, TOLERANCE[torch.float32])

    def test_is_served_by_a_branching_backend(self, name: str) -> None:
        model = zoo.build(name, torch.float32)
        assert examine(model).trees == ""
        assert group_logprobs(model, zoo.SAMPLE, grad=False).backend in ("dense", "split")


@pytest.mark.parametrize("name", zoo.ALONE)
class TestEveryArchitectureThatCannotBranch:
    def test_equals_the_plain_forward_one_sequence_at_a_time(self, name: str) -> None:
        for dtype, context in ((torch.float64, zoo.wide()), (torch.float32, contextlib.nullcontext())):
            with context:
                model = zoo.build(name, dtype)
                found = outputs(model, zoo.SAMPLE)
                check(found, outputs(model, zoo.SAMPLE, backend="plain"), TOLERANCE[dtype])

    def test_says_why_and_refuses_a_branching_backend(self, name: str, caplog: pytest.LogCaptureFixture) -> None:
        model = zoo.build(name, torch.float32)
        with caplog.at_level(logging.INFO, logger="zermelo.policies.engine"):
            for _ in range(2):
                assert group_logprobs(model, zoo.SAMPLE, grad=False).backend == "sequences"
        assert len(caplog.records) == 1 and "recurrent" in caplog.text
        with pytest.raises(SettingError, match="recurrent"):
            group_logprobs(model, zoo.SAMPLE, backend="split")


EVERYTHING = Want(
    entropy=True,
    kl={"ref": "reverse", "base": "forward"},
    hidden=True,
    pooled="mean",
    heads=("value",),
    prompt=True,
)


@pytest.mark.parametrize("name", ["llama", "gemma2", "gpt2"])
@pytest.mark.parametrize("backend", ["dense", "split", "sequences"])
def test_everything_one_can_want_equals_the_plain_forward(name: str, backend: str) -> None:
    with zoo.wide():
        model, other = zoo.build(name), zoo.build(name, seed=1)
        head = nn.Linear(32, 1)
        given = {"want": EVERYTHING, "others": {"ref": other, "base": other}, "heads": {"value": head}}
        expected = outputs(model, zoo.SAMPLE, backend="plain", **given)
        check(outputs(model, zoo.SAMPLE, backend=backend, rows=40, **given), expected, 1e-10)
        last = {**given, "want": replace(EVERYTHING, pooled="last")}
        check(
            outputs(model, zoo.SAMPLE, backend=backend, **last),
            outputs(model, zoo.SAMPLE, backend="plain", **last),
            1e-10,
        )


def test_flex_attention_equals_the_plain_forward_without_gradients() -> None:
    for name in ("llama", "mistral-window", "gemma2"):
        with zoo.wide():
            model = zoo.build(name)
            expected = group_logprobs(model, zoo.SAMPLE, backend="plain", grad=False).logps
            found = group_logprobs(model, zoo.SAMPLE, backend="flex", grad=False).logps
        assert expected is not None and found is not None and zoo.apart(found, expected) <= 1e-10
    with pytest.raises(SettingError, match="no backward"):
        group_logprobs(zoo.build("llama", torch.float32), zoo.SAMPLE, backend="flex")


def test_the_lower_right_calls_equal_the_merged_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    from zermelo.policies import attention, branching

    with zoo.wide():
        model = zoo.build("llama")
        expected = outputs(model, zoo.SAMPLE, backend="split")
        monkeypatch.setattr(attention, "branched", branching.lower_right)
        check(outputs(model, zoo.SAMPLE, backend="split"), expected, 1e-10)


def by_group(flat: Tensor, groups: TokenGroups) -> dict[str, Tensor]:
    """The tokens of each group."""
    sizes = [sum(len(response.ids) for response in group.responses) for group in groups.groups]
    return dict(zip([group.id for group in groups.groups], flat.split(sizes), strict=True))


trees = st.lists(
    st.tuples(st.integers(1, 20), st.lists(st.integers(1, 20), min_size=1, max_size=5)), min_size=1, max_size=4
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    trees=trees,
    backend=st.sampled_from(["dense", "split", "sequences"]),
    rows=st.sampled_from([None, 1, 25, 60]),
    data=st.data(),
)
def test_any_tree_any_budget_and_any_order_give_the_same_numbers(
    trees: list[tuple[int, list[int]]], backend: str, rows: int | None, data: st.DataObject
) -> None:
    groups = TokenGroups(tuple(zoo.group(str(i), p, *rs, seed=i) for i, (p, rs) in enumerate(trees)))
    order = data.draw(st.permutations(range(len(groups))))
    with zoo.wide():
        model = _tiny()
        want = Want(entropy=True, pooled="last")
        expected = group_logprobs(model, groups, want=want, backend="plain", grad=False)
        shuffled = group_logprobs(model, groups.subset(order), want=want, backend=backend, rows=rows, grad=False)
    for name in ("logps", "entropy"):
        a = by_group(getattr(expected, name), groups)
        b = by_group(getattr(shuffled, name), groups.subset(order))
        for key in a:
            assert zoo.apart(b[key], a[key]) <= 1e-10


_kept: list[nn.Module] = []


def _tiny() -> nn.Module:
    if not _kept:
        _kept.append(zoo.build("qwen3"))
    return _kept[0]


def test_gradients_do_not_depend_on_rows_or_on_how_the_step_is_cut() -> None:
    with zoo.wide():
        model = zoo.build("llama-tied")
        weights = torch.randn(zoo.SAMPLE.n_response_tokens, generator=torch.Generator().manual_seed(0))

        def grads(cut: list[list[int]], rows: int | None) -> dict[str, Tensor]:
            model.zero_grad(set_to_none=True)
            at = 0
            for part in cut:
                groups = zoo.SAMPLE.subset(part)
                logps = group_logprobs(model, groups, rows=rows, backend="split").logps
                assert logps is not None
                (logps * weights[at : at + len(logps)]).sum().backward()
                at += len(logps)
            return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

        expected = grads([[0, 1, 2, 3]], None)
        for cut, rows in (([[0], [1], [2], [3]], None), ([[0, 1], [2, 3]], 30), ([[0, 1, 2, 3]], 1)):
            check(grads(cut, rows), expected, 1e-10)


def test_responses_do_not_see_each_other() -> None:
    model = zoo.build("llama", torch.float32)
    one = zoo.group("a", 6, 9, 9)
    changed = TokenGroup("a", one.prompt, (TokenResponse(tuple(reversed(one.responses[0].ids))), one.responses[1]))
    for backend in ("dense", "split"):
        a = group_logprobs(model, TokenGroups((one,)), backend=backend, grad=False).logps
        b = group_logprobs(model, TokenGroups((changed,)), backend=backend, grad=False).logps
        assert a is not None and b is not None
        assert torch.equal(a[9:], b[9:])
        assert not torch.allclose(a[:9], b[:9])


def test_identical_responses_get_identical_numbers() -> None:
    model = zoo.build("llama", torch.float32)
    response = zoo.group("a", 4, 8).responses[0]
    group = TokenGroup("a", (5, 6, 7), (response,) * 3)
    logps = group_logprobs(model, TokenGroups((group,)), backend="split", grad=False).logps
    assert logps is not None
    parts = logps.view(3, -1)
    assert zoo.apart(parts[1], parts[0]) < 1e-6 and torch.equal(parts[1], parts[2])


def test_nothing_about_the_model_is_changed() -> None:
    model = zoo.build("gemma3", torch.float32).train()
    model.model.layers[0].eval()
    before = {
        "config": copy.deepcopy(model.config.to_dict()),
        "implementation": model.config._attn_implementation,
        "modes": [module.training for module in model.modules()],
        "attributes": [sorted(module.__dict__) for module in model.modules()],
    }
    group_logprobs(model, zoo.SAMPLE, checkpointing=True).logps.sum().backward()  # type: ignore[union-attr]
    assert before == {
        "config": model.config.to_dict(),
        "implementation": model.config._attn_implementation,
        "modes": [module.training for module in model.modules()],
        "attributes": [sorted(module.__dict__) for module in model.modules()],
    }


def test_nothing_is_changed_when_the_model_fails() -> None:
    model = zoo.build("llama", torch.float32)
    group_logprobs(model, zoo.SAMPLE, grad=False)
    bad = TokenGroups((TokenGroup("a", (5, 6), (TokenResponse((10**6, 1)),)),))
    before = model.config._attn_implementation
    with pytest.raises(IndexError):
        group_logprobs(model, bad)
    assert model.config._attn_implementation == before and "forward" not in model.lm_head.__dict__


def test_no_graph_is_kept_without_grad() -> None:
    model = zoo.build("llama", torch.float32)
    got = group_logprobs(model, zoo.SAMPLE, grad=False)
    assert got.logps is not None and not got.logps.requires_grad and got.logps.dtype == torch.float32


def test_a_body_without_an_output_layer_gives_features() -> None:
    model = zoo.build("llama")
    body, want = model.model, Want(logps=False, pooled="last")
    with zoo.wide():
        expected = outputs(model, zoo.SAMPLE, want=want, backend="plain")
        check(
            outputs(body, zoo.SAMPLE, want=want, backend="split"),
            {k.replace("model.", ""): v for k, v in expected.items()},
            1e-10,
        )
    with pytest.raises(SettingError, match="no output layer"):
        group_logprobs(body, zoo.SAMPLE)


@pytest.mark.parametrize(
    ("kwargs", "says"),
    [
        ({"want": Want(heads=("value",))}, "'value'"),
        ({"want": Want(kl={"ref": "reverse"})}, "'ref'"),
        ({"groups": TokenGroups(())}, "no groups"),
        ({"groups": TokenGroups((TokenGroup("x7", (), (TokenResponse((1,)),)),))}, "x7"),
        ({"groups": TokenGroups((TokenGroup("x7", (1,), (TokenResponse(()),)),))}, "x7"),
        ({"rows": 0}, "at least 1"),
    ],
)
def test_bad_input_is_named(kwargs: dict[str, object], says: str) -> None:
    model = zoo.build("llama", torch.float32)
    with pytest.raises(SettingError, match=says):
        group_logprobs(model, **{"groups": zoo.SAMPLE, **kwargs})  # type: ignore[arg-type]


def test_positions_that_depend_on_the_length_are_recognised() -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    rope = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
    size = {**zoo.SIZE, "max_position_embeddings": 16}
    model = LlamaForCausalLM(LlamaConfig(**size, rope_parameters=rope)).eval()
    facts = examine(model)
    assert unable(facts, 16) == "" and "16" in unable(facts, 17)
    found = group_logprobs(model, zoo.SAMPLE, grad=False)
    expected = group_logprobs(model, zoo.SAMPLE, backend="plain", grad=False)
    assert found.backend == "sequences"
    assert found.logps is not None and expected.logps is not None and zoo.apart(found.logps, expected.logps) < 1e-6


def test_an_architecture_that_mixes_tokens_in_its_own_way_is_caught_by_the_probe() -> None:
    model = zoo.build("llama", torch.float32)
    original = model.model.layers[0].mlp.forward

    def mixing(x: Tensor) -> Tensor:
        return original(x + x.roll(1, 1))

    model.model.layers[0].mlp.forward = mixing
    assert "does not branch exactly" in examine(model).trees
