"""Studies, comparisons and training on workers: killed at random, and timed.

    python benchmarks/cluster.py                       # all parts; needs pip install 'scgrad[dask]'
    python benchmarks/cluster.py latency scaling       # some; others stay as they are

It writes docs/results/cluster.json, and the table of docs/explanation/scale.md that is made of it.
Workers are killed with SIGKILL; their nannies start them again. Times need a quiet machine.
"""

import argparse
import contextlib
import datetime
import hashlib
import json
import os
import pickle
import platform
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

import scg
from scg.common.files import json_text, write_atomically
from scg.data import load_digits
from scg.workers import Crew, Work

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs" / "results" / "cluster.json"
WORKERS = 2
AXES = {"rate": [3e-4, 1e-3], "seed": range(15)}


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


@contextlib.contextmanager
def dask():
    import distributed

    local = {"threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(n_workers=WORKERS, **local) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client, cluster


# --- parts ----------------------------------------------------------------------------------------
def study_part(every):
    """A study whose workers die, beside the same study in this process."""
    here = scg.study(cell, AXES)
    with dask() as (client, cluster), tempfile.TemporaryDirectory() as folder:
        with killer(client, cluster, every) as killed:
            found = scg.study(cell, AXES, executor=client, folder=folder, retries=5)
        files = len(list(Path(folder).iterdir()))
    same = [
        (a.get("cost"), a.get("digest")) == (b.get("cost"), b.get("digest"))
        for a, b in zip(here.rows(), found.rows(), strict=True)
    ]
    return {
        "cells": len(found), "files": files, "failed": len(found.failed), "killed": len(killed),
        "equal": all(same),
    }  # fmt: skip


def fit_part(every):
    """A training whose workers die, beside that of one worker."""
    alone = digest(train(1).params)
    with dask() as (client, cluster), killer(client, cluster, every) as killed:
        found = train(client)
    return {
        "updates": found.now.count, "shards": 8, "killed": len(killed),
        "equal": digest(found.params) == alone,
    }  # fmt: skip


def compare_part(every):
    """A comparison whose workers die, beside that of one worker."""
    alone = compare(1)
    with dask() as (client, cluster), killer(client, cluster, every) as killed:
        found = compare(client)
    return {"runs": 80_000, "killed": len(killed), "equal": found == alone}


def latency_part(every):
    """Milliseconds of a chunk that does nothing, and bytes of a part of a batch."""

    def of(executor, count=300):
        with Crew(executor) as crew:
            crew.values(Work(nothing), range(4))
            start = time.perf_counter()
            crew.values(Work(nothing), range(count))
            return 1e3 * (time.perf_counter() - start) / count

    with dask() as (client, _), ThreadPoolExecutor(1) as threads:
        found = {"Dask": of(client), "pool of processes": of(1), "thread": of(threads)}
    step = scg.compile(graph(), scg.DisARM(), backend="numpy")
    params = step.graph.init(0)
    out = step(params, seed=0, x=images()["x"][:50])
    return {
        "ms": found,
        "bytes": [len(pickle.dumps(params)), len(pickle.dumps(out.grads))],
    }


def scaling_part(every, rounds=5):
    """Seconds of the three kinds of work on pools of one and of two processes, in turns."""
    works = {
        "study of 30 trainings": lambda pool: scg.study(cell, AXES, executor=pool),
        "training of 15 updates of 8 shards": train,
        "comparison of 80,000 runs": compare,
    }
    seconds = {name: {str(count): [] for count in (1, WORKERS)} for name in works}
    with contextlib.ExitStack() as stack:
        pools = {}
        for count in (1, WORKERS):
            spawn = get_context("spawn")
            pools[count] = stack.enter_context(ProcessPoolExecutor(count, mp_context=spawn))
        for turn in range(rounds + 1):
            for name, work in works.items():
                for count, pool in pools.items():
                    start = time.perf_counter()
                    work(pool)
                    if turn:  # the first starts processes and compiles
                        seconds[name][str(count)].append(time.perf_counter() - start)
    return {"seconds": seconds}


PARTS = {
    "study": study_part,
    "fit": fit_part,
    "compare": compare_part,
    "latency": latency_part,
    "scaling": scaling_part,
}


def main(parts, every):
    import distributed

    scg.set_threads(1)  # as workers have it
    found = json.loads(OUT.read_text(encoding="utf-8")) if OUT.exists() else {}
    for part in parts:
        circumstances = {
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "cores": os.cpu_count(),
            "load": round(os.getloadavg()[0], 1),
            "versions": {
                "scg": scg.__version__,
                "Python": platform.python_version(),
                "NumPy": np.__version__,
                "distributed": distributed.__version__,
            },
        }
        found[part] = PARTS[part](every) | circumstances
        print(part, found[part], flush=True)
        write_atomically(OUT, json_text(found).encode())
    subprocess.run([sys.executable, ROOT / "docs" / "tables.py"], check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--every", type=float, default=4.0, help="mean seconds between kills")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"unknown parts: {', '.join(sorted(unknown))}")
    main(options.parts or list(PARTS), options.every)
