"""The rows of the tables, most important first: a workload, its twin, and what is compared.

Every library computes the same estimator: the gradient of every parameter, in the row's dtype, with
noise of its own generator in each call. `work` says how much that is.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import formulas as f
import wider_formulas as w

PEERS = ("JAX jit", "torch eager", "torch.compile", "Storchastic")
#: Those that are timed unless ``--peers`` says otherwise. What compiles for long comes last in a
#: round, after all rows of the others.
USUAL = ("JAX jit", "torch eager", "torch.compile")
LATE = ("torch.compile",)
K, B, H = 4, 100, 200


@dataclass(frozen=True)
class Row:
    """A line of the tables.

    The noise of the peers has one `law` and the `shapes`; `leaves` are those of scg in the same
    order, stacked where they are more. The floor is the time of the matrix `products` (rows,
    inner, columns), or that of the `traffic` ("read" or "fill") of `numbers` in memory.
    """

    name: str
    work: str
    surrogate: Callable
    law: str
    shapes: tuple = ()
    leaves: tuple = ()
    goal: float | None = None
    products: tuple = ()
    numbers: int = 0
    traffic: str = "read"
    dtype: str = "float32"
    peers: tuple = USUAL
    runs: int = 1
    order: int = 1

    def workload(self):
        """The model in scg, which peers do not import."""
        from wider import ALL

        return ALL[self.name.removesuffix(" float64")]()


def layer(rows, inner, columns, first=False):
    """The products of a layer: forward, its weight's gradient, and its input's unless `first`."""
    forward, weight = (rows, inner, columns), (inner, rows, columns)
    return [forward, weight] if first else [forward, weight, (rows, columns, inner)]


def sbn(samples):
    # Products with one weight in the same direction are stacked; h is sampled, so that no
    # derivative of the decoder reaches it.
    up, down = samples * B, [(samples * B, H, H)] * 2
    return [
        (B, 784, H),
        *down,
        (up, H, 784),
        (784, B, H),
        *[(H, up, H)] * 2,
        (H, up, 784),
    ]


# Sampled and mean-field rows share a product forward; slopes lead back through the mean's.
MUPROP = [
    *[(B, 784, H), (2 * B, H, H), (2 * B, H, H), (2 * B, H, 784)],
    *[(B, 784, H), (B, H, H), (B, H, H)],
    *[(784, B, H), (H, B, H), (H, B, H), (H, B, 784)],
]
VAE = [
    *layer(128, 784, 400, first=True),
    *layer(128, 400, 40),
    *layer(128, 20, 400),
    *layer(128, 400, 784),
]
CATEGORICAL = [
    *layer(B, 784, 512, first=True),
    *layer(B, 512, 200),
    *layer(K * B, 200, 512, first=True),
    *layer(K * B, 512, 784),
]
CONVOLUTIONS = [
    *layer(64 * 196, 9, 16, first=True),
    *layer(64 * 49, 144, 32),
    *layer(64, 1568, 40),
    *layer(64, 20, 1568),
    *layer(64 * 49, 32, 144),
    *layer(64 * 196, 16, 9),
]
# Only products that read the state go step by step, (features in, out); all others, and gradients
# of weights, take the 50 steps at once.
MARKOV = [
    product
    for i, o in ((64, 32), (16, 192), (64, 192))
    for product in [(32, i, o), (32, o, i)] * 50 + [(i, 1600, o)]
] + [
    *layer(1600, 88, 32, first=True),
    *layer(1600, 88, 192, first=True),
    *layer(1600, 64, 32),
    *layer(1600, 80, 88),
]
REBAR = [(B, 784, H), (784, B, H), (3 * B, H, 784), (H, B, 784), (2 * B, 784, H)]
PARTICLES = [(16, 784, H), (784, 16, H), (800, H, 784), (H, 800, 784)]
TOPICS = [
    *layer(200, 2000, 100, first=True),
    *layer(200, 100, 100),
    *layer(200, 100, 100),
    *layer(200, 50, 2000),
]
VOCABULARY = [*layer(64, 64, 10**4, first=True), *layer(256, 64, 64)]

FIXED = [
    Row("convolutional VAE", "1-16-32 channels, 3×3, stride 2, transposed back; 20 latents, "
        "batch 64; pathwise", w.convolutional_vae, "normal", ((64, 20),),
        ("z/n",), 0.9, CONVOLUTIONS),
    Row("conv2d", "32→64 channels, 32×32, batch 32; forward and both gradients",
        w.convolution, "normal", goal=1.0,
        products=layer(32 * 1024, 288, 64)),
    Row("Hessian 20", "cost, gradient and Hessian of 20 logits, 10³ runs; score function (DiCE)",
        w.hessian, "uniform", ((1000, 20),), ("b/u",), 0.6,
        [(20, 1000, 20)], runs=1000, order=2),
    Row("Hessian 100", "the same with 100 logits", w.hessian, "uniform",
        ((1000, 100),), ("b/u",), 0.8, [(100, 1000, 100)], runs=1000, order=2),
    Row("vocabulary", "a word of 10⁴, its embedding of 64, batch 64; leave-one-out, K = 4",
        w.vocabulary, "uniform", ((K, 64, 1),), ("z/u",), 0.7, VOCABULARY),
    Row("markov", "GRU 64, 16 latents a step, 88 outputs, T = 50, batch 32; pathwise; `g.scan` "
        "against `lax.scan`", w.markov, "normal", ((50, 32, 16),), ("z/n",), 0.5,
        MARKOV),
    Row("logistic", "10⁵ × 50, posterior of full rank; pathwise", w.logistic,
        "normal", ((50,),), ("w/n",), 0.6, numbers=10**5 * 50 * 2),
    Row("REBAR", "belief network 784-200, batch 100; three costs a gradient", w.rebar,
        "uniform", ((B, H),) * 2, ("h/u", "h/v"), 0.6, REBAR),
    Row("W1a", "belief network 784-200-200, batch 100; leave-one-out over paths, K = 4",
        f.sbn_leave_one_out, "uniform", ((K, B, H),) * 2, ("h1/u", "h2/u"),
        0.55, sbn(K)),
    Row("W1b", "the same; MuProp", f.sbn_muprop, "uniform", ((B, H),) * 2,
        ("h1/u", "h2/u"), 0.45, MUPROP),
    Row("W2", "Gaussian autoencoder 784-400-20, batch 128; pathwise", f.vae,
        "normal", ((128, 20),), ("z/n",), 0.85, VAE),
    Row("W3", "categorical autoencoder 784-512-20×10, batch 100; leave-one-out, K = 4",
        f.categorical_vae, "uniform", ((K, B, 20, 1),), ("z/u",), 0.8,
        CATEGORICAL),
    Row("VIMCO", "belief network 784-200, 50 particles, batch 16", w.vimco, "uniform",
        ((50, 16, H),), ("h/u",), 0.55, PARTICLES),
    Row("ProdLDA", "2000 words, 100-100, 50 topics, batch 200; pathwise", w.topics,
        "normal", ((200, 50),), ("z/n",), 0.42, TOPICS),
    Row("five nodes", "five bits in a chain, one run; score function",
        w.five_nodes, "uniform", ((5,),), tuple(f"b{i}/u" for i in range(5)), 0.35),
    Row("Gaussian process", "400 points, Cholesky's factor, gradient in 3 logarithms",
        w.gaussian_process, "normal", goal=1.0),
    Row("sort", "10⁵ normals in order against data; pathwise", w.sorted_normals, "normal",
        ((10**5,),), ("z/n",), 1.0),
    Row("counts", "negative binomial regression, 2·10⁴ × 20, log-gamma functions", w.counts,
        "normal", goal=1.0),
    *(Row(f"table 10{power}", f"10{power} rows of 16, batch 512, dense gradient; pathwise",
          w.rows_of_a_table, "normal", ((512, 16),), ("z/n",),
          0.4, numbers=rows * 16, traffic="fill")
      for rows, power in ((10**4, "⁴"), (10**5, "⁵"), (10**6, "⁶"))),
]  # fmt: skip
TUNED = [
    Row("W4a", "one Bernoulli draw; score function", f.toy, "uniform", ((1,),),
        ("b/u",), 0.1),
    Row("W4b", "10⁶ Bernoulli draws; score function", f.toy, "uniform",
        ((10**6,),), ("b/u",), 0.35, runs=10**6),
    Row("W5", "chain of 200 layers of 16 bits, batch 64; score function; a loop for the peers",
        f.chain, "uniform", ((200, 64, 16),),
        tuple(f"h{t}/u" for t in range(200)), 0.3),
    Row("W6a", "10⁷ Bernoulli draws and log-probabilities", f.many_bernoulli,
        "uniform", ((10**7,),), ("x/u",), 0.15, runs=10**7),
    Row("W6b", "10⁷ normal draws and log-probabilities", f.many_normal,
        "normal", ((10**7,),), ("x/n",), 0.1, runs=10**7),
]  # fmt: skip
DOUBLE = [
    replace(row, name=f"{row.name} float64", dtype="float64", goal=None)
    for row in FIXED
    if row.name in ("W1a", "W1b", "W2", "W3")
]
#: In the order of a round; rows without a goal come last.
ROWS = {row.name: row for row in FIXED + TUNED + DOUBLE}
