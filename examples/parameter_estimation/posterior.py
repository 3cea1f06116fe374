"""What the LFP leaves open: the posterior of the parameters, by neural posterior estimation.

Five density estimators of `sbi` are conditioned on three numbers, the estimates that kernel ridge
regression makes from the spectra: the posterior mean is the summary that loses least (Fearnhead
and Prangle 2012, J R Stat Soc B 74: 419-474), and a thousand runs do not teach 150 others. For runs
that the regression was trained with, estimates are those of regressions that did not see them. The
mean of several estimators is less sure of itself than one (Hermans et al. 2022, Trans Mach Learn
Res).
"""

from dataclasses import dataclass

import numpy as np
import torch
from sbi.inference import NPE, EnsemblePosterior
from sbi.utils import BoxUniform

LEVELS = (0.5, 0.8, 0.95)
MEMBERS = 5


@dataclass(frozen=True)
class Posteriors:
    """Samples of the posterior of each test run, and how the truth lies among them."""

    samples: np.ndarray  # (runs, samples, parameters), scaled to 0 ... 1
    ranks: np.ndarray  # (runs, parameters): part of the samples below the truth
    levels: np.ndarray  # (runs,): part of the samples with a density above the truth's


def posteriors(
    summaries: np.ndarray,
    targets: np.ndarray,
    tested: np.ndarray,
    true: np.ndarray,
    *,
    samples: int = 1000,
    seed: int = 1,
) -> Posteriors:
    """Learn the posterior from summaries of runs, and draw from it for those that are tested."""
    torch.manual_seed(seed)
    prior = BoxUniform(torch.zeros(targets.shape[1]), torch.ones(targets.shape[1]))
    members = []
    for _ in range(MEMBERS):
        inference = NPE(prior, density_estimator="maf", show_progress_bars=False)
        inference.append_simulations(_tensor(targets), _tensor(summaries))
        inference.train(show_train_summary=False)
        members.append(inference.build_posterior())
    posterior = EnsemblePosterior(members)
    drawn, ranks, levels = [], [], []
    for summary, truth in zip(_tensor(tested), _tensor(true), strict=True):
        found = posterior.sample((samples,), x=summary, show_progress_bars=False)
        density = posterior.log_prob(found, x=summary)
        here = posterior.log_prob(truth[None], x=summary)
        drawn.append(found.numpy())
        ranks.append((found < truth).float().mean(dim=0).numpy())
        levels.append(float((density > here).float().mean()))
    return Posteriors(np.array(drawn), np.array(ranks), np.array(levels))


def coverage(found: Posteriors) -> dict[str, dict[str, dict[str, float | bool]]]:
    """How often intervals of a level hold the truth, and whether chance explains the difference.

    For each parameter the central interval, and for all together the region of highest density
    (Hermans et al. 2022, Trans Mach Learn Res). `low` and `high` are where 95 of 100 test sets as
    large would be if the posterior were right.
    """
    from scipy.stats import binom

    from data import PARAMETERS

    n = len(found.levels)
    inside = {
        **{name: np.abs(found.ranks[:, k] - 0.5) * 2 for k, name in enumerate(PARAMETERS)},
        "together": found.levels,
    }
    return {
        name: {
            f"{level:g}": {
                "found": float(np.mean(part <= level)),
                "low": float(binom.ppf(0.025, n, level) / n),
                "high": float(binom.ppf(0.975, n, level) / n),
                "within": bool(
                    binom.ppf(0.025, n, level)
                    <= np.sum(part <= level)
                    <= binom.ppf(0.975, n, level)
                ),
            }
            for level in LEVELS
        }
        for name, part in inside.items()
    }


def _tensor(values: np.ndarray) -> torch.Tensor:
    return torch.as_tensor(np.asarray(values, dtype=np.float32))
