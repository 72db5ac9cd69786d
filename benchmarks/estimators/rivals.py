"""The estimators measured on each task; K is the number of samples."""

import scg
from scg.estimators.baselines import MovingAverage, Network

THRESHOLDS = (0.45, 0.49, 0.499)
DIRICHLET = (1, 10, 100, 1000)
#: Which estimator trains the checkpoint at which all are measured.
CHECKPOINTS = {"bernoulli": scg.DisARM(), "categorical": scg.LeaveOneOut(samples=4)}

_SINGLE = {
    "score": scg.ScoreFunction(),
    "score, moving average": scg.ScoreFunction(MovingAverage()),
    "MuProp": scg.MuProp(),
    "REBAR": scg.REBAR(),
    "RELAX": scg.RELAX(),
    "straight-through": scg.StraightThrough(allow_biased=True),
    "Gumbel-softmax": scg.GumbelSoftmax(allow_biased=True),
    "straight-through Gumbel": scg.GumbelSoftmax(hard=True, allow_biased=True),
    "ReinMax": scg.ReinMax(allow_biased=True),
    "RAM": scg.RAM(),
}
_BINARY = {
    **_SINGLE,
    "leave-one-out, K=2": scg.LeaveOneOut(samples=2),
    "leave-one-out, K=4": scg.LeaveOneOut(samples=4),
    "leave-one-out, K=8": scg.LeaveOneOut(samples=8),
    "ARM": scg.ARM(),
    "DisARM": scg.DisARM(),
    "ARMS, K=4": scg.ARMS(samples=4),
    "ARMS, K=8": scg.ARMS(samples=8),
    "double CV, K=2": scg.DoubleCV(samples=2),
    "RODEO, K=2": scg.RODEO(samples=2, hidden=10),
}
_CLASSES = {
    **_SINGLE,
    "leave-one-out, K=3": scg.LeaveOneOut(samples=3),
    "CARMS, K=3": scg.CARMS(samples=3),
    "CARMS-G, K=3": scg.CARMS(samples=3, sampling="gumbel", allow_biased=True),
    "DisARM-SB": scg.CategoricalDisARM("stick"),
    "DisARM-Tree": scg.CategoricalDisARM("tree"),
    "ARSM": scg.ARSM(),
}
RIVALS = {
    "toy": {**_BINARY, "measure-valued": scg.MeasureValued()},
    "classes": {
        **_CLASSES,
        "unordered set, K=3": scg.UnorderedSet(samples=3),
        "sum and sample, K=3": scg.SumAndSample(samples=3),
        "stratified, K=3": scg.Stratified(samples=3),
    },
    "bernoulli": {**_BINARY, "score, network": scg.ScoreFunction(Network((100,)))},
    "categorical": {
        **_CLASSES,
        "leave-one-out, K=7": scg.LeaveOneOut(samples=7),
        "CARMS, K=7": scg.CARMS(samples=7),
    },
}
