"""The TensorBoard callback hands on each number of an epoch."""

import sys
import types

import pytest

import scg
from scg.train import TensorBoard
from tests.train.models import pixels, sbn


class Writer:
    """What the callback uses of tensorboardX."""

    def __init__(self, folder):
        self.folder, self.seen, self.flushed = folder, [], 0

    def add_scalar(self, name, value, step):
        self.seen.append((name, value, step))

    def flush(self):
        self.flushed += 1


def test_numbers_are_handed_on_with_the_count_of_updates(monkeypatch, tmp_path):
    fake = types.SimpleNamespace(SummaryWriter=Writer)
    monkeypatch.setitem(sys.modules, "tensorboardX", fake)
    board = TensorBoard(tmp_path)
    callbacks = [lambda run: {"twice": 2.0 * run.epoch, "note": "text"}, board]
    step = scg.compile(sbn())
    run = scg.fit(step, data={"x": pixels()}, seed=0, batch_size=6, epochs=2, callbacks=callbacks)
    writer = board.writer
    assert (writer.folder, writer.flushed) == (str(tmp_path), 2)
    assert [s for s in writer.seen if s[0] == "twice"] == [("twice", 2.0, 2), ("twice", 4.0, 4)]
    costs = [value for name, value, _ in writer.seen if name == "cost"]
    assert costs == [record["cost"] for record in run.history]
    assert {name for name, _, _ in writer.seen} == {"cost", "seconds", "twice"}


def test_without_tensorboardx_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(scg.UnsupportedError, match=r"pip install 'scg\[train\]'"):
        TensorBoard(tmp_path)
