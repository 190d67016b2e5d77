"""Train a reward model: a language model with a scalar head, read at the end token of a finished response.

The same loop as for policies; only the supplier differs. What is written loads in Transformers as a sequence
classifier with one label, and here as `zermelo.scorers.LMReward`.
"""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from zermelo.errors import SettingError
from zermelo.feedback.records import Group
from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.config import from_config
from zermelo.objectives.protocol import Needs
from zermelo.objectives.reward import BradleyTerryReward
from zermelo.policies.engine import group_logprobs
from zermelo.policies.fingerprint import fingerprint
from zermelo.policies.load import LoRA, load
from zermelo.policies.policy import Policy
from zermelo.policies.want import Backend, Want
from zermelo.progress import Bar, silent
from zermelo.scorers.card import CARD, SCHEMA
from zermelo.training.artifacts import is_adapter
from zermelo.training.callbacks import Callback
from zermelo.training.examples import Example, make_examples
from zermelo.training.execute import Job, execute
from zermelo.training.folder import RunFolder
from zermelo.training.offline import split
from zermelo.training.plan import MicroBatch
from zermelo.training.result import TrainResult
from zermelo.training.settings import OfflineSettings
from zermelo.training.supply import data_batch, ids_of
from zermelo.training.totals import Sums
from zermelo.training.trainee import Trainee, accelerator_for
from zermelo.training.useful import useful

__all__ = ["RewardResult", "RewardSupplier", "train_reward"]

RewardResult: TypeAlias = TrainResult[Policy]
log = logging.getLogger("zermelo.training")


def train_reward(
    policy: Policy | str | os.PathLike[str],
    groups: Iterable[Group],
    objective: Any = BradleyTerryReward(),
    *,
    settings: OfflineSettings = OfflineSettings(lr=1e-5),
    out: str | os.PathLike[str] | None = None,
    validation: Iterable[Group] | None = None,
    lora: LoRA | None = None,
    callbacks: Sequence[Callback] = (),
    trackers: Sequence[str] = (),
    push_to_hub: str | None = None,
    fresh: bool = False,
    bar: Bar = silent,
    say: Callable[[str], None] = log.info,
) -> RewardResult:
    """Train a scalar reward r(x, y) on preferences: P(y ≻ y') = σ(r(x, y) − r(x, y')).

    The head is linear, without bias, on the last hidden state of the response's last token.

    Args:
        policy: The language model to start from: a folder, a hub name, or a `Policy` (which is copied).
        groups: Comparisons (or scores, as the objective needs); suspicious groups are left out and counted.
        objective: `BradleyTerryReward` (margins, centring, soft labels), `RewardRegression`, or one's own that reads
            `extra["reward"]`.
        settings: How to train.
        out: Folder of the run; `model/` holds the reward model and its card.
        validation: Held-out groups; or `settings.validation_share` of the groups.
        lora: Train a new adapter and the head; the adapter is merged when the run ends.
        callbacks: Look on, see `Callback`.
        trackers: Accelerate's trackers.
        push_to_hub: Name of a hub repository.
        fresh: Start over in a folder that another run was made in.
        bar: Shows progress.
        say: Told the self-checks and the alarms.
    Returns:
        `policy` holds the sequence classifier with its tokenizer and template; `LMReward(result.policy)` scores.
    Raises:
        DataError: nothing to train on.
        SettingError: a setting is wrong; the model has no sequence classifier; the objective reads no reward.
        MissingError: no such model; the extra `train` is not installed.
    """
    objective = objective if hasattr(objective, "needs") else from_config(objective)
    if "reward" not in objective.needs.extra or objective.needs.policies:
        raise SettingError(
            "not-supplied",
            "the objective reads no reward, or another policy",
            hint="bradley_terry_reward or reward_regression",
        )
    folder = None if out is None else RunFolder(out)
    accelerator = accelerator_for(settings, trackers, None if folder is None else folder.path)
    start = policy if isinstance(policy, Policy) else load(policy, device=accelerator.device)
    dtype, weights = start.dtype, fingerprint(start)
    module = reward_module(start, lora, settings.seed, copied=isinstance(policy, Policy))
    kept, held = split(groups, validation, settings)
    trainee = Trainee(module, settings, accelerator)
    if trainee.sharded:
        raise SettingError("not-supplied", "reward models are not trained with sharded weights; use LoRA or DDP")
    supplier = RewardSupplier(trainee.module, module, objective.needs, trainee.device, settings.checkpointing)
    examples = useful(make_examples(kept, start, objective.needs, settings), objective, supplier)
    aside = useful(make_examples(held, start, objective.needs, settings), objective, supplier).items if held else ()

    def card(final: Mapping[str, float]) -> Mapping[str, Any]:
        return {
            "schema": SCHEMA,
            "kind": "lm",
            "base": start.name,
            "chat": start.template.chat,
            "pairs": examples.counts["pairs"],
            "groups": examples.counts["groups"],
            "validation_groups": len(aside),
            "final": dict(final),
        }

    job = Job(
        kind="reward",
        name=start.name,
        objective=objective,
        examples=examples,
        validation=aside,
        supplier=supplier,
        trainee=trainee,
        settings=settings,
        tokenizer=start.tokenizer,
        result=replace(start, model=module.classifier, name=f"{start.name}-reward"),
        end_ids=start.end_ids,
        dtype=dtype,
        weights=weights,
        finish=module.merge,
        card=card,
        card_name=CARD,
        callbacks=callbacks,
        trackers=trackers,
        push_to_hub=push_to_hub,
        more={"lora": None if lora is None else asdict(lora)},
    )
    result = execute(job, folder, fresh=fresh, bar=bar, say=say)
    return replace(result, policy=replace(result.policy, model=module.classifier))


class RewardModule(nn.Module):
    """The body of a sequence classifier as the engine calls it, and its head.

    Args:
        classifier: A Transformers sequence classifier with one label.
        adapted: The same, wrapped by PEFT; None = trained as a whole.
    """

    def __init__(self, classifier: Any, adapted: Any = None) -> None:
        super().__init__()
        self.model = getattr(classifier, classifier.base_model_prefix)
        self.score = classifier.score
        # not children: their parameters are those of `model` and `score`
        self.__dict__["classifier"] = classifier
        self.__dict__["owner"] = classifier if adapted is None else adapted

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The body's output."""
        return self.model(*args, **kwargs)

    def merge(self) -> None:
        """Merge the adapter, where there is one; the module is a plain classifier then."""
        owner: Any = self.__dict__["owner"]
        if not is_adapter(owner):
            return
        classifier = owner.merge_and_unload()
        self.__dict__["classifier"] = self.__dict__["owner"] = classifier
        self.model = getattr(classifier, classifier.base_model_prefix)
        self.score = classifier.score

    @property
    def classifier(self) -> Any:
        """The sequence classifier."""
        return self.__dict__["classifier"]


def reward_module(start: Policy, lora: LoRA | None, seed: int, *, copied: bool) -> RewardModule:
    """A sequence classifier on the policy's body, with a head of small random weights.

    Raises:
        SettingError: Transformers knows no sequence classifier for this architecture, or the policy has an adapter.
    """
    from transformers import AutoModelForSequenceClassification

    model: Any = start.model
    if is_adapter(model):
        raise SettingError("no-classifier", f"{start.name}: has an adapter", hint="merge it first: `zermelo merge`")
    config = copy.deepcopy(model.config)
    config.num_labels = 1
    if config.pad_token_id is None:  # Transformers finds the last token of a padded row by it
        config.pad_token_id = start.tokenizer.pad_token_id or start.end_ids[0]
    try:
        with torch.device("meta"):
            classifier = AutoModelForSequenceClassification.from_config(config)
    except ValueError as error:
        raise SettingError(
            "no-classifier", f"{start.name}: Transformers has no sequence classifier for {type(model).__name__}"
        ) from error
    if not isinstance(getattr(classifier, "score", None), nn.Linear):
        raise SettingError("no-classifier", f"{start.name}: its sequence classifier has no linear head named score")
    body = getattr(model, model.base_model_prefix)
    setattr(classifier, classifier.base_model_prefix, copy.deepcopy(body) if copied else body)
    width = classifier.score.in_features
    draws = torch.Generator().manual_seed(seed)
    head = nn.Linear(width, 1, bias=False)
    with torch.no_grad():
        head.weight.copy_(torch.randn(1, width, generator=draws) / (width + 1) ** 0.5)
    classifier.score = head.to(device=start.device, dtype=torch.float64 if start.dtype == torch.float64 else None)
    if lora is None:
        return RewardModule(classifier)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return RewardModule(classifier, adapted(classifier, lora))


def adapted(classifier: Any, lora: LoRA) -> Any:
    """The classifier with a new adapter in its body; the head is trained as a whole."""
    from peft import LoraConfig, get_peft_model

    targets = lora.targets if isinstance(lora.targets, str) else list(lora.targets)
    alpha = 2 * lora.rank if lora.alpha is None else lora.alpha
    config = LoraConfig(
        r=lora.rank, lora_alpha=alpha, lora_dropout=lora.dropout, target_modules=targets, task_type="SEQ_CLS"
    )
    return get_peft_model(classifier, config)


@dataclass
class RewardSupplier:
    """Batches with `extra["reward"]`: the head's output at the last token of each response. No log-probabilities.

    Args:
        module: The module as it is called (wrapped or not).
        bare: The bare module, for its head.
        needs: What the objective reads.
        device: Where batches live.
        checkpointing: Recompute activations.
    """

    module: nn.Module
    bare: RewardModule
    needs: Needs
    device: torch.device
    checkpointing: bool = False

    def data(self, micro: MicroBatch, *, blank: bool = False) -> RaggedBatch:
        """The data, and zeros in place of rewards."""
        batch = data_batch(micro.examples, self.needs, self.device)
        zeros = torch.zeros(batch.n_responses, device=self.device)
        return batch.with_(extra={**batch.extra, "reward": ("responses", zeros)})

    def computed(
        self, micro: MicroBatch, batch: RaggedBatch, partners: Mapping[str, Example], *, grad: bool
    ) -> RaggedBatch:
        """The batch with its rewards."""
        reward = self._rewards(micro.examples, "auto", grad=grad)
        return batch.with_(extra={**batch.extra, "reward": ("responses", reward)})

    def figures(self, batch: RaggedBatch, sums: Sums, *, counts: bool) -> None:
        """`reward/mean`: where the level of the rewards is; only differences are learnt."""
        sums.add("reward/mean", batch.extra_of("reward"), batch.response_weight * counts)

    def outputs(self, examples: Sequence[Example], backend: Backend) -> Tensor:
        """Rewards; `plain` is one ordinary forward per sequence. [N]"""
        return self._rewards(examples, "sequences" if backend == "plain" else backend, grad=False)

    def _rewards(self, examples: Sequence[Example], backend: Backend, *, grad: bool) -> Tensor:
        out = group_logprobs(
            self.module,
            ids_of(examples),
            want=Want(logps=False, pooled="last"),
            grad=grad,
            backend=backend,
            checkpointing=self.checkpointing and grad,
        )
        assert out.pooled is not None
        with torch.set_grad_enabled(grad and torch.is_grad_enabled()):
            reward: Tensor = self.bare.score(out.pooled.to(self.bare.score.weight.dtype)).reshape(-1)
        return reward if reward.dtype == torch.float64 else reward.float()
