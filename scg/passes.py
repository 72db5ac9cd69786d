"""The compiler's passes one after the other, for graphs with and without scans."""

from __future__ import annotations

import contextlib
import functools
import operator
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scg.compiler.analyse import Influence
from scg.compiler.continuation import check_signals, check_stream
from scg.compiler.differentiate import erase, gradients
from scg.compiler.given import RecordedNodes
from scg.compiler.invariants import check
from scg.compiler.objective import check_reductions
from scg.compiler.other_credit import other_credit
from scg.compiler.plan import Plan, check_orders, make_plan, of_all_steps
from scg.compiler.recur import NeedsSteps
from scg.compiler.surrogate import Surrogate
from scg.compiler.truncation import check_truncation
from scg.compiler.unroll import Unrolled, by_node
from scg.errors import BiasWarning, EnumerationError, EstimatorError, PathsWarning, StopWarning
from scg.estimators.pes import PES, BlackBox
from scg.estimators.protocol import Estimator
from scg.estimators.truncation import Cutting, Truncation
from scg.graph.core import CoreGraph
from scg.ir.expr import Expr
from scg.ir.origin import Origin, warn
from scg.ir.plate import Plate
from scg.run.checkpoint import make_windows
from scg.run.curvature import directional, hessian
from scg.run.finish import finish
from scg.run.recurrent import RecurrentStep
from scg.run.step import Step

if TYPE_CHECKING:
    from scg.schedule.sweeps import StepWindows

#: The length of a sequence on which estimators are chosen and checked: a path begins at a step,
#: crosses another and ends at a third; longer ones repeat the second.
SHORT = 3
#: From so many steps on a user is warned that each of them is compiled.
MANY_STEPS = 64


Estimators = Estimator | Mapping[str, Estimator] | None  #: As users give them to a graph.


class Request(NamedTuple):
    """What :func:`scg.compile` is asked for, apart from the estimators."""

    backend: str
    dtype: str
    order: int
    data_grads: tuple[str, ...]
    check_finite: bool
    truncate: Truncation | None
    stream: bool
    checkpoint: bool | int
    given: RecordedNodes


def compiled(graph: CoreGraph, estimator: Estimators, options: Request) -> Step:
    """The step of a graph; see :func:`scg.compile`."""
    truncate, given = options.truncate, options.given
    if options.stream:
        check_stream(graph, truncate)
        given.check_stream()
    if truncate is not None:
        check_truncation(graph, truncate, options.order, options.data_grads)
    windows = make_windows(graph, options.checkpoint, options.check_finite)
    if isinstance(truncate, PES):
        estimator = _black_box(truncate, estimator, given)
    if graph.scans:
        return _over_time(graph, estimator, options, windows)
    return _finished(_planned(graph, estimator, options), options)


def _black_box(truncate: PES, estimator: Estimators, given: RecordedNodes) -> BlackBox:
    """The estimator of all nodes where parameters are perturbed; raise if others are asked for."""
    own = estimator.values() if isinstance(estimator, Mapping) else [estimator]
    if not all(isinstance(one, (BlackBox, type(None))) for one in own):
        raise EstimatorError(
            f"truncate={truncate!r} takes the model as a black box; leave estimator out"
        )
    if given.nodes:
        raise EstimatorError(
            f"truncate={truncate!r} runs the model at perturbed parameters, at which recorded "
            f"values ({', '.join(map(repr, given.nodes))}) have other probabilities; leave "
            "given out, or truncate"
        )
    return BlackBox()


def _over_time(
    graph: CoreGraph, estimator: Estimators, options: Request, windows: StepWindows | None
) -> Step:
    """The step of a graph with scans: loops, in windows or not, or the unrolled graph."""
    truncate, stream = options.truncate, options.stream
    whole = Influence(graph, options.data_grads)
    check("analyse", whole)
    check_reductions(whole)
    cut = truncate if isinstance(truncate, Cutting) else None
    short = _enough_steps(whole, cut)
    unrolled = _planned(short.graph, estimator, options)
    plan = replace(of_all_steps(whole, unrolled), truncation=truncate, stream=stream)
    if stream:
        check_signals(plan.estimators, truncate)
    chosen = {node.name or "": own for node, own in plan.estimators.items()}
    reasons = {node.name or "": why for node, why in plan.reasons.items()}

    sampled = [node for node, own in plan.estimators.items() if own.credit != "pathwise"]
    rolled = None
    late = [node.name for node in whole.nodes if node.name not in chosen]
    apart = f"{late[0]!r} influences costs of much later steps alone" if late else plan.steps_apart
    reason, biased, loops = apart, False, _loop_option(options)
    if not apart:
        reason, biased = other_credit(whole, unrolled.influence, short.lengths, sampled)
    if loops and biased and not isinstance(truncate, PES):  # which takes no derivative to stop
        raise EstimatorError(f"{loops} runs scans as loops, but {reason}; leave {loops} out")
    if not apart and (loops or not reason):  # these loops round credit up without bias
        with contextlib.suppress(NeedsSteps):
            rolled = _finished(plan, options, windows)
    named = ", ".join(f"{name!r} by {type(own).__name__}" for name, own in chosen.items())
    if loops and rolled is None:
        raise EstimatorError(
            f"{loops} runs scans as loops, but an estimator looks at single steps "
            f"({named}); scg.ScoreFunction() and scg.LeaveOneOut(samples=4) do not"
        )
    looks = not reason
    reason = reason or f"an estimator looks at single steps ({named})"

    def of_length(lengths: Mapping[Plate, int]) -> Step:
        if stream or (truncate is not None and not truncate.unrolls):
            how = "stream=True" if stream else f"truncate={truncate!r}"
            raise EnumerationError(
                f"{how} runs scans as loops alone, so that no exact moments of its step are known; "
                "scg.check(step, params, seed=0) compares the mean of runs with what it estimates"
            )
        longest = max(lengths, key=lambda plate: lengths[plate])
        if looks and rolled is None and lengths[longest] >= MANY_STEPS:
            warn(
                f"graph {graph.name!r}: {lengths[longest]} steps of {longest.name!r} are compiled "
                f"one by one, in a time that grows with their square, since {reason}. "
                "scg.ScoreFunction() and scg.LeaveOneOut(samples=4) run any number as a loop",
                PathsWarning,
            )
        with warnings.catch_warnings():  # the user was warned
            for category in (BiasWarning, PathsWarning, StopWarning):
                warnings.simplefilter("ignore", category)
            made = _planned(Unrolled(graph, lengths, truncation=cut).graph, chosen, options)
        why = {
            node: reasons.get(made.influence.graph.declared_node(node.name or ""), own)
            for node, own in made.reasons.items()
        }
        return _finished(replace(made, reasons=why, steps="" if rolled else reason), options)

    return RecurrentStep(graph, of_length, rolled, short.lengths)


def _loop_option(options: Request) -> str:
    """The option for which scans must run as loops; "" if there is none."""
    if options.stream:
        return "stream=True"
    if options.truncate is not None and options.truncate.loops:
        return f"truncate={options.truncate!r}"
    return f"checkpoint={options.checkpoint}" if options.checkpoint else ""


def _enough_steps(whole: Influence, cut: Cutting | None) -> Unrolled:
    """A graph with scans unrolled to a few steps, so many that each node influences a cost.

    The shortest way from step to step visits no carry twice.
    """
    graph = whole.graph
    names = {node.name for node in whole.nodes}
    most = max(SHORT, 1 + sum(len(scan.carries) for scan in graph.scans.values()))
    for steps in range(SHORT, most + 1):
        short: dict[Plate, int] = {
            scan.plate: min(scan.plate.length or steps, steps) for scan in graph.scans.values()
        }
        unrolled = Unrolled(graph, short, truncation=cut)
        seen = Influence(unrolled.graph).nodes
        if names == {graph.declared_node(node.name or "") for node in seen}:
            break
    return unrolled


def _planned(graph: CoreGraph, estimator: Estimators, options: Request) -> Plan:
    """The plan of a graph without scans."""
    influence = Influence(graph, options.data_grads)
    check("analyse", influence)
    check_reductions(influence)
    plan = make_plan(influence, estimator, options.given)
    check("plan", plan)
    if options.order > 1:  # the first is a matter of bias, of which the plan warns
        check_orders(plan, options.order)
    return plan


def _finished(plan: Plan, options: Request, windows: StepWindows | None = None) -> Step:
    """The step of a planned graph, which may run in windows of steps."""
    backend, dtype, order, data_grads, check_finite, *_ = options
    influence = plan.influence
    graph = influence.graph
    surrogate = Surrogate(plan)
    check("surrogate", surrogate)
    learned = influence.learned
    all_grads = dict(
        zip(learned, gradients(surrogate.objective, list(learned.values())), strict=True)
    )
    grads = {name: all_grads[name] for name in graph.parameters}
    check("differentiate", {learned[name]: grad for name, grad in all_grads.items()})

    outputs: dict[Any, Expr] = {("cost",): surrogate.objective}
    outputs |= {("costs", name): value for name, value in by_node(graph, surrogate.costs).items()}
    outputs |= {("grads", name): value for name, value in grads.items()}
    outputs |= {("data_grads", name): all_grads[name] for name in data_grads}
    for memory in surrogate.memory.values():
        outputs |= {("state", memory.node, name): v for name, v in memory.updates.items()}
    kinds = {kind for own in surrogate.memory.values() for kind in own.parameters.values()}
    if "loss" in kinds and surrogate.loss is not None:
        outputs |= _own_gradients(surrogate, "loss", surrogate.loss)
    if "objective" in kinds:
        outputs |= _own_gradients(surrogate, "objective", surrogate.objective)
    if "variance" in kinds and grads:
        outputs |= _own_gradients(surrogate, "variance", _squared_norm(list(grads.values())))
    if surrogate.first.window is not None:
        outputs |= {("carry", name): x for name, x in surrogate.first.window.ends.items()}
    curvature = None
    if order == 2:
        products = directional(graph, learned, all_grads)
        curvature = finish(products, dtype, backend, windows)
        outputs |= hessian(graph, products)
    program = finish(outputs, dtype, backend, windows)
    graph.origin = Origin()
    return Step(graph, plan, surrogate, program, curvature, check_finite)


def _own_gradients(surrogate: Surrogate, kind: str, objective: Expr) -> dict[Any, Expr]:
    """The gradients of the estimators' own parameters that learn on `objective`."""
    own = [
        (memory.node, name, memory.leaves[name])
        for memory in surrogate.memory.values()
        for name, learn in memory.parameters.items()
        if learn == kind
    ]
    learned = gradients(objective, [leaf for _, _, leaf in own])
    return {("own", node, name): g for (node, name, _), g in zip(own, learned, strict=True)}


def _squared_norm(grads: list[Expr]) -> Expr:
    """Σ g² of the finished gradient, whose mean is the variance plus a constant.

    Stops and boxes are erased; samples are constant in the estimators' own parameters.
    """
    erased = erase(grads)
    return functools.reduce(operator.add, [np.sum(erased[g] ** 2) for g in grads])
