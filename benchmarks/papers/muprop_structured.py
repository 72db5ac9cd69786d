"""Gu et al. (2016), Table 2: the lower half of a digit from its upper half.

    SCG_MNIST=DIR python benchmarks/papers/muprop_structured.py --steps 15000
    python benchmarks/papers/results.py --runs paper-runs

The table compares estimators by the negative log-likelihood of test images, with 100 samples each.
"""

from functools import partial

from protocol import Task, main

import scg
from scg.estimators.baselines import MovingAverage, Network
from scg.models import structured

TASK = Task(
    name="muprop_structured",
    models={
        "392-200-200-392": partial(structured, hidden=(200, 200)),
        "392-200-200-200-392": partial(structured, hidden=(200, 200, 200)),
    },
    estimators={
        "LR-C": scg.ScoreFunction(MovingAverage()),
        "LR-C-VN-IDB": scg.ScoreFunction(
            Network((100,)), variance_normalization=True, allow_biased=True
        ),
        "MuProp-C": scg.MuProp(baseline=MovingAverage()),
        "MuProp-C-VN": scg.MuProp(
            baseline=MovingAverage(), variance_normalization=True, allow_biased=True
        ),
        "ST": scg.StraightThrough(allow_biased=True),
        "1/2": scg.DARN(allow_biased=True),
    },
    measured={
        "LR": scg.ScoreFunction(),
        "LR-C": scg.ScoreFunction(MovingAverage()),
        "LR-C-IDB": scg.ScoreFunction(Network((100,))),
        "MuProp": scg.MuProp(),
        "MuProp-C": scg.MuProp(baseline=MovingAverage()),
        "ST": scg.StraightThrough(allow_biased=True),
        "1/2": scg.DARN(allow_biased=True),
    },
    frozen="MuProp-C",
    test_samples=100,
    measure=lambda found: (found.nll, found.bound_stderr),
)

if __name__ == "__main__":
    main(TASK, __doc__)
