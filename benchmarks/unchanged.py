"""Compare the gradients of two revisions, given the same parameters, states and noise.

python benchmarks/unchanged.py OLD [NEW]

It decides whether results that an older revision measured are void. The estimators are those of
scg/reproduce/muprop.py and tokui.py on networks of 4 + 4 units, those of carms.py,
autoencoders.py and jang.py on small autoencoders, and those of gated.py and concrete.py where both
revisions have their models.
Two calls follow each other, so that averages have moved; weights of network baselines
are given, too, since revisions may draw them otherwise. NEW is HEAD by default. The program fails
if a relative difference exceeds 1e-12.
"""

import argparse
import inspect
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
LIMIT = 1e-12


def gradients(place):
    """Write all gradients and states of the revision that is imported to a file."""
    import scg
    from scg.models import bernoulli_vae, categorical_vae, sbn, structured

    try:
        from scg.estimators.baselines import MovingAverage, Network
    except ImportError:  # revisions of the first days
        from scg.baselines import MovingAverage, Network

    average, network = MovingAverage(), Network((5,))
    normalized = {"variance_normalization": True, "allow_biased": True}
    layered = {
        "LR": scg.ScoreFunction(),
        "LR-C": scg.ScoreFunction(average),
        "LR-C-IDB": scg.ScoreFunction(network),
        "LR-C-VN-IDB": scg.ScoreFunction(network, **normalized),
        "MuProp": scg.MuProp(),
        "MuProp-C": scg.MuProp(baseline=average),
        "MuProp-C-VN": scg.MuProp(baseline=average, **normalized),
        "MuProp-C-IDB": scg.MuProp(baseline=network),
        "ST": scg.StraightThrough(allow_biased=True),
        "1/2": scg.DARN(allow_biased=True),
        "LEG": scg.LocalExpectation(),
        "RAM": scg.RAM(),
    }
    binary = {
        **{f"ARMS, K = {k}": scg.ARMS(k) for k in (2, 4)},
        **{f"leave-one-out, K = {k}": scg.LeaveOneOut(k) for k in (2, 4)},
    }
    categorical = {
        "CARMS-I": scg.CARMS(4),
        "CARMS-G": scg.CARMS(4, sampling="gumbel", allow_biased=True),
        "leave-one-out, K = 4": scg.LeaveOneOut(4),
        "ARSM": scg.ARSM(),
    }
    table = {
        "SF-C-VN": scg.ScoreFunction(average, **normalized),
        **{name: layered[name] for name in ("1/2", "MuProp-C-VN", "ST")},
        "Gumbel-softmax": scg.GumbelSoftmax(0.7, allow_biased=True),
        "ST Gumbel-softmax": scg.GumbelSoftmax(0.7, hard=True, allow_biased=True),
    }
    models = [
        (partial(sbn, hidden=(4, 4)), layered),
        (partial(structured, hidden=(4, 4)), layered),
        (partial(bernoulli_vae, hidden=4), {**binary, **table}),
        (partial(categorical_vae, variables=3, classes=4, layers=()), {**categorical, **table}),
    ]
    if hasattr(scg.models, "fdarn"):
        models.append((partial(scg.models.fdarn, hidden=4), layered))
    if "particles" in inspect.signature(structured).parameters:
        plate = scg.Plate("particles", length=3)
        bounded = {
            "Concrete, m = 3": scg.GumbelSoftmax(2 / 3, allow_biased=True),
            "VIMCO, m = 3": scg.VIMCO(plate),
        }
        models.append((partial(structured, hidden=(4, 4), particles=plate), bounded))
    if hasattr(scg, "GradientPredictor"):
        gates = {
            "straight-through": layered["ST"],
            "unbiased": scg.ScoreFunction(scg.baselines.PerUnit()),
            "predicted": scg.GradientPredictor(allow_biased=True),
        }
        gated = partial(scg.models.gated, width=5, gater=3)
        models.append((gated, gates))
        known = getattr(sys.modules["scg.models.gated"], "UNITS", ())
        units = [unit for unit in ("smooth", "noisy rectifier") if unit in known]
        models.extend((partial(gated, unit=unit), {unit: None}) for unit in units)
    rng = np.random.default_rng(0)
    means, images = rng.random(16), (rng.random((2, 7, 16)) < 0.5).astype(float)
    labels = np.arange(7)
    found = {}
    for model, estimators in models:
        for name, estimator in estimators.items():
            g = model(means)
            step = scg.compile(g, estimator, backend="numpy")
            params = drawn(g.init(0), lambda shape: rng.normal(size=shape))
            state = {
                node: {
                    key: rng.normal(size=np.shape(value)) if np.ndim(value) else value
                    for key, value in sorted(entries.items())
                }
                for node, entries in sorted(step.init(0).items())
            }
            for x in images:
                data = {"x": x, "labels": labels} if model.func.__name__ == "gated" else {"x": x}
                noise = drawn(step.noise(seed=1, data=data), rng.random)
                out = step(params, noise=noise, data=data, state=state)
                state = out.state
            results = {"cost": out.cost, **out.grads}
            for node, entries in state.items():
                results.update({f"state {node} {key}": value for key, value in entries.items()})
            found.update({f"{model.func.__name__}, {name}: {k}": v for k, v in results.items()})
    np.savez(place, **found)


def drawn(arrays, draw):
    """Random arrays of the same shapes, in the order of their names."""
    return {name: draw(np.shape(arrays[name])) for name in sorted(arrays)}


def measured(revision, folder):
    """The gradients of a revision."""
    packed = subprocess.run(["git", "archive", revision, "scg"], cwd=ROOT, capture_output=True)
    if packed.returncode:
        sys.exit(packed.stderr.decode())
    code, place = Path(folder) / revision.replace("/", "-"), Path(folder) / "found.npz"
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as tar:
        tar.extractall(code, filter="data")
    script = f"import sys; sys.path.insert(0, {str(ROOT / 'benchmarks')!r})\n"
    script += f"import unchanged; unchanged.gradients({str(place)!r})"
    environment = {**os.environ, "PYTHONPATH": str(code)}
    subprocess.run([sys.executable, "-c", script], env=environment, cwd=code, check=True)
    with np.load(place) as found:
        return dict(found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old")
    parser.add_argument("new", nargs="?", default="HEAD")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        old, new = (measured(revision, folder) for revision in (args.old, args.new))
    gaps = {
        key: float(np.abs(old[key] - new[key]).max() / max(np.abs(new[key]).max(), 1e-300))
        for key in old.keys() & new.keys()
    }
    worst = max(gaps, key=gaps.get)
    print(f"{len(gaps)} arrays; the largest relative difference is {gaps[worst]:.1e} ({worst})")
    if alone := sorted({key.partition(":")[0] for key in old.keys() ^ new.keys()}):
        print(f"only one revision has: {'; '.join(alone)}")
    sys.exit(gaps[worst] > LIMIT)
