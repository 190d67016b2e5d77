"""Statistics on arrays: NumPy, SciPy where needed and only then; no torch, no I/O, no global randomness.

estimate.py        Estimate: a number with its interval
intervals.py       Wilson, Clopper–Pearson, normal, t, Newcombe for differences
bootstrap.py       percentile and BCa, clustered, paired, vectorised
crossed.py         means over seeds × items, Holm's correction
paired.py          paired bootstrap, sign test, McNemar, sign-flip permutation, equivalence, effect size
calibration.py     expected calibration error, Brier and its parts, reliability curve
proper_scores.py   log-loss, Brier, spherical, ranked probability score, CRPS
agreement.py       percent, Cohen, Fleiss, Krippendorff
correlation.py     Pearson, Spearman, Kendall τ-b with bootstrap intervals
subsets.py         exact expectations over subsets of n of N samples: best-of-n, pass@k
diversity.py       distinct-n, self-BLEU, Jaccard
roc.py             the area under the ROC curve
laplace_logistic.py   sparse Bayesian logistic regression
causal_order.py    a causal graph among attributes, by topological swaps
confident_learning.py  label errors from out-of-sample class probabilities
lapse.py           a rate of wrong labels that a weak classifier does not raise
crowd.py           reliability of annotators by EM, with a prior for every item
preference_strength.py  an ensemble's margins: wrong, ambiguous, correct
destabilisation.py  what wrong labels could do to a ranking
taste_mixture.py   groups of annotators: a mixture of Bradley–Terry models
protocols.py       ratings against choices
min_norm.py        the shortest vector in the hull of several gradients
pair_calibration.py  calibration of a reward model on pairs
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zermelo.lazy import attach

if TYPE_CHECKING:
    from zermelo.stats.agreement import cohen_kappa, fleiss_kappa, krippendorff_alpha, percent_agreement
    from zermelo.stats.bootstrap import Bootstrap, bootstrap_counts, bootstrap_mean, bootstrap_of
    from zermelo.stats.calibration import (
        Reliability,
        brier_decomposition,
        calibration_error,
        reliability_curve,
    )
    from zermelo.stats.causal_order import CausalGraph, Topo, acyclicity, graph_errors
    from zermelo.stats.confident_learning import ConfidentLearning, LabelIssues
    from zermelo.stats.correlation import kendall_tau, pearson, spearman
    from zermelo.stats.crossed import CrossedMean, crossed_mean, holm
    from zermelo.stats.crowd import AnnotatorReliability, OneCoin
    from zermelo.stats.destabilisation import Destabilisation, human_check, turning_share
    from zermelo.stats.diversity import distinct_n, jaccard_diversity, self_bleu, unique_share
    from zermelo.stats.estimate import Estimate
    from zermelo.stats.intervals import (
        clopper_pearson,
        mean_interval,
        newcombe_difference,
        newcombe_paired,
        normal_interval,
        wilson,
    )
    from zermelo.stats.laplace_logistic import LaplaceLogistic, LogisticPosterior
    from zermelo.stats.lapse import LapseRate, lapse_rate
    from zermelo.stats.min_norm import min_norm_weights
    from zermelo.stats.pair_calibration import PairCalibration, pair_calibration
    from zermelo.stats.paired import (
        PairedTest,
        cohen_d,
        equivalence_test,
        mcnemar,
        paired_bootstrap,
        permutation_test,
        sign_test,
    )
    from zermelo.stats.preference_strength import PreferenceStrength, Treatment, preference_strength
    from zermelo.stats.proper_scores import brier_score, crps, log_loss, ranked_probability_score, spherical_score
    from zermelo.stats.protocols import ProtocolTable, protocol_win_rate, rating_ranking_table
    from zermelo.stats.roc import auroc
    from zermelo.stats.subsets import best_of_n_curve, order_weights, pass_at_k
    from zermelo.stats.taste_mixture import TasteGroups, TasteMixture

_WHERE = {
    "roc": ["auroc"],
    "causal_order": ["CausalGraph", "Topo", "acyclicity", "graph_errors"],
    "laplace_logistic": ["LaplaceLogistic", "LogisticPosterior"],
    "agreement": ["cohen_kappa", "fleiss_kappa", "krippendorff_alpha", "percent_agreement"],
    "bootstrap": ["Bootstrap", "bootstrap_counts", "bootstrap_mean", "bootstrap_of"],
    "calibration": ["Reliability", "brier_decomposition", "calibration_error", "reliability_curve"],
    "correlation": ["kendall_tau", "pearson", "spearman"],
    "crossed": ["CrossedMean", "crossed_mean", "holm"],
    "diversity": ["distinct_n", "jaccard_diversity", "self_bleu", "unique_share"],
    "estimate": ["Estimate"],
    "intervals": [
        "clopper_pearson",
        "mean_interval",
        "newcombe_difference",
        "newcombe_paired",
        "normal_interval",
        "wilson",
    ],
    "paired": [
        "PairedTest",
        "cohen_d",
        "equivalence_test",
        "mcnemar",
        "paired_bootstrap",
        "permutation_test",
        "sign_test",
    ],
    "proper_scores": ["brier_score", "crps", "log_loss", "ranked_probability_score", "spherical_score"],
    "confident_learning": ["ConfidentLearning", "LabelIssues"],
    "lapse": ["LapseRate", "lapse_rate"],
    "crowd": ["AnnotatorReliability", "OneCoin"],
    "preference_strength": ["PreferenceStrength", "Treatment", "preference_strength"],
    "destabilisation": ["Destabilisation", "human_check", "turning_share"],
    "taste_mixture": ["TasteGroups", "TasteMixture"],
    "protocols": ["ProtocolTable", "protocol_win_rate", "rating_ranking_table"],
    "min_norm": ["min_norm_weights"],
    "pair_calibration": ["PairCalibration", "pair_calibration"],
    "subsets": ["best_of_n_curve", "order_weights", "pass_at_k"],
}

__all__ = [
    "AnnotatorReliability",
    "Bootstrap",
    "CausalGraph",
    "ConfidentLearning",
    "CrossedMean",
    "Destabilisation",
    "Estimate",
    "LabelIssues",
    "LaplaceLogistic",
    "LapseRate",
    "LogisticPosterior",
    "OneCoin",
    "PairCalibration",
    "PairedTest",
    "PreferenceStrength",
    "ProtocolTable",
    "Reliability",
    "TasteGroups",
    "TasteMixture",
    "Topo",
    "Treatment",
    "acyclicity",
    "auroc",
    "best_of_n_curve",
    "bootstrap_counts",
    "bootstrap_mean",
    "bootstrap_of",
    "brier_decomposition",
    "brier_score",
    "calibration_error",
    "clopper_pearson",
    "cohen_d",
    "cohen_kappa",
    "crossed_mean",
    "crps",
    "distinct_n",
    "equivalence_test",
    "fleiss_kappa",
    "graph_errors",
    "holm",
    "human_check",
    "jaccard_diversity",
    "kendall_tau",
    "krippendorff_alpha",
    "lapse_rate",
    "log_loss",
    "mcnemar",
    "mean_interval",
    "min_norm_weights",
    "newcombe_difference",
    "newcombe_paired",
    "normal_interval",
    "order_weights",
    "pair_calibration",
    "paired_bootstrap",
    "pass_at_k",
    "pearson",
    "percent_agreement",
    "permutation_test",
    "preference_strength",
    "protocol_win_rate",
    "ranked_probability_score",
    "rating_ranking_table",
    "reliability_curve",
    "self_bleu",
    "sign_test",
    "spearman",
    "spherical_score",
    "turning_share",
    "unique_share",
    "wilson",
]

__getattr__, __dir__ = attach(__name__, {name: module for module, names in _WHERE.items() for name in names})
