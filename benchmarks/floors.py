"""The floor of a workload: its matrix products alone, by NumPy's BLAS into existing arrays.

No step can be faster with this library and these threads. Products with one weight in the same
direction are stacked, because one call with more rows is cheaper than two.
"""

import numpy as np

B, H, K = 100, 200, 4
#: (rows, inner, columns) of every product of one step: forward, then gradients.
PRODUCTS = {
    "W1a": [
        (B, 784, H),
        (K * B, H, H),
        (K * B, H, H),
        (K * B, H, 784),
        (784, B, H),
        (H, K * B, H),
        (H, K * B, H),
        (H, K * B, 784),
    ],
    # Sampled and mean-field rows share a product forward; slopes lead back through the mean's.
    "W1b": [
        (B, 784, H),
        (2 * B, H, H),
        (2 * B, H, H),
        (2 * B, H, 784),
        (B, 784, H),
        (B, H, H),
        (B, H, H),
        (784, B, H),
        (H, B, H),
        (H, B, H),
        (H, B, 784),
    ],
    "W2": [
        (128, 784, 400),
        (128, 400, 40),
        (128, 20, 400),
        (128, 400, 784),
        (400, 128, 784),
        (128, 784, 400),
        (20, 128, 400),
        (128, 400, 20),
        (400, 128, 40),
        (128, 40, 400),
        (784, 128, 400),
    ],
    "W3": [
        (B, 784, 512),
        (B, 512, 200),
        (K * B, 200, 512),
        (K * B, 512, 784),
        (512, K * B, 784),
        (K * B, 784, 512),
        (200, K * B, 512),
        (512, B, 200),
        (B, 200, 512),
        (784, B, 512),
    ],
}


def products(name):
    """A function that runs all matrix products of a workload in single precision."""
    rng = np.random.default_rng(0)
    calls = [
        (
            rng.random((rows, inner), np.float32),
            rng.random((inner, columns), np.float32),
            np.empty((rows, columns), np.float32),
        )
        for rows, inner, columns in PRODUCTS[name]
    ]

    def call():
        for a, b, out in calls:
            np.matmul(a, b, out)

    return call
