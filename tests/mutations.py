"""Break one thing at a time in a copy of the package and see whether the laws notice.

    python tests/mutations.py            all mutations, as a table; exit code 1 if one survives
    python tests/mutations.py --list     what would be broken, and whether the text still matches
    python tests/mutations.py box stop   only mutations whose name contains one of these words

Each mutation runs the tests that ought to notice, and all laws if they do not. Nothing outside a
temporary directory is changed. A mutation whose text does not occur exactly once stops the script
before anything runs, and so does a test that fails without any mutation.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("scg", "tests", "setup.cfg", "pyproject.toml")
LAWS = (
    "matrix compositions random plates mixing credit layers second_order mixed stops state bias"
).split()
#: Other suites that ought to notice, by name.
SUITES = {
    "arguments": "tests/common/test_arguments.py",
    "nn": "tests/layers/test_nn.py",
    "edges": "tests/ops/test_edges.py",
    "softmax": "tests/ops/test_softmax.py",
    "supports": "tests/distributions/test_supports.py",
    "checkpoint": "tests/train/test_checkpoint.py",
    "impossible": "tests/estimators/test_impossible.py",
    "truncation": "tests/compiler/test_truncation.py",
    "given": "tests/compiler/test_given.py",
    "critic": "tests/estimators/test_critic.py",
    "vimco": "tests/estimators/test_vimco.py",
    "lax": "tests/estimators/test_lax.py",
    "arms": "tests/estimators/test_arms.py",
    "windows": "tests/recurrence/test_checkpoint.py",
    "levels": "tests/draw/test_levels.py",
    "derivation": "tests/explain/test_derivation.py",
    "advise": "tests/verify/test_advise.py",
    "attribute": "tests/verify/test_attribute.py",
}
STOP = '__import__("scg.ops.gradient", fromlist=["stop"]).stop'


@dataclass(frozen=True)
class Mutation:
    """One text substitution, why it is wrong, and the tests that ought to notice first.

    They are a law or a suite, and perhaps one test of it: ``plates::test_exact_equals_the_oracle``.
    """

    name: str
    file: str
    old: str
    new: str
    why: str
    law: str


MUTATIONS = [
    Mutation(
        "a-cut-without-a-factor",
        "scg/estimators/truncation.py",
        "return where(u < c, 0.0, 1 / (1 - c))",
        "return where(u < c, 0.0, 1.0)",
        "credit is cut at random, and nothing makes up for it",
        "truncation::test_random_truncation_is_unbiased",
    ),
    Mutation(
        "scores-pass-a-cut",
        "scg/compiler/credit.py",
        "x = running_sum(x, plate, reverse, m)",
        "x = running_sum(x, plate, reverse)",
        "derivatives are cut between steps, and scores are not",
        "truncation::test_loops_and_unrolled_graphs_agree",
    ),
    Mutation(
        "terms-without-their-own-ratio",
        "scg/compiler/surrogate.py",
        "boxed = boxed if weight is None else weight * boxed\n                self.added",
        "self.added",
        "the score of a recorded value has the mean zero only together with its ratio",
        "given::test_products_of_ratios_are_unbiased",
    ),
    Mutation(
        "ratios-with-derivatives",
        "scg/estimators/recorded.py",
        "ratio = stop(logp) - behaviour",
        "ratio = logp - behaviour",
        "credit passes ratios as well as scores",
        "given::test_values_of_the_present_parameters_need_no_ratio",
    ),
    Mutation(
        "a-bootstrap-of-its-own-step",
        "scg/ops/along.py",
        "body = Body((total,), (term, *given), (), (new,), (total,))",
        "body = Body((total,), (term, *given), (), (new,), (new,))",
        "the value before the action takes the place of costs after it",
        "critic::test_the_signal_is_the_generalised_advantage",
    ),
    Mutation(
        "stop-of-the-draw",
        "scg/estimators/protocol.py",
        "x = stop(dist.sample(noise.on(plate) if plate else noise))",
        "x = dist.sample(noise.on(plate) if plate else noise)",
        "a scored normal draw also sends its pathwise derivative: credited twice",
        "mixed::test_bernoulli_normal_bernoulli",
    ),
    Mutation(
        "leave-one-out-with-itself",
        "scg/compiler/downstream.py",
        "return (plate_sum(own, (plate,)) - own) / (plate.length - 1.0)",
        "return plate_sum(own, (plate,)) / float(plate.length)",
        "the baseline of a draw contains the draw's own cost",
        "compositions::test_every_ordered_pair[chain_two_costs-BitFlip]",
    ),
    Mutation(
        "moving-average-with-its-own-cost",
        "scg/estimators/baselines/simple.py",
        "return average_so_far(decay, memory)",
        'return decay * memory.state("average", 0.0) + (1.0 - decay) * now',
        "the baseline depends on the draw of this call",
        "state::test_the_second_call_is_unbiased_given_the_state_of_the_first",
    ),
    Mutation(
        "self-critical-of-itself",
        "scg/estimators/baselines/simple.py",
        'downstream.at(dist.mode(), below="mode").cost',
        "downstream.cost",
        "the baseline is the cost of the draw instead of the mode",
        "compositions::test_every_ordered_pair[chain_two_costs-BitFlip]",
    ),
    Mutation(
        "muprop-at-the-mean-field-mean",
        "scg/estimators/muprop.py",
        "correction=dot(slope, dist.mean())",
        "correction=dot(slope, replay.point)",
        "the correction must be the mean given the sampled parents",
        "layers::test_exact_variance_of_muprop",
    ),
    Mutation(
        "muprop-slope-not-stopped",
        "scg/estimators/muprop.py",
        "slope = stop(self.scale * replay.slope)",
        "slope = self.scale * replay.slope",
        "the correction then differentiates the slope as well",
        "compositions::test_every_ordered_pair[chain_two_costs-BitFlip]",
    ),
    Mutation(
        "muprop-scale-forgotten",
        "scg/estimators/muprop.py",
        "slope = stop(self.scale * replay.slope)",
        "slope = stop(replay.slope)",
        "unbiased still, but not the estimator that was asked for",
        "layers::test_exact_variance_of_muprop",
    ),
    Mutation(
        "noise-shared-over-samples",
        "scg/compiler/first_run.py",
        "(*node.plates, *self._joint(node), *(p for arg in args for p in arg.plates))",
        "(*node.plates, *self._joint(node))",
        "children of several draws of one parent reuse one uniform",
        "compositions::test_children_of_two_draws_have_noise_of_their_own",
    ),
    Mutation(
        "box-missing-upstream",
        "scg/compiler/surrogate.py",
        "part if upstream is None else box(upstream) * part",
        "part",
        "the second derivative loses ancestors' score times control variate: mean zero, but noise",
        "second_order::test_one_run_differentiates_the_surrogate_of_the_law",
    ),
    Mutation(
        "box-without-its-square",
        "scg/ops/gradient.py",
        'box = Op("box", lambda x: np.ones_like(x), lambda x: x, (lambda g, y, x: g * y,))',
        'box = Op("box", lambda x: np.ones_like(x), lambda x: x, (lambda g, y, x: g,))',
        "the second derivative loses score times score",
        "second_order::test_hessian_of_one_estimator_for_all_nodes[two_costs_one_node]",
    ),
    Mutation(
        "score-of-the-last-ancestor-only",
        "scg/compiler/members.py",
        "total = own if total is None else total + own",
        "total = own",
        "prefix sums of scores forget earlier ancestors",
        "compositions::test_every_ordered_pair[chain_two_costs-BitFlip]",
    ),
    Mutation(
        "score-not-summed-over-a-plate",
        "scg/compiler/first_run.py",
        "found = scores(logp, sep, directed(self.graph, node, self.factors))",
        "found = logp",
        "a cost that reduces a plate must be boxed with the score of all its elements",
        "plates::test_score_function_variance",
    ),
    Mutation(
        "credit-per-element-across-a-batch-statistic",
        "scg/compiler/analyse.py",
        "r.onward(r.sep & kept, expr) for r in self._with(arg, found)",
        "r.onward(r.sep, expr) for r in self._with(arg, found)",
        "a plate that an op reduced no longer separates",
        "plates::test_score_function_variance",
    ),
    Mutation(
        "baseline-per-element-across-a-batch-statistic",
        "scg/compiler/analyse.py",
        "r.onward(r.sep & kept, expr) for r in now",
        "r.onward(r.sep, expr) for r in now",
        "the downstream cost of an element misses what it changes elsewhere",
        "plates::test_leave_one_out_variance",
    ),
    Mutation(
        "relaxed-control-per-element-across-a-batch-statistic",
        "scg/compiler/routes.py",
        "key = reach.sep, above",
        "key = frozenset(node.plates), above",
        "the box of a differentiated control variate holds one element's score, not the sum",
        "mixing::test_the_gradient_of_a_squared_mean",
    ),
    Mutation(
        "slope-of-a-shared-cost-per-element",
        "scg/compiler/downstream.py",
        "gradients(total(self.down.parts(self.seen) or [self.cost]), [self.point])",
        "gradients(self.cost, [self.point])",
        "a cost that the elements of a plate share is counted once for each of them",
        "mixing::test_a_rollout_of_one_layer_is_the_mean_field",
    ),
    Mutation(
        "prior-of-a-parent-beside-a-value-of-its-child",
        "scg/compiler/first_run.py",
        "averaged(value, weights, conditions(keep, weights))",
        "averaged(value, weights, tuple(keep))",
        "a cost of a grandparent and a grandchild is summed over the former too early",
        "compositions::test_weights_of_a_child_know_its_parent",
    ),
    Mutation(
        "likelihood-of-the-mean-of-samples",
        "scg/compiler/alone.py",
        "lived = (self.first.env[self.node], run.env[self.node], *run.logp.values())",
        "lived = (self.first.env[self.node], run.env[self.node])",
        "a cost is averaged over the samples of a parent before likelihoods given it weigh them",
        "compositions::test_a_kept_child_has_a_likelihood_for_each_sample_of_its_other_parent",
    ),
    Mutation(
        "mean-for-sum-over-a-plate",
        "scg/compiler/objective.py",
        'if reduction(plate, cost) == "mean":',
        "if True:",
        "a summed plate is averaged",
        "plates::test_exact_equals_the_oracle",
    ),
    Mutation(
        "subsampling-not-scaled-up",
        "scg/compiler/objective.py",
        "value = value * (float(plate.size) / plate_size(value.graph, plate))",
        "value = value * 1.0",
        "a batch stands for itself instead of the full data",
        "plates::test_exact_equals_the_oracle",
    ),
    Mutation(
        "enumeration-weights-frozen",
        "scg/estimators/enumeration.py",
        "weight=dist.prob(x)",
        f"weight={STOP}(dist.prob(x))",
        "the weights carry the whole gradient",
        "compositions::test_siblings_with_different_estimators",
    ),
    Mutation(
        "enumeration-credited-through-a-stop",
        "scg/compiler/first_run.py",
        "if frozen:",
        "if False:",
        "weights are credit too, and a stopped cost gives none",
        "stops::test_pairs_across_a_stop",
    ),
    Mutation(
        "score-through-a-stop",
        "scg/compiler/first_run.py",
        "part = self._prefix(reach.sep, reach.members) if reach.open else None",
        "part = self._prefix(reach.sep, reach.members)",
        "a cost reached only through stops credits its ancestors",
        "stops::test_pairs_across_a_stop",
    ),
    Mutation(
        "stop-lets-derivatives-through",
        "scg/ops/gradient.py",
        'stop = Op("stop", lambda x: x, lambda x: x, (None,), kind="same")',
        'stop = Op("stop", lambda x: x, lambda x: x, (lambda g, y, x: g,), kind="same")',
        "stop is the identity",
        "stops::test_exact_equals_the_oracle",
    ),
    Mutation(
        "jumps-are-continuous",
        "scg/compiler/analyse.py",
        'return expr.op.continuous and arg.kind == "float" and expr.op.vjp(index) is not None',
        "return True",
        "comparisons pass as differentiable and their jump is missed",
        "stops::test_reparameterizing_a_jump_is_an_error_that_names_the_comparison",
    ),
    Mutation(
        "left-out-particle-imputes-itself",
        "scg/compiler/leave_out.py",
        "plate_sum(where(self.own, 0.0, x), self.plate) / self.others",
        "plate_sum(x, self.plate) / self.length",
        "VIMCO's baseline depends on the particle that it is for",
        "vimco",
    ),
    Mutation(
        "latent-credited-as-its-draw",
        "scg/estimators/lax.py",
        "logp=law.log_prob(stop(z))",
        "logp=dist.log_prob(stop(x))",
        "LAX subtracts a function of a latent, whose mean the draw's score does not keep",
        "lax",
    ),
    Mutation(
        "gaussian-copula-of-another-correlation",
        "scg/estimators/parts/couplings.py",
        "np.arcsin(-1.0 / (count - 1))",
        "np.arcsin(-1.0 / count)",
        "ARMS and CARMS weigh differences as if their draws avoided each other less",
        "arms::test_the_gaussian_joint_cdf_is_that_of_scipy",
    ),
    Mutation(
        "bias-not-claimed",
        "scg/estimators/straight_through.py",
        "unbiased = False",
        "unbiased = True",
        "a biased estimator says that it is none",
        "bias::test_biased_estimators_warn_once_a_node_unless_allowed",
    ),
    Mutation(
        "learned-baseline-sees-its-own-cost",
        "scg/estimators/baselines/network.py",
        "centre = moving_average(signal, self.decay, downstream, memory)",
        "centre = downstream.average(signal * downstream.unit)",
        "the centre of NVIL depends on the draw of this call",
        "mixed::test_bernoulli_normal_bernoulli",
    ),
    Mutation(
        "a-tie-goes-to-one-piece",
        "scg/ops/elementwise.py",
        "where(equal(a, b), 0.5 * (above + below), below)",
        "where(equal(a, b), above, below)",
        "max(x, 0) + min(x, 0) has the derivative 1 at 0, whichever argument comes first",
        "edges",
    ),
    Mutation(
        "softmax-with-its-shift",
        "scg/ops/reductions.py",
        "return subtract(z, log_of_sum(total))",
        "return subtract(x, logsumexp(x, axis, keepdims=True))",
        "a large number that all logits share takes the digits of their differences",
        "softmax",
    ),
    Mutation(
        "arguments-of-any-kind",
        "scg/common/arguments.py",
        "if name in given and not kind[1](given[name]):",
        "if False:",
        "a step passes where a graph is asked for, and fails within",
        "arguments",
    ),
    Mutation(
        "a-layer-reads-its-first-input",
        "scg/layers/layer.py",
        "result = self._apply(x, *others, *self._parameters)",
        "result = vars(self).setdefault('_out', self._apply(x, *others, *self._parameters))",
        "a layer that is applied twice returns what it made of its first input",
        "nn",
    ),
    Mutation(
        "density-of-what-is-not-there",
        "scg/distributions/values.py",
        "x = where(there, x, law.fill)",
        "x = where(there, x, x)",
        "zero times the slope at a padded value is NaN",
        "supports",
    ),
    Mutation(
        "digest-of-the-arrays-alone",
        "scg/train/checkpoint.py",
        'total = hashlib.sha256(f"{len(text)}\\n{text}\\n".encode())',
        "total = hashlib.sha256()",
        "a flipped digit of the number of updates resumes to other parameters",
        "checkpoint::test_every_flipped_bit_is_found",
    ),
    Mutation(
        "weight-of-the-impossible-by-its-logarithm",
        "scg/estimators/enumeration.py",
        "weight=dist.prob(x)",
        'weight=__import__("numpy").exp(dist.log_prob(x))',
        "zero times the slope of log 0 is NaN",
        "impossible::test_probabilities_of_zero_and_one_are_enumerated",
    ),
    Mutation(
        "latent-through-one-over-p",
        "scg/distributions/categorical.py",
        "return rest * place - log(first * (x + rest * exp(place)) + rest * e)",
        "return -log(first + rest * e * exp(-place))",
        "the gradient of the variance passes 1/p², infinite in single precision",
        "impossible::test_small_probabilities_in_single_precision",
    ),
    Mutation(
        "cost-of-the-impossible",
        "scg/compiler/first_run.py",
        "cost = possible(cost, weights[plate])",
        "cost = 1.0 * cost",
        "zero times an infinite cost is NaN",
        "impossible::test_masked_classes_have_the_exact_mean",
    ),
    Mutation(
        "sums-of-one-window",
        "scg/engine/windows.py",
        "sums[here] += found[here]",
        "sums[here][...] = found[here]",
        "gradients of all windows but the last visited are lost",
        "windows::test_windows_estimate_what_the_plain_step_estimates",
    ),
    Mutation(
        "windows-entered-with-later-carries",
        "scg/engine/windows.py",
        "{here: self.entries[i][here] for here in sweep.entered}",
        "{here: self.entries[-1][here] for here in sweep.entered}",
        "the sweep in reverse computes each window from the carries of the last one",
        "windows::test_windows_estimate_what_the_plain_step_estimates",
    ),
    Mutation(
        "every-score-multiplies-every-cost-in-pictures",
        "scg/draw/surrogate.py",
        "for p in products if squares[s] & products[p]}",
        "for p in products}",
        "a picture credits nodes with costs that they do not influence",
        "levels::test_costs_are_multiplied_by_what_influences_them_alone",
    ),
    Mutation(
        "stopped-costs-are-not-said",
        "scg/explain/matrix.py",
        'cells |= {(node.name, cost): "stopped" for cost in _among(node.stopped, few)}',
        "pass",
        "the table of credit does not tell a stopped path from no path",
        "derivation::test_the_credit_matrix",
    ),
    Mutation(
        "sums-told-as-elements",
        "scg/explain/matrix.py",
        'words += [f"Σ {plate}" for plate in credit.summed]',
        'words += [f"each {plate}" for plate in credit.summed]',
        "the table of credit says that elements are credited apart where they are not",
        "derivation::test_the_credit_matrix",
    ),
    Mutation(
        "parents-of-the-wrong-side-of-time",
        "scg/explain/lineage.py",
        "'>' if scan.reverse else '<'",
        "'<' if scan.reverse else '>'",
        "a derivation conditions a step on steps that come after it",
        "derivation::test_what_carries_bring_is_a_parent_and_carries_parameters",
    ),
    Mutation(
        "bias-is-free",
        "scg/verify/advise.py",
        "if sample.step.plan.unbiased:",
        "if True:",
        "a biased estimator of little variance is advised",
        "advise::test_bias_counts_as_variance",
    ),
    Mutation(
        "shares-of-the-next-node",
        "scg/verify/attribute.py",
        "(same if rank <= n else new)",
        "(same if rank < n else new)",
        "the variance of a node is attributed to the one after it",
        "attribute::test_sampled_shares_lie_near_exact_ones",
    ),
]


def mutated(mutation: Mutation) -> str:
    """Return the file's text with the mutation, or say why there is none."""
    text = (ROOT / mutation.file).read_text()
    count = text.count(mutation.old)
    if count != 1:
        raise SystemExit(
            f"{mutation.name}: expected one match in {mutation.file}, found {count} of\n"
            f"    {mutation.old}\nThe code has moved on; bring the mutation up to date."
        )
    return text.replace(mutation.old, mutation.new)


def run(copy: Path, laws: list[str]) -> tuple[bool, str]:
    """Run tests on a copy until the first failure: whether all passed, and what failed."""
    files = []
    for law in laws:
        file, *test = law.split("::")
        files.append("::".join([SUITES.get(file, f"tests/laws/test_{file}.py"), *test]))
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPATH", None)
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *files]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
    if done.returncode not in (0, 1, 2):
        raise SystemExit(f"pytest ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    found = re.search(r"^(?:FAILED|ERROR) \S*?(test_\w+\.py\S*)", done.stdout, re.MULTILINE)
    return done.returncode == 0, found.group(1) if found else done.stdout.strip()[-200:]


def check_copy(copy: Path) -> None:
    """Make sure that the copy is what the tests will import."""
    command = [sys.executable, "-c", "import scg; print(scg.__file__)"]
    where = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=True).stdout
    if not Path(where.strip()).is_relative_to(copy):
        raise SystemExit(f"the tests would import {where.strip()}, not the copy in {copy}")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="only mutations whose name contains one of these")
    parser.add_argument("--list", action="store_true", help="check the texts and run nothing")
    options = parser.parse_args()
    chosen = [
        m for m in MUTATIONS if not options.words or any(word in m.name for word in options.words)
    ]
    texts = {m.name: mutated(m) for m in chosen}
    if options.list:
        for m in chosen:
            say(f"{m.name}: {m.why} ({m.file})")
        return 0

    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory).resolve() / "copy"
        copy.mkdir()
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, copy / name, ignore=ignored)
            else:
                shutil.copy(source, copy / name)
        check_copy(copy)
        passed, failure = run(copy, sorted({m.law for m in chosen}))
        if not passed:
            raise SystemExit(f"the tests fail without any mutation: {failure}")

        say("| broken | caught | by | seconds |\n|---|---|---|---|")
        survivors = 0
        for m in chosen:
            original = (copy / m.file).read_text()
            (copy / m.file).write_text(texts[m.name])
            start = time.perf_counter()
            passed, failure = run(copy, [m.law])
            if passed:
                passed, failure = run(copy, LAWS)
            (copy / m.file).write_text(original)
            survivors += passed
            seconds = time.perf_counter() - start
            verdict = "**no** | " if passed else f"yes | {failure}"
            say(f"| {m.name}: {m.why} | {verdict} | {seconds:.0f} |")
        say(f"\n{len(chosen) - survivors} of {len(chosen)} mutations caught")
    return 1 if survivors else 0


if __name__ == "__main__":
    raise SystemExit(main())
