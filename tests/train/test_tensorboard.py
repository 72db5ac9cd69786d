"""The TensorBoard writer hands on each number of a record."""

import sys
import time
import types

import pytest

import scg
from scg.train import TensorBoard
from tests.train.models import pixels, sbn


class Writer:
    """What the callback uses of tensorboardX."""

    def __init__(self, folder, flush_secs):
        self.folder, self.seen = folder, []

    def add_scalar(self, name, value, step):
        self.seen.append((name, value, step))


@pytest.fixture
def board(monkeypatch, tmp_path):
    fake = types.SimpleNamespace(SummaryWriter=Writer)
    monkeypatch.setitem(sys.modules, "tensorboardX", fake)
    return TensorBoard(tmp_path)


def fit(board, **options):
    step = scg.compile(sbn())
    return scg.fit(
        step, data={"x": pixels()}, seed=0, batch_size=6, epochs=2, metrics=board, **options
    )


def test_numbers_are_handed_on_with_the_count_of_updates(board, tmp_path):
    run = fit(board, callbacks=[lambda run: {"twice": 2.0 * run.epoch, "note": "text"}])
    writer = board.writer
    assert writer.folder == str(tmp_path)
    assert [s for s in writer.seen if s[0] == "twice"] == [("twice", 2.0, 2), ("twice", 4.0, 4)]
    costs = [value for name, value, _ in writer.seen if name == "cost"]
    assert costs == [record["cost"] for record in run.history]
    assert {name for name, _, _ in writer.seen} == {"cost", "seconds", "twice"}


def test_the_cost_of_each_update_on_request(board):
    run = fit(board, log_every=1)
    updates = [(value, step) for name, value, step in board.writer.seen if name == "update/cost"]
    assert [step for _, step in updates] == [1, 2, 3, 4]
    means = [(updates[i][0] + updates[i + 1][0]) / 2 for i in (0, 2)]
    assert means == pytest.approx([record["cost"] for record in run.history], rel=1e-12)


def test_records_are_on_disk_while_the_process_lives(tmp_path):
    board = TensorBoard(tmp_path)
    fit(board)
    [file] = tmp_path.iterdir()
    end = time.monotonic() + 20
    while file.read_bytes().count(b"cost") < 2 and time.monotonic() < end:
        time.sleep(0.1)
    assert file.read_bytes().count(b"cost") == 2
    board.writer.close()


def test_without_tensorboardx_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(scg.UnsupportedError, match=r"pip install 'scgrad\[train\]'"):
        TensorBoard(tmp_path)
