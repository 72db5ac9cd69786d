"""Steps of the workloads in scg: time of a call, time to compile, and peak memory."""

import itertools
import sys
from pathlib import Path
from typing import ClassVar

sys.path.insert(0, str(Path(__file__).parents[1]))

from workloads import WORKLOADS

import scg


def step_of(name):
    """A workload, and its step in single precision."""
    workload = WORKLOADS[name]()
    return workload, scg.compile(workload.graph, workload.estimator, dtype="float32")


class Step:
    """Times of each workload's step, plain and with its parameters bound."""

    params: ClassVar = list(WORKLOADS)
    param_names: ClassVar = ["workload"]
    warmup_time = 0.1

    def setup(self, name):
        workload, step = step_of(name)
        params, seeds = workload.params(), itertools.count()
        data, runs = workload.data, workload.runs
        self.call = lambda: step(params, seed=next(seeds), runs=runs, data=data).grads
        bound = step.bind(params, runs=runs, data=data)
        self.bound = lambda: bound(next(seeds)).grads
        self.call()

    def time_call(self, name):
        self.call()

    def time_bound(self, name):
        self.bound()

    def time_compile(self, name):
        step_of(name)

    def peakmem_call(self, name):
        self.call()
