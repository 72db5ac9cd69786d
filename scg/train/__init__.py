"""Training: optimizers, the loop, checkpoints, metrics, evaluation."""

from scg.train import optim
from scg.train.batches import Batches
from scg.train.evaluate import Evaluation, HeldOut, evaluate
from scg.train.fit import fit
from scg.train.metrics import GradientVariance, JsonLines, Writer
from scg.train.run import Run
from scg.train.stream import Stream
from scg.train.tensorboard import TensorBoard
from scg.train.windows import Windows

# fmt: off
__all__ = [
    "Batches", "Evaluation", "GradientVariance", "HeldOut", "JsonLines", "Run", "Stream",
    "TensorBoard", "Windows", "Writer", "evaluate", "fit", "optim",
]
# fmt: on
