"""Which audits there are: id → where it lives. They run in this order; listing imports none."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from zermelo.doctor.protocol import Audit
from zermelo.errors import SettingError, nearest

__all__ = ["AUDITS", "audits", "load_audit"]

AUDITS: dict[str, str] = {
    "structure.empty": "doctor.structure.empty:Empty",
    "structure.identical": "doctor.structure.identical:Identical",
    "structure.duplicate": "doctor.structure.duplicate:Duplicate",
    "structure.near_duplicate": "doctor.structure.near_duplicate:NearDuplicate",
    "structure.prompts": "doctor.structure.prompts:Prompts",
    "structure.differing_prompts": "doctor.structure.roles:DifferingPrompts",
    "structure.truncated": "doctor.structure.truncated:Truncated",
    "structure.template": "doctor.structure.damage:Template",
    "structure.bos": "doctor.structure.ends:Bos",
    "structure.eos": "doctor.structure.ends:Eos",
    "structure.roles": "doctor.structure.roles:Roles",
    "structure.encoding": "doctor.structure.damage:Encoding",
    "structure.languages": "doctor.structure.languages:Languages",
    "structure.refusals": "doctor.structure.content:Refusals",
    "structure.identity": "doctor.structure.content:Identity",
    "structure.boilerplate": "doctor.structure.boilerplate:Boilerplate",
    "structure.personal": "doctor.structure.content:Personal",
    "structure.imbalance": "doctor.geometry.imbalance:Imbalance",
    "structure.outliers": "doctor.geometry.outliers:Outliers",
    "structure.order": "doctor.geometry.order:Order",
    "shortcut.length": "doctor.shortcut.length:Length",
    "shortcut.position": "doctor.shortcut.position:Position",
    "shortcut.format": "doctor.shortcut.surface:Format",
    "shortcut.style": "doctor.shortcut.surface:Style",
    "shortcut.source": "doctor.shortcut.sources:Source",
    "shortcut.ngram": "doctor.shortcut.wording:Ngram",
    "shortcut.prompt_free": "doctor.shortcut.wording:PromptFree",
    "shortcut.separability": "doctor.shortcut.separability:Separability",
    "shortcut.constant": "doctor.shortcut.sources:Constant",
    "noise.groups": "doctor.geometry.groups:Groups",
    "noise.labels": "doctor.noise.labels:Labels",
    "noise.strength": "doctor.noise.strength:Strength",
    "noise.annotators": "doctor.noise.annotators:AnnotatorNoise",
    "noise.destabilisation": "doctor.noise.destabilisation:DestabilisationAudit",
    "disagreement.spam": "doctor.disagreement.spam:Spam",
    "disagreement.agreement": "doctor.disagreement.agreement:Agreement",
    "disagreement.cycles": "doctor.disagreement.cycles:Cycles",
    "disagreement.drift": "doctor.disagreement.drift:Drift",
    "disagreement.tribes": "doctor.disagreement.tribes:Tribes",
    "disagreement.position": "doctor.disagreement.position:Position",
    "disagreement.ties": "doctor.disagreement.position:Ties",
    "disagreement.ratings_rankings": "doctor.disagreement.ratings_rankings:RatingsRankings",
    "disagreement.diversified": "doctor.disagreement.diversified:Diversified",
    "rewarded.attributes": "doctor.rewarded.attributes:Attributes",
    "rewarded.annotators": "doctor.rewarded.annotators:Annotators",
    "rewarded.graph": "doctor.rewarded.graph:AttributeGraph",
    "trainability.margins": "doctor.trainability.margins:Margins",
    "trainability.coverage": "doctor.trainability.coverage:Coverage",
    "trainability.calibration_set": "doctor.trainability.calibration_set:CalibrationSet",
    "trainability.curriculum": "doctor.trainability.curriculum:Curriculum",
    "trainability.ches": "doctor.trainability.ches:Ches",
    "trainability.difficulty": "doctor.trainability.difficulty:Difficulty",
    "trainability.on_policy": "doctor.trainability.on_policy:OnPolicy",
    "contamination.overlap": "doctor.contamination.overlap:Overlap",
    "contamination.splits": "doctor.contamination.splits:Splits",
    "contamination.slot_guessing": "doctor.contamination.model_knows:SlotGuessing",
}


def load_audit(name: str) -> Audit:
    """The audit of that id, with its default settings; `package.module:Class` names one of your own.

    Raises:
        SettingError: no such module, or nothing of that name in it.
    """
    module, _, attribute = AUDITS.get(name, name).partition(":")
    if name in AUDITS:
        module = f"zermelo.{module}"
    try:
        found: type[Audit] = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        if name in AUDITS:  # ours, or an extra that is not there: not the user's spelling
            raise
        raise SettingError(
            "unknown-audit", f"{name}: {error}", hint="an audit of yours is package.module:Class"
        ) from None
    return found()


def audits(only: Sequence[str] = ()) -> list[str]:
    """Ids of the audits to run, in order.

    Args:
        only: Ids, families, or import paths of your own (`package.module:Class`); empty for all.
    Raises:
        SettingError: no audit and no family has that name.
    """
    families = {name.partition(".")[0] for name in AUDITS}
    for name in only:
        if name not in AUDITS and name not in families and ":" not in name:
            guess = nearest(name, [*AUDITS, *sorted(families)])
            hint = f"did you mean {guess!r}?" if guess else "`zermelo doctor audits` lists them"
            raise SettingError("unknown-audit", f"there is no audit {name!r}", hint=hint)
    named = [name for name in AUDITS if not only or name in only or name.partition(".")[0] in only]
    return [*named, *(name for name in only if ":" in name)]
