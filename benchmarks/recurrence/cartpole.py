"""CartPole-v1 to a mean return of 475: learning curves of some seeds, and variance by estimator.

    python benchmarks/recurrence/cartpole.py results.json [seeds]

Runs ``examples/cartpole.py`` (16 episodes a call, a score function with a critic of trace 0.95) for
each seed until the mean return of 96 new episodes is 475. The file gets the curves (updates, mean
return, seconds) and the variance of one call's gradient after 100 updates; beside it the curves are
drawn. ``docs/results/cartpole.json`` is such a file.
"""

import json
import runpy
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt

EXAMPLE = Path(__file__).parents[2] / "examples" / "cartpole.py"


def draw(results, path):
    figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
    for seed, run in results.items():
        updates, returns, _ = zip(*run["curve"], strict=True)
        axes.plot(updates, returns, label=f"seed {seed}")
    axes.axhline(475, color="grey", linewidth=0.8, linestyle=":")
    axes.set(xlabel="updates", ylabel="mean return of 96 episodes", ylim=(0, 510))
    axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})


def _text(results):
    runs = (f"{json.dumps(str(seed))}: {json.dumps(run)}" for seed, run in results.items())
    return "{" + ",\n ".join(runs) + "}\n"


def main(path, seeds=3):
    learn, results = runpy.run_path(str(EXAMPLE))["main"], {}
    for seed in range(int(seeds)):
        curve, found = learn(seed=seed)
        results[seed] = {"curve": curve, "variance": found}
        Path(path).write_text(_text(results), encoding="utf-8")
    draw(results, Path(path).with_suffix(".svg"))


if __name__ == "__main__":
    main(*sys.argv[1:3])
