"""Built-in models: short functions that declare a graph, to be copied and changed.

Most take the mean training image (`means`). Images are data ``x``, labels are data ``labels``. The
command line uses the names of :data:`MODELS`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import scg
from scg.models.gated import gated
from scg.models.logistic import logistic
from scg.models.mixture import mixture
from scg.models.policy import policy
from scg.models.sbn import fdarn, sbn, sbn_prior
from scg.models.structured import structured
from scg.models.vae import bernoulli_vae, categorical_vae, gaussian_vae

#: The built-in models by name.
MODELS: dict[str, Callable[..., scg.Graph]] = {
    "sbn1": partial(sbn, hidden=(32,)),
    "sbn2": partial(sbn, hidden=(32, 32)),
    "sbn3": partial(sbn, hidden=(32, 32, 32)),
    "fdarn": fdarn,
    "bernoulli_vae": bernoulli_vae,
    "bernoulli_vae_nonlinear": partial(bernoulli_vae, layers=(64,)),
    "categorical_vae": categorical_vae,
    "gaussian_vae": gaussian_vae,
    "structured": structured,
    "structured_categorical": partial(structured, hidden=(8, 8), classes=5),
    "gated": gated,
    "policy": policy,
    "logistic": logistic,
    "mixture": mixture,
}

# fmt: off
__all__ = [
    "MODELS", "bernoulli_vae", "categorical_vae", "fdarn", "gated", "gaussian_vae", "logistic",
    "mixture", "policy", "sbn", "sbn_prior", "structured",
]
# fmt: on
