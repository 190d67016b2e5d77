"""`TransformersSampler`: a policy in this process, decoded in fixed, seeded chunks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from zermelo.errors import positive, warn
from zermelo.feedback.journal import Journal
from zermelo.feedback.records import Group, Prompt, Response
from zermelo.policies.policy import Policy
from zermelo.policies.sampling.decode import Decoded, Decoder, decoder_for
from zermelo.policies.sampling.protocol import Sampling, as_groups
from zermelo.policies.sampling.streams import stream_seeds
from zermelo.progress import Bar, silent

__all__ = ["TransformersSampler"]


@dataclass(frozen=True)
class TransformersSampler:
    """Sample from a Transformers policy in this process.

    Each prompt is computed once and then expanded to its samples; prompts of similar length share a chunk; finished
    rows are taken out. `Response.logprobs` are the policy's own, log π(y_t | x, y_<t), whatever the settings; where
    these change the distribution (temperature, top_p, top_k, min_p), `meta["sampling_logprobs"]` has those
    under the distribution that was drawn from.

    Which chunk a prompt is in depends on all prompts, `n` and `batch`, never on what is finished: a run that goes on
    from its journal ends with the same responses and log-probabilities to the last digit. Another `batch` gives the
    same streams, but sums in another order, so a last digit, and with it rarely a token, may differ.

    Args:
        policy: The policy; it is put into evaluation mode while it samples.
        sampling: Settings; `sample(sampling=…)` overrides them.
        batch: Rows decoded at once (prompts × samples).
        version: Stands as `policy_version` on the responses (such as the optimiser step).
    """

    policy: Policy
    sampling: Sampling = field(default_factory=Sampling)
    batch: int = 256
    version: str | None = None
    _decoders: dict[str, Decoder] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        positive(self, "batch")

    @property
    def name(self) -> str:
        """The policy's name."""
        return self.policy.name

    def sample(
        self,
        prompts: Sequence[Group | Prompt],
        *,
        n: int = 1,
        seed: int = 0,
        sampling: Sampling | None = None,
        journal: Journal | None = None,
        bar: Bar = silent,
    ) -> list[Group]:
        """`n` responses to each prompt. See `Sampler`.

        Args:
            prompts: Groups, texts or messages.
            n: Responses to each.
            seed: Everything random derives from it and from the groups' ids.
            sampling: Overrides the sampler's own settings.
            journal: Finished chunks; a run with the same prompts, settings and weights goes on from them.
            bar: Progress.
        """
        sampling = self.sampling if sampling is None else sampling
        groups = as_groups(prompts, n)
        ids = self.policy.template.prompts([_prompt(g) for g in groups], [g.meta for g in groups])
        context = self.policy.max_length
        fits = [at for at, own in enumerate(ids) if context is None or len(own) < context]
        if len(fits) < len(ids):
            lost = len(ids) - len(fits)
            warn("overlong-prompt", f"{lost:,} of {len(ids):,} prompts fill the context of {context} tokens: no answer")
        found: list[list[Response]] = [[_too_long(len(own), context)] * n for own in ids]
        for at in fits:
            found[at] = []
        with _evaluating(self.policy.model):
            for chunk, decoded in self._chunks(groups, ids, fits, n, seed, sampling, journal, bar):
                for (at, _), one in zip(chunk, decoded, strict=True):
                    found[at].append(self._response(one, ids[at], sampling))
        return [group.with_responses(own) for group, own in zip(groups, found, strict=True)]

    def _chunks(
        self,
        groups: Sequence[Group],
        ids: Sequence[tuple[int, ...]],
        fits: Sequence[int],
        n: int,
        seed: int,
        sampling: Sampling,
        journal: Journal | None,
        bar: Bar,
    ) -> Iterator[tuple[list[tuple[int, int]], list[Decoded]]]:
        """(prompt, sample) of each row and what was decoded, chunk by chunk; samples of a prompt in order."""
        if not fits:
            return
        order = sorted(fits, key=lambda at: (len(ids[at]), at))
        decoder = self._decoder([ids[order[0]], ids[order[-1]]])
        done = {} if journal is None else journal.done()
        run = "" if journal is None else self._run(groups, ids, n, seed, sampling)
        advance = bar("sample", total=len(fits) * n)
        for number, (places, numbers) in enumerate(
            cut(order, [len(own) for own in ids], n, self.batch, decoder.padding)
        ):
            rows = [(at, k) for at in places for k in numbers]
            unit = f"{run}:{number}"
            if unit in done:
                decoded = [Decoded(tuple(i), tuple(p), tuple(d), finish) for i, p, d, finish in done[unit]]
            else:
                with torch.no_grad():
                    decoded = decoder.decode(
                        [ids[at] for at in places],
                        len(numbers),
                        stream_seeds(seed, [groups[at].id for at, _ in rows], [k for _, k in rows]),
                        sampling,
                        end_ids=self.policy.end_ids,
                        context=self.policy.max_length,
                        text_of=self.policy.template.decode,
                    )
                if journal is not None:
                    journal.append(unit, [[one.ids, one.logps, one.drawn, one.finish] for one in decoded])
            advance(len(rows))
            yield rows, decoded

    def _decoder(self, prompts: Sequence[tuple[int, ...]]) -> Decoder:
        if "found" not in self._decoders:
            decoder = decoder_for(self.policy.model, prompts)
            if not decoder.cached:
                warn("no-cache", f"{self.name}: its cache does not give the plain forward's numbers; decoding is slow")
            self._decoders["found"] = decoder
        return self._decoders["found"]

    def _run(
        self, groups: Sequence[Group], ids: Sequence[tuple[int, ...]], n: int, seed: int, sampling: Sampling
    ) -> str:
        """A name for this very run: a journal of other prompts, settings or weights is not taken for its own."""
        key = [[g.id for g in groups], ids, n, seed, sampling.as_dict(), self.batch, weights_hash(self.policy.model)]
        return hashlib.blake2b(json.dumps(key).encode(), digest_size=12).hexdigest()

    def _response(self, one: Decoded, prompt_ids: tuple[int, ...], sampling: Sampling) -> Response:
        return Response(
            text=self.policy.template.decode(one.ids),
            source=self.name,
            meta={} if sampling.plain else {"sampling_logprobs": list(one.drawn)},
            token_ids=one.ids,
            logprobs=one.logps,
            prompt_ids=prompt_ids,
            finish="stopped" if one.finish == "stopped" else "cut",
            sampling=sampling.as_dict(),
            policy_version=self.version,
        )


def cut(
    order: Sequence[int], lengths: Sequence[int], n: int, batch: int, padding: bool
) -> Iterator[tuple[list[int], range]]:
    """Chunks of at most `batch` rows: (prompts, sample numbers); prompts of one length unless `padding`."""
    per = max(1, batch // n)
    parts = [range(start, min(start + batch, n)) for start in range(0, n, batch)]
    chunk: list[int] = []
    for at in order:
        if chunk and (len(chunk) == per or (not padding and lengths[at] != lengths[chunk[0]])):
            yield from ((chunk, part) for part in parts)
            chunk = []
        chunk.append(at)
    if chunk:
        yield from ((chunk, part) for part in parts)


def weights_hash(model: Any) -> str:
    """A hash of the weights: of every tensor its shape, its sum and a thousand of its numbers."""
    state = hashlib.blake2b(digest_size=12)
    for name, value in model.state_dict().items():
        flat = value.detach().reshape(-1)
        some = flat[:: max(1, flat.numel() // 1000)].double().cpu().numpy()
        state.update(f"{name}{tuple(value.shape)}{float(flat.double().sum())!r}".encode() + some.tobytes())
    return state.hexdigest()


def _prompt(group: Group) -> Prompt:
    assert group.prompt is not None  # as_groups has checked
    return group.prompt


def _too_long(length: int, context: int | None) -> Response:
    return Response(text="", finish="error", meta={"error": f"prompt of {length} tokens; the context is {context}"})


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """Dropout off, and each module's mode put back afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
