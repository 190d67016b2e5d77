"""The fused output layer against log_softmax of the whole matrix, in float64, with finite differences besides."""

from __future__ import annotations

import pytest
import torch
import zoo
from torch import Tensor, nn

from zermelo.policies import head_tiles
from zermelo.policies.head import Other, Post, Terms, terms_of, tiled, untiled

torch.set_num_threads(1)
T, D, V = 13, 6, 29


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several tiles both ways, none of them even."""
    monkeypatch.setitem(head_tiles.TILE, "cpu", (5, 8))


def tensors(seed: int, *, rank: int = 0, bias: bool = True) -> tuple[Terms, list[Tensor]]:
    g = torch.Generator().manual_seed(seed)

    def leaf(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=g, dtype=torch.float64).requires_grad_()

    hidden, weight = [leaf(T, D)], [leaf(V, D)]
    if rank:
        hidden.append(leaf(T, rank))
        weight.append(leaf(V, rank))
    b = leaf(V) if bias else None
    return Terms(tuple(hidden), tuple(weight), b), [*hidden, *weight, *([b] if b is not None else [])]


def whole(terms: Terms, post: Post) -> Tensor:
    z = sum(h @ w.t() for h, w in zip(terms.hidden, terms.weight, strict=True))
    return post(z if terms.bias is None else z + terms.bias).log_softmax(-1)


TARGET = torch.randint(0, V, (T,), generator=torch.Generator().manual_seed(9))


@pytest.mark.parametrize("post", [Post(), Post(scale=0.3), Post(cap=2.0), Post(scale=1.7, cap=1.5)], ids=repr)
@pytest.mark.parametrize("rank", [0, 3])
@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_values_and_all_gradients_equal_log_softmax_of_the_whole_matrix(post: Post, rank: int, direction: str) -> None:
    terms, leaves = tensors(0, rank=rank)
    other, _ = tensors(1, bias=False)
    other_post = Post(cap=3.0)
    scores = tiled(terms, TARGET, post, entropy=True, others={"ref": Other(other, other_post, direction)})
    p, q = whole(terms, post), whole(other, other_post).detach()
    kl = (p.exp() * (p - q) if direction == "reverse" else q.exp() * (q - p)).sum(-1)
    expected = [p.gather(1, TARGET[:, None])[:, 0], -(p.exp() * p).sum(-1), kl]
    found = [scores.logps, scores.entropy, scores.kl["ref"]]
    weights = [torch.randn(T, generator=torch.Generator().manual_seed(i), dtype=torch.float64) for i in range(3)]
    for chosen in ([0], [1], [2], [0, 1, 2]):
        a = torch.autograd.grad(sum((found[i] * weights[i]).sum() for i in chosen), leaves, retain_graph=True)
        b = torch.autograd.grad(sum((expected[i] * weights[i]).sum() for i in chosen), leaves, retain_graph=True)
        assert all(zoo.apart(x, y) < 1e-12 for x, y in zip(a, b, strict=True)), chosen
    assert all(zoo.apart(x, y) < 1e-12 for x, y in zip(found, expected, strict=True))


def test_gradients_equal_finite_differences() -> None:
    _, leaves = tensors(2, rank=2)
    other, _ = tensors(3)

    def run(*leaves: Tensor) -> tuple[Tensor, ...]:
        h1, h2, w1, w2, b = leaves
        others = {"r": Other(other, Post(), "reverse"), "f": Other(other, Post(), "forward")}
        scores = tiled(Terms((h1, h2), (w1, w2), b), TARGET, Post(0.7, 2.0), entropy=True, others=others)
        assert scores.entropy is not None
        return scores.logps, scores.entropy, *scores.kl.values()

    assert torch.autograd.gradcheck(run, leaves, fast_mode=True)


def test_large_logits_neither_overflow_nor_lose_the_target() -> None:
    hidden = torch.full((2, 1), 1e4, requires_grad=True)
    weight = torch.linspace(-1, 1, V)[:, None].requires_grad_()
    scores = tiled(Terms((hidden,), (weight,), None), torch.tensor([V - 1, 0]), Post(), entropy=True, others={})
    assert scores.logps.tolist() == [0.0, -20000.0]
    scores.logps.sum().backward()
    assert hidden.grad is not None and weight.grad is not None
    assert torch.isfinite(hidden.grad).all() and torch.isfinite(weight.grad).all()


def test_only_what_is_asked_gets_a_gradient() -> None:
    terms, _ = tensors(4)
    frozen = Terms(terms.hidden, (terms.weight[0].detach(),), None)
    (grad,) = torch.autograd.grad(tiled(frozen, TARGET, Post(), entropy=False, others={}).logps.sum(), terms.hidden)
    expected = torch.autograd.grad(whole(frozen, Post()).gather(1, TARGET[:, None]).sum(), terms.hidden)[0]
    assert zoo.apart(grad, expected) < 1e-12


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_accumulates_in_float32(dtype: torch.dtype) -> None:
    terms, _ = tensors(5)
    half = Terms(
        tuple(x.detach().to(dtype).requires_grad_() for x in terms.hidden),
        tuple(x.detach().to(dtype).requires_grad_() for x in terms.weight),
        None,
    )
    exact = Terms(
        tuple(x.detach().double().requires_grad_() for x in half.hidden),
        tuple(x.detach().double().requires_grad_() for x in half.weight),
        None,
    )
    found = tiled(half, TARGET, Post(), entropy=False, others={}).logps
    assert found.dtype == torch.float32
    found.sum().backward()
    whole(exact, Post()).gather(1, TARGET[:, None]).sum().backward()
    for a, b in zip((*half.hidden, *half.weight), (*exact.hidden, *exact.weight), strict=True):
        assert a.grad is not None and b.grad is not None and zoo.apart(a.grad.double(), b.grad) < 0.02


def test_the_chunked_way_for_unknown_layers_agrees() -> None:
    terms, leaves = tensors(6)
    other, _ = tensors(7)
    q = whole(other, Post()).detach()

    def layer(h: Tensor) -> Tensor:
        return h @ terms.weight[0].t() + terms.bias

    a = tiled(terms, TARGET, Post(2.0, 3.0), entropy=True, others={"r": Other(other, Post(), "reverse")})
    b = untiled(
        layer,
        terms.hidden[0],
        TARGET,
        Post(2.0, 3.0),
        entropy=True,
        others={"r": lambda i, j: q[i:j]},
        directions={"r": "reverse"},
        chunk=4,
    )
    assert a.entropy is not None and b.entropy is not None
    for x, y in ((a.logps, b.logps), (a.entropy, b.entropy), (a.kl["r"], b.kl["r"])):
        assert zoo.apart(x, y) < 1e-12
        gx, gy = (torch.autograd.grad(z.sum(), leaves, retain_graph=True) for z in (x, y))
        assert all(zoo.apart(i, j) < 1e-12 for i, j in zip(gx, gy, strict=True))


def test_a_layer_of_another_kind_is_not_taken_apart() -> None:
    class Scaled(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * super().forward(x)

    assert terms_of(Scaled(4, 5), torch.zeros(1, 4)) is None
    assert terms_of(nn.Linear(4, 5), torch.zeros(1, 4)) is not None


def test_no_tensor_of_tokens_times_vocabulary_is_ever_made() -> None:
    sizes: list[int] = []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            out = func(*args, **(kwargs or {}))
            sizes.extend(x.numel() for x in torch.utils._pytree.tree_leaves(out) if isinstance(x, Tensor))
            return out

    terms, _ = tensors(8)
    with Watch():
        scores = tiled(terms, TARGET, Post(), entropy=True, others={})
        scores.logps.sum().backward()
    assert max(sizes) < T * V
