"""Studies, comparisons and training on a Dask cluster whose workers are killed at random.

python benchmarks/cluster.py [--every 4]    needs pip install 'scgrad[dask]'

It prints a Markdown list for docs/explanation/scale.md. Workers are killed with SIGKILL; their
nannies start them again.
"""

import argparse
import builtins
import contextlib
import functools
import hashlib
import os
import pickle
import platform
import random
import signal
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

import scg
from scg.data import load_digits
from scg.workers import Crew, Work

WORKERS = 2


def graph():
    g = scg.Graph("sbn")
    x = g.data("x", shape=(64,), plates=scg.Plate("batch"))
    W = g.parameter("W", shape=(64, 100), init=scg.init.normal(0.05))
    V = g.parameter("V", shape=(100, 64), init=scg.init.normal(0.05))
    h = g.sample("h", scg.Bernoulli(logits=x @ W))
    prior = scg.Bernoulli(logits=g.parameter("prior", shape=100))
    g.cost("loss", h.log_prob() - prior.log_prob(h) - scg.Bernoulli(logits=h @ V).log_prob(x))
    return g


def images():
    return {"x": np.asarray(load_digits(binary=True).train, float).reshape(-1, 64)}


def cell(rate, seed):
    """A short training: a cell of the study."""
    step = scg.compile(graph(), scg.DisARM(), backend="numpy")
    run = scg.fit(
        step, data=images(), seed=seed, batch_size=100, epochs=1, steps_per_epoch=15,
        optimizer=scg.optim.Adam(rate),
    )  # fmt: skip
    return {"cost": run.history[-1]["cost"], "digest": digest(run.params)}


def digest(params):
    return hashlib.sha256(b"".join(params[name].tobytes() for name in sorted(params))).hexdigest()


@contextlib.contextmanager
def killer(client, cluster, every):
    """Kill a random worker again and again; yields the list of what was killed.

    A nanny gives up if its worker dies while it starts; the cluster is then filled up again.
    """
    killed, stop = [], threading.Event()

    def run():
        rng = random.Random(0)
        while not stop.wait(rng.uniform(0.5, 1.5) * every):
            with contextlib.suppress(Exception):
                cluster.scale(WORKERS)
                pids = client.run(os.getpid)
                if pids:
                    pid = rng.choice(sorted(pids.values()))
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield killed
    finally:
        stop.set()
        thread.join()


def train(executor):
    step = scg.compile(graph(), scg.DisARM(), backend="numpy")
    return scg.fit(
        step, data=images, seed=1, batch_size=400, steps_per_epoch=3, epochs=5, executor=executor
    )


def compare(executor):
    choice = {"disarm": scg.DisARM(), "score": scg.ScoreFunction()}
    g, data = graph(), {"x": images()["x"][:2]}
    table = scg.compare(
        g, choice, g.init(0), data=data, runs=40_000, seed=0, executor=executor, backend="numpy"
    )
    return [(row.variance, digest(row.mean)) for row in table.rows.values()]


def nothing():
    return lambda chunk: None


def latency(executor, count=300):
    with Crew(executor) as crew:
        crew.values(Work(nothing), range(4))
        start = time.perf_counter()
        crew.values(Work(nothing), range(count))
        return (time.perf_counter() - start) / count


def main(every):
    import distributed

    print = functools.partial(builtins.print, flush=True)

    axes = {"rate": [3e-4, 1e-3], "seed": range(15)}
    scg.set_threads(1)  # as workers have it
    here = scg.study(cell, axes)
    bits = {digest(train(1).params)}
    rows = compare(1)
    with (
        distributed.LocalCluster(
            n_workers=WORKERS, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
        tempfile.TemporaryDirectory() as folder,
    ):
        print(
            f"- scg {scg.__version__}, Python {platform.python_version()}, NumPy {np.__version__},"
        )
        print(f"  distributed {distributed.__version__}; load {os.getloadavg()[0]:.0f} on 2 cores")
        with killer(client, cluster, every) as killed:
            found = scg.study(cell, axes, executor=client, folder=folder, retries=5)
        files = len(list(Path(folder).iterdir()))
        same = all(
            (a["cost"], a["digest"]) == (b["cost"], b["digest"])
            for a, b in zip(here.rows(), found.rows(), strict=True)
        )
        print(f"- study: {len(found)} cells, {files} files, {len(found.failed)} failed, "
              f"{len(killed)} workers killed; equal to one process: {same}")  # fmt: skip
        with killer(client, cluster, every) as killed:
            bits.add(digest(train(client).params))
        print(f"- fit: 15 updates of 8 shards, {len(killed)} killed; digests: {len(bits)}")
        with killer(client, cluster, every) as killed:
            again = compare(client)
        print(f"- compare: 80000 runs, {len(killed)} killed; equal: {again == rows}")
        print(f"- latency of an empty chunk: Dask {1e3 * latency(client):.2f} ms,", end=" ")
    print(f"pool {1e3 * latency(1):.2f} ms, threads none")
    for count in (1, 2):
        with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
            scg.study(cell, {"rate": [1e-3], "seed": range(2 * count)}, executor=pool)
            start = time.perf_counter()
            scg.study(cell, axes, executor=pool)
            print(f"- {count} processes: {time.perf_counter() - start:.1f} s for the study")
    step = scg.compile(graph(), scg.DisARM(), backend="numpy")
    params = step.graph.init(0)
    out = step(params, seed=0, x=images()["x"][:50])
    print(f"- bytes of a shard: {len(pickle.dumps(params))} there, "
          f"{len(pickle.dumps(out.grads))} back")  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=float, default=4.0, help="mean seconds between kills")
    main(parser.parse_args().every)
