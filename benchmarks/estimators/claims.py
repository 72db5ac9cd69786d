"""Claims of papers that one estimator has a lower variance than another.

`equal` states what is the same for both sides in the paper: one run of each ("runs"), or the number
of evaluations of the cost ("evaluations").
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """The claim that the estimator `less` has a lower variance than `more`."""

    source: str
    tasks: tuple[str, ...]
    less: str
    more: str
    equal: str = "runs"


_BINARY, _CLASSES = ("toy", "bernoulli"), ("classes", "categorical")
ARM, DISARM = "ARM", "DisARM"
CLAIMS = (
    Claim("Dong, Mnih and Tucker (2020)", _BINARY, DISARM, ARM),
    Claim("Dong, Mnih and Tucker (2020)", _BINARY, DISARM, "leave-one-out, K=2"),
    Claim("Dimitriev and Zhou (2021), ARMS", _BINARY, "ARMS, K=4", "leave-one-out, K=4"),
    Claim("Dimitriev and Zhou (2021), ARMS", _BINARY, "ARMS, K=8", "leave-one-out, K=8"),
    Claim("Dimitriev and Zhou (2021), CARMS", _CLASSES, "CARMS, K=3", "leave-one-out, K=3"),
    Claim("Dimitriev and Zhou (2021), CARMS", ("categorical",), "CARMS, K=7", "leave-one-out, K=7"),
    Claim("Dimitriev and Zhou (2021), CARMS", _CLASSES, "CARMS, K=3", "ARSM", "evaluations"),
    Claim("Dimitriev and Zhou (2021), CARMS", ("classes",), "CARMS, K=3", "unordered set, K=3"),
    Claim("Tucker et al. (2017)", _BINARY, "REBAR", "score"),
    Claim("Tucker et al. (2017)", ("bernoulli",), "REBAR", "MuProp"),
    Claim("Grathwohl et al. (2018)", _BINARY, "RELAX", "REBAR"),
    Claim("Titsias and Shi (2022)", _BINARY, "double CV, K=2", DISARM),
    Claim("Shi et al. (2022)", _BINARY, "RODEO, K=2", DISARM),
    Claim("Shi et al. (2022)", _BINARY, "RODEO, K=2", "double CV, K=2"),
    Claim("Gu et al. (2016)", ("bernoulli", "categorical"), "MuProp", "score"),
    Claim("Tokui and Sato (2017)", _BINARY, "RAM", "MuProp"),
    Claim("Kool, van Hoof and Welling (2020)", ("classes",), "unordered set, K=3",
          "leave-one-out, K=3"),
)  # fmt: skip
