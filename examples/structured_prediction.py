"""Predict the lower half of a digit from its upper half, and compare the NLL of four estimators.

Run it with ``python examples/structured_prediction.py [epochs]``. This is a small version of the
task of Gu et al. (2016, sec. 8.1): 32-32-32-32 units, on 8×8 images.
"""

import sys

import scg
from scg.data import load_digits
from scg.models import structured

ESTIMATORS = {
    "score function, constant baseline": scg.ScoreFunction(baseline=scg.baselines.MovingAverage()),
    "MuProp, constant baseline": scg.MuProp(baseline=scg.baselines.MovingAverage()),
    "leave-one-out, 4 samples": scg.LeaveOneOut(samples=4),
    "straight-through (biased)": scg.StraightThrough(allow_biased=True),
}


def main(epochs=30):
    digits = load_digits(binary=True)
    g = structured(digits.train.mean(axis=0))
    print(f"{'estimator':<36} {'NLL, 100 samples':>17} {'gradient variance':>18}")
    for name, estimator in ESTIMATORS.items():
        variance = scg.train.GradientVariance({"x": digits.train[:50]}, every=epochs)
        run = scg.fit(
            scg.compile(g, estimator=estimator),
            data={"x": digits.train},
            seed=0,
            batch_size=50,
            epochs=epochs,
            optimizer=scg.optim.Adam(3e-3),
            callbacks=[variance],
        )
        found = scg.evaluate(g, run.params, {"x": digits.test}, samples=100, seed=1)
        print(f"{name:<36} {found.nll:17.2f} {run.history[-1]['gradient_variance']:18.2e}")


if __name__ == "__main__":
    main(*(int(epochs) for epochs in sys.argv[1:2]))
