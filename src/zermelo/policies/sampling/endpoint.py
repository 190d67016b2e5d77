"""`EndpointSampler`: responses from any OpenAI-compatible endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zermelo.errors import SettingError, warn
from zermelo.feedback.journal import Journal
from zermelo.feedback.records import Group, Prompt, Response
from zermelo.policies.sampling.client import Endpoint, Reply
from zermelo.policies.sampling.protocol import Sampling, as_groups
from zermelo.policies.sampling.streams import stream_seeds
from zermelo.progress import Bar, silent

__all__ = ["EndpointSampler"]

FINISH = {"stop": "stopped", "length": "cut", "refusal": "stopped"}


@dataclass(frozen=True)
class EndpointSampler:
    """Sample from a model behind an OpenAI-compatible endpoint, one request per response.

    Each request carries a seed derived from the run's seed, the group's id and the sample's number; whether the server
    heeds it is the server's business. Servers return text: ids are made from it when it is trained on.

    Args:
        model: The model's name there.
        endpoint: Where, and how patiently (`Endpoint`).
        sampling: Settings; `top_k` and `min_p` are sent only where set, because OpenAI's own endpoint refuses them.
        chat: `/chat/completions` with messages, or `/completions` with the prompt's text (base models).
        logprobs: Ask for log-probabilities of the sampled tokens; kept in `Response.logprobs` where given.
        extra: Further fields of the request body.
    """

    model: str
    endpoint: Endpoint = field(default_factory=Endpoint)
    sampling: Sampling = field(default_factory=Sampling)
    chat: bool = True
    logprobs: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model

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
        """`n` responses to each prompt. See `Sampler`; errors are those of `Endpoint.ask`."""
        sampling = self.sampling if sampling is None else sampling
        groups = as_groups(prompts, n)
        rows = [(group, k) for group in groups for k in range(n)]
        seeds = stream_seeds(seed, [group.id for group, _ in rows], [k for _, k in rows])
        bodies = [
            self._body(group, sampling, int(own) & 0x7FFFFFFF) for (group, _), own in zip(rows, seeds, strict=True)
        ]
        replies = self.endpoint.ask(
            "chat/completions" if self.chat else "completions",
            bodies,
            salts=[f"{group.id}/{k}" for group, k in rows],
            journal=journal,
            bar=bar,
        )
        failed = [reply.error for reply in replies if reply.error is not None]
        if failed:
            warn("failed-requests", f"{len(failed):,} of {len(replies):,} requests failed; the first: {failed[0]}")
        made = [self._response(reply, sampling) for reply in replies]
        return [group.with_responses(made[at * n : (at + 1) * n]) for at, group in enumerate(groups)]

    def _body(self, group: Group, sampling: Sampling, seed: int) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
            "seed": seed,
        }
        if self.chat:
            turns = [turn.as_dict() for turn in group.prompt] if isinstance(group.prompt, tuple) else None
            body["messages"] = [{"role": "user", "content": group.prompt}] if turns is None else turns
            if group.meta.get("tools"):
                body["tools"] = group.meta["tools"]
        elif isinstance(group.prompt, str):
            body["prompt"] = group.prompt
        else:
            raise SettingError(
                "bad-setting", f"group {group.id}: chat=False takes text prompts; this is a conversation"
            )
        optional = {"top_k": sampling.top_k, "min_p": sampling.min_p or None, "stop": list(sampling.stop) or None}
        body |= {name: value for name, value in optional.items() if value is not None}
        if self.logprobs:
            body["logprobs"] = True if self.chat else 1
        return {**body, **self.extra}

    def _response(self, reply: Reply, sampling: Sampling) -> Response:
        if reply.error is not None:
            return Response(text="", source=self.model, finish="error", meta={"error": reply.error})
        logprobs = None
        if reply.logprobs is not None and all(isinstance(item.get("logprob"), int | float) for item in reply.logprobs):
            logprobs = tuple(float(item["logprob"]) for item in reply.logprobs)
        finish = FINISH.get(reply.finish, "error")
        return Response(
            text=reply.text,
            source=self.model,
            meta={} if finish != "error" else {"error": f"finish_reason {reply.finish}"},
            logprobs=logprobs,
            finish=finish,  # type: ignore[arg-type]
            sampling=sampling.as_dict(),
        )
