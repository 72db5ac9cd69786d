"""Train five autoencoders on handwritten digits; scg chooses the estimator by the latent variables.

Run it with ``python examples/variational_autoencoders.py [epochs]``. The table that it prints names
the estimator chosen for each model.
"""

import sys

import scg
from scg.data import load_digits
from scg.models import bernoulli_vae, categorical_vae, fdarn, gaussian_vae, mixture


def main(epochs=20):
    digits = load_digits(binary=True)
    means = digits.train.mean(axis=0)
    models = {
        "normal, 8": gaussian_vae(means),
        "Bernoulli, 32": bernoulli_vae(means, layers=(64,)),
        "Bernoulli, fDARN": fdarn(means),
        "categorical, 10 × 5": categorical_vae(means, layers=(64,)),
        "mixture, 10": mixture(means),
    }
    print(f"{'latents':<20} {'estimator':<24} {'ELBO':>7} {'bound, 100 samples':>19}")
    for name, g in models.items():
        step = scg.compile(g)
        run = scg.fit(
            step,
            data={"x": digits.train},
            seed=0,
            batch_size=50,
            epochs=epochs,
            optimizer=scg.optim.Adam(5e-3),
        )
        found = scg.evaluate(g, run.params, {"x": digits.test}, samples=100, seed=1)
        (estimator,) = step.plan.estimators.values()
        print(f"{name:<20} {estimator!r:<24} {found.elbo:7.2f} {found.bound:19.2f}")


if __name__ == "__main__":
    main(*(int(epochs) for epochs in sys.argv[1:2]))
