"""Samplers: prompts in, groups of sampled responses out, with ids and log-probabilities kept.

protocol.py    Sampling (settings), Sampler (the contract)
draw.py        one next token from logits and a uniform number;  streams.py  each sample's own stream
decode.py      batched decoding of one chunk: cache, compaction, stop rules
local.py       TransformersSampler: a policy in this process
endpoint.py    EndpointSampler: any OpenAI-compatible endpoint;  client.py  Endpoint: retries, pace, budget, journal
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zermelo.lazy import attach

if TYPE_CHECKING:
    from zermelo.policies.sampling.endpoint import EndpointSampler
    from zermelo.policies.sampling.local import TransformersSampler
    from zermelo.policies.sampling.protocol import Sampler, Sampling

__all__ = ["EndpointSampler", "Sampler", "Sampling", "TransformersSampler"]

__getattr__, __dir__ = attach(
    __name__,
    {
        "EndpointSampler": "endpoint",
        "Sampler": "protocol",
        "Sampling": "protocol",
        "TransformersSampler": "local",
    },
)
