"""Gu et al. (2016), Table 3: sigmoid belief networks of digits.

    SCG_MNIST=DIR python benchmarks/papers/sbn_generative.py --steps 15000
    python benchmarks/papers/results.py --runs paper-runs

The table compares estimators by the negative variational bound of test images.
"""

from functools import partial

from protocol import Task, main

import scg
from scg.estimators.baselines import MovingAverage, Network
from scg.models import sbn

TASK = Task(
    name="sbn_generative",
    models={
        "200-784": partial(sbn, hidden=(200,)),
        "200-200-784": partial(sbn, hidden=(200, 200)),
    },
    estimators={
        "LR-C": scg.ScoreFunction(MovingAverage()),
        "LR-C-VN-IDB": scg.ScoreFunction(
            Network((100,)), variance_normalization=True, allow_biased=True
        ),
        "MuProp-C": scg.MuProp(baseline=MovingAverage()),
        "MuProp-C-IDB": scg.MuProp(baseline=Network((100,))),
        "ST": scg.StraightThrough(allow_biased=True),
        "1/2": scg.DARN(allow_biased=True),
    },
    measured={
        "LR": scg.ScoreFunction(),
        "LR-C": scg.ScoreFunction(MovingAverage()),
        "LR-C-IDB": scg.ScoreFunction(Network((100,))),
        "MuProp": scg.MuProp(),
        "MuProp-C": scg.MuProp(baseline=MovingAverage()),
        "MuProp-C-IDB": scg.MuProp(baseline=Network((100,))),
        "ST": scg.StraightThrough(allow_biased=True),
        "1/2": scg.DARN(allow_biased=True),
    },
    frozen="MuProp-C",
    test_samples=20,
    measure=lambda found: (-found.elbo, found.elbo_stderr),
)

if __name__ == "__main__":
    main(TASK, __doc__)
