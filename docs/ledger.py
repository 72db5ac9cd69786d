"""Lines of scg by room, and the subjects that paid for those beyond the core.

The core is what compiles, runs and teaches graphs without scans. A subject that adds to it names
its files here: ``ops/scan`` is all its own, and of ``run/runner:166`` 166 lines are of the core.
Those numbers come from the history of git: lines of the file before the subject's first commit. A
file that several subjects share is charged to the one that wrote most. All others are core.
"""

import re
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import scg

ROOT = Path(scg.__file__).parent
#: Most lines of the core, and of its schedules and engine.
CORE, ENGINE = 32_946, 7_300
#: A page is current if its numbers are so near.
NEAR = 150
PAID = {
    "recurrence": """
        compile:135 compiler/analyse:190 compiler/continuation compiler/credit
        compiler/downstream:225 compiler/first_run:166 compiler/forward compiler/given
        compiler/memory:63 compiler/named compiler/perturbation compiler/plan:156
        compiler/recur compiler/sequences compiler/truncation compiler/unroll
        compiler/words:95 engine/drawing engine/interpreter:189 engine/operations:29
        engine/table/frame:35 engine/table/repeat engine/table/table:218
        engine/windows estimators/baselines/critic
        estimators/baselines/simple:83 estimators/forward estimators/parts/options:24
        estimators/pes estimators/protocol:116 estimators/recorded
        estimators/score_function:72 estimators/truncation estimators/views:180 graph/carry
        graph/cells graph/declaration/read:288 graph/declaration/write:180 graph/growth
        graph/nodes:164 graph/scan graph/tree ir/plate:103 ir/walk:49 layers/environment
        ops/along ops/backward ops/body ops/border ops/gradient:57 ops/loops ops/pullback
        ops/recurrence ops/scan ops/steps passes:60 run/carried run/checkpoint
        run/checks:150 run/finish:27 run/recurrent run/runner:166 run/unroll run/windows
        schedule/entries:107 schedule/fuse:218 schedule/inner schedule/listing:59
        schedule/schedule:91 schedule/steps schedule/sweeps train/windows verify/by_step
        verify/smoothed verify/windowed
    """,
    "structured distributions and flows": """
        compiler/elimination compiler/paths:97 distributions/__init__:65
        distributions/annealing distributions/autoregressive:123 distributions/bijections
        distributions/chains distributions/configurations distributions/hidden_markov
        distributions/matching distributions/plackett_luce distributions/rbm
        distributions/sequential distributions/subset distributions/transformed
        estimators/persistent_chains verify/exact:248
    """,
    "further estimators and bounds": """
        compiler/alone:15 distributions/beta:200 distributions/binomial:139
        distributions/exponential:231 distributions/gamma:166 distributions/independent:133
        distributions/laplace:56 distributions/location_scale:107
        distributions/mixture_moves distributions/mixture_path distributions/multinomial:163
        distributions/multivariate_normal:198 distributions/normal:192
        distributions/poisson:73 distributions/shape_parts distributions/standardized
        distributions/upward distributions/von_mises:89 estimators/__init__:87
        estimators/bit_flip estimators/evolution_strategy estimators/go estimators/grep
        estimators/gumbel_sinkhorn estimators/implicit_mle estimators/orthogonal_evolution
        estimators/parts/moves estimators/parts/perturbations estimators/rsvi
        estimators/parts/support:62 estimators/spsa estimators/stochastic_triple estimators/ugc
        estimators/unordered_set:109 graph/approximation graph/rewrites
    """,
    "convolutions, Hessians and sparse updates": """
        compiler/one_hot engine/codegen/intrinsics:260 engine/codegen/orders
        engine/codegen/kernels:302 engine/codegen/planes engine/sampler:103 engine/table/parts:161
        engine/table/products:108 engine/walk/connection:117 engine/walk/blas:162
        engine/walk/stretches:157 layers/convolutional ops/convolution:127 run/curvature:71
        run/inspection:85 run/step:150 schedule/clear schedule/lift:48 schedule/halves
        schedule/pool schedule/products:61 schedule/turns schedule/unfold train/optim:179
        train/rows train/update:206
    """,
    "more of NumPy on nodes": """
        ops/arrange:232 ops/operators
    """,
    "gamma functions of vectors": """
        engine/codegen/calls:41 engine/codegen/lanes:178 engine/codegen/symbols:89
        engine/codegen/vectors special/gamma special/machine:62
    """,
    "arguments that are recognized": """
        engine/walk/intake run/repeated
    """,
    "a second process that compiles": """
        engine/codegen/helper engine/codegen/native:174 engine/walk/executable:136
    """,
    "exact moments and impossible values": """
        compiler/angles compiler/assignment:135 compiler/differentiate:117
        compiler/node_rules:73 compiler/noise:2 compiler/objective:45
        compiler/requirements:193 compiler/routes compiler/simplify:226
        distributions/base:200 distributions/bernoulli:156 distributions/categorical:256
        distributions/constraints/__init__ distributions/constraints/constraint:105
        distributions/constraints/numbers:205 distributions/constraints/vectors
        distributions/counts:99 distributions/mixture:199 distributions/ordered_logistic:132
        distributions/student_t:180 distributions/uniform:90 distributions/values
        engine/codegen/matrices:132 engine/codegen/scalars/gamma:155
        estimators/baselines/network:82 estimators/lax:58 estimators/local_expectation:40
        estimators/parts/latent:54 graph/costs:81
        graph/declaration/attributes:39 ir/tables:6 ops/decompositions:207 ops/determinant:1
        ops/elementary:96 ops/elementwise:264 ops/powers:28 ops/proportions:265
        ops/reductions:242 ops/select:71 ops/statistics:201 ops/weighted ops/within:5
        schedule/lower:118 schedule/rewritten:181 special/quantiles:90 verify/cells:154
        verify/check:224 verify/compare:214 verify/cuts verify/integrand:9 verify/kinks:5
        verify/levels:5 verify/line verify/quadrature:107 verify/search verify/walk:1
    """,
    "checked arguments and messages": """
        command/estimators:87 command/models:84 command/process:5 common/arguments:12
        common/named compiler/advice:8 data/address:163 data/binarize:66 data/readers:129
        errors:50 explain/work:9
        graph/bounds:167 graph/core:227 graph/declaration/parts:125 graph/init:66
        graph/parameters:146 ir/dispatch:123 ir/op:139 ir/origin:40 layers/layer:62
        layers/nn:120 ops/custom:120 ops/indexing:89 ops/shape:236 run/binding:186 run/bound_step:72
        run/state:59 train/evaluate:174
    """,
    "large graphs": """
        compiler/members:111 compiler/mixing:5
    """,
    "drawings": """
        draw/boxes:107 draw/flow:84 draw/fold draw/formula draw/graph draw/influence
        draw/letters draw/networks draw/openable draw/operations draw/options draw/picture
        draw/render:131 draw/rows draw/scene draw/surrogate draw/svg draw/theme draw/tikz
        face:95 ir/expr:170
    """,
    "derivations": """
        estimators/arsm:80 estimators/categorical_disarm:119 estimators/measure_valued:67
        estimators/rebar:82 estimators/relax:91 estimators/rodeo:97 estimators/stratified:78
        estimators/sum_and_sample:77 estimators/vimco:45
        explain/alike explain/derivation explain/explanation:209 explain/formulas
        explain/lineage explain/lines explain/matrix explain/node:127 explain/notation
        explain/page:150 explain/template explain/texts
    """,
    "attribution, advice and curves": """
        compiler/entries verify/advice verify/advise verify/attribute verify/attribution
        verify/curves verify/joint verify/moments:218 verify/plot:55 verify/sampling:101
        verify/sweep
    """,
    "training that resumes": """
        command/train:81 common/files graph/declaration/digest:1 train/__init__:20
        train/check train/checkpoint:136 train/clip:72 train/finish train/interrupt:43
        train/metrics:69 train/optimizer:130 train/progress:33 train/run:75
        train/schedules:82 train/settings:65 train/stream:2
    """,
    "workers and studies": """
        seeds/noise:240 train/batches:150 train/fit:177
        train/shards verify/distributed verify/studied verify/study workers/*
    """,
    "kernel cache and forks": """
        command/lists:64 command/main:218 common/lazy:11 engine/codegen/cache:72
        engine/codegen/settings:3 engine/codegen/target:177 ir/collector:23
    """,
    "PyTorch, JAX and samplers": """
        engine/backends engine/program:277 interop/* run/guard:102 run/simulate:188
    """,
    "notebooks and tables": """
        cite:76 common/console common/frame engine/profile:37 ir/operation:133
        ops/special:248 run/result:124
    """,
    "course, lab and published experiments": """
        command/lab course/* models/layers:33 models/vae:113 reproduce/*
    """,
}


def counted() -> dict[str, int]:
    """Lines of each file, by its path in scg without suffix."""
    files = sorted(ROOT.rglob("*.py"))
    names = (path.relative_to(ROOT).with_suffix("").as_posix() for path in files)
    return {
        name: len(path.read_text(encoding="utf-8").splitlines())
        for name, path in zip(names, files, strict=True)
    }


def charged(lines: dict[str, int]) -> dict[str, dict[str, int]]:
    """Lines that subjects paid, by file. A word for a file that is gone charges nothing."""
    found: dict[str, dict[str, int]] = {}
    for subject, words in PAID.items():
        for word in words.split():
            pattern, _, core = word.partition(":")
            for name in (name for name in lines if fnmatch(name, pattern)):
                found.setdefault(name, {})[subject] = max(0, lines[name] - int(core or 0))
    return found


def rooms() -> dict[str, tuple[int, Counter[str]]]:
    """Lines of each room, and those that each subject paid."""
    lines = counted()
    paid = charged(lines)
    found: dict[str, tuple[int, Counter[str]]] = {}
    for name, count in lines.items():
        own, *rest = name.split("/")
        room = f"{own}/" if rest else "files"
        total, subjects = found.get(room, (0, Counter()))
        found[room] = total + count, subjects + Counter(paid.get(name, {}))
    return found


def core(*names: str) -> int:
    """Lines of the core in some rooms, or in all."""
    known = rooms()
    return sum(known[n][0] - known[n][1].total() for n in names or known)


def table() -> Iterator[str]:
    """Yield the table of the design page."""
    yield "| room | lines | core | paid for by |"
    yield "|---|---|---|---|"
    total: Counter[str] = Counter()
    for room, (lines, paid) in sorted(rooms().items()):
        total += paid
        yield _row(f"`{room}`" if room != "files" else "loose files", lines, paid)
    yield _row("all", sum(lines for lines, _ in rooms().values()), total)


def _row(title: str, lines: int, paid: Counter[str]) -> str:
    parts = "; ".join(f"{subject} {count}" for subject, count in paid.most_common() if count)
    return f"| {title} | {lines} | {lines - paid.total()} | {parts} |"


def near(shown: str, lines: list[str]) -> list[str]:
    """The lines that a page shows, if they are nearly current, else the new ones."""
    old = shown.strip().splitlines()
    words, numbers = zip(*(_split(each) for each in (old, lines)), strict=True)
    same = words[0] == words[1] and len(numbers[0]) == len(numbers[1])
    close = all(abs(a - b) <= NEAR for a, b in zip(*numbers, strict=False))
    return old if same and close else lines


def _split(lines: list[str]) -> tuple[list[str], list[int]]:
    text = "\n".join(lines)
    return sorted(re.findall(r"`\S+`", text)), [int(n) for n in re.findall(r"\d+", text)]
