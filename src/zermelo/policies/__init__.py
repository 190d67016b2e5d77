"""Language models: loading, templates, ids, packing, the group log-probability engine, sampling.

policy.py, load.py   Policy, load, LoRA: a model with its tokenizer, name and template
template.py          Template: prompts as ids, probed on load        tokens.py   tokenise: groups as ids
groups.py            TokenGroups                                     merge.py    an adapter into its base
control.py           add_controls: soft prompts as control tokens    merging.py  specialists into one
engine.py, want.py   group_logprobs, Want: the engine; head, layout, packing, attention, plain: its parts
reference.py         ReferenceCache: log-probs kept per token        fingerprint.py  of a policy
sampling/            samplers over Transformers and OpenAI-compatible endpoints
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zermelo.lazy import attach

if TYPE_CHECKING:
    from zermelo.policies.engine import GroupLogprobs, Want, group_logprobs
    from zermelo.policies.groups import TokenGroup, TokenGroups, TokenResponse
    from zermelo.policies.load import LoRA, load, load_tokenizer
    from zermelo.policies.packing import microbatches
    from zermelo.policies.policy import Policy
    from zermelo.policies.reference import ReferenceCache
    from zermelo.policies.template import Template, probe_template
    from zermelo.policies.tokens import Tokenised, tokenise

__all__ = [
    "GroupLogprobs",
    "LoRA",
    "Policy",
    "ReferenceCache",
    "Template",
    "TokenGroup",
    "TokenGroups",
    "TokenResponse",
    "Tokenised",
    "Want",
    "group_logprobs",
    "load",
    "load_tokenizer",
    "microbatches",
    "probe_template",
    "tokenise",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        **dict.fromkeys(["GroupLogprobs", "Want", "group_logprobs"], "engine"),
        **dict.fromkeys(["TokenGroup", "TokenGroups", "TokenResponse"], "groups"),
        **dict.fromkeys(["LoRA", "load", "load_tokenizer"], "load"),
        **dict.fromkeys(["Template", "probe_template"], "template"),
        **dict.fromkeys(["Tokenised", "tokenise"], "tokens"),
        "Policy": "policy",
        "ReferenceCache": "reference",
        "microbatches": "packing",
    },
)
