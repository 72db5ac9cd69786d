"""Checkpoints: every bit kept, atomic, and refused when they do not belong."""

import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import scg
from scg.train import checkpoint
from tests.train.models import nvil, pixels, sbn

DATA = {"x": pixels()}
OPTIONS = {"data": DATA, "seed": 3, "batch_size": 4, "epochs": 4}


@pytest.fixture(scope="module")
def step():
    return nvil()


def sha(run):
    return checkpoint.digest({"params": run.params, "state": run.state})


def test_arrays_come_back_bit_by_bit(tmp_path):
    arrays = {
        "scalar": np.array(0.1),
        "nested": {"a/b": np.arange(6, dtype=np.float32).reshape(2, 3).T, "e": np.zeros((0, 2))},
        "odd": np.array([np.nan, -0.0, np.inf, 5e-324]),
        "int": np.array([2**62], dtype=np.int64),
    }
    checkpoint.save(tmp_path / "c", arrays, {"π": [1, 0.1, None]})
    found, about = checkpoint.load(tmp_path / "c")
    assert about == {"π": [1, 0.1, None]}
    assert checkpoint.digest(found) == checkpoint.digest(arrays)
    assert found["nested"]["a/b"].dtype == np.float32
    np.testing.assert_array_equal(found["nested"]["a/b"], arrays["nested"]["a/b"])
    assert found["scalar"].shape == ()


class Interrupt:
    """Raise KeyboardInterrupt, as Ctrl-C does, in the middle of a run."""

    def __init__(self, after):
        self.left = after

    def __call__(self, batch, seed):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return batch

    def __repr__(self):
        return "Interrupt"


@pytest.mark.parametrize("after", [0, 1, 3, 7])
def test_an_interrupted_run_resumes_bit_by_bit(step, tmp_path, after):
    whole = scg.fit(step, **OPTIONS, transform=Interrupt(99))
    files = {"checkpoint": tmp_path / "c.safetensors", "metrics": tmp_path / "m.jsonl"}
    with pytest.raises(KeyboardInterrupt):
        scg.fit(step, **OPTIONS, **files, transform=Interrupt(after))
    about = checkpoint.load(files["checkpoint"])[1]
    assert about["count"] == after
    again = scg.fit(step, **OPTIONS, **files, transform=Interrupt(99), resume=True)
    assert sha(again) == sha(whole)
    costs = [[r["cost"] for r in run.history] for run in (whole, again)]
    assert costs[0] == costs[1]
    lines = [json.loads(line) for line in files["metrics"].read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]


def test_an_interrupt_while_an_epoch_is_measured_repeats_the_measurement(step, tmp_path):
    class Measure:
        def __init__(self, last):
            self.last = last

        def __call__(self, run):
            if run.epoch == self.last:
                raise KeyboardInterrupt
            return {"twice": 2 * run.epoch}

    path = tmp_path / "c.safetensors"
    whole = scg.fit(step, **OPTIONS, callbacks=[Measure(None)])
    with pytest.raises(KeyboardInterrupt):
        scg.fit(step, **OPTIONS, checkpoint=path, callbacks=[Measure(2)])
    again = scg.fit(step, **OPTIONS, checkpoint=path, callbacks=[Measure(None)], resume=True)
    assert sha(again) == sha(whole)
    assert [record["twice"] for record in again.history] == [2, 4, 6, 8]


def test_a_finished_run_can_be_lengthened(step, tmp_path):
    path = tmp_path / "c.safetensors"
    whole = scg.fit(step, **OPTIONS)
    scg.fit(step, **{**OPTIONS, "epochs": 1}, checkpoint=path)
    assert sha(scg.fit(step, **OPTIONS, checkpoint=path, resume=True)) == sha(whole)


KILLS = """
    import os, random, signal, sys, time
    from pathlib import Path
    import scg
    from scg.train import checkpoint
    from tests.train.models import nvil, pixels

    step, moments = nvil(), random.Random(0)

    def digest(path, epochs=100):
        run = scg.fit(step, data={"x": pixels()}, seed=3, batch_size=4, epochs=epochs,
                      checkpoint=path, checkpoint_every=2, resume=path.exists())
        return checkpoint.digest({"params": run.params, "state": run.state})

    def killed(path, moment):
        '''Train in a process of its own that is killed; say whether it was.'''
        child = os.fork()
        if child:
            if isinstance(moment, float):
                time.sleep(moment)
                os.kill(child, signal.SIGKILL)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        if isinstance(moment, int):  # inside the checkpoint write, before the rename or after
            real, left = os.fsync, iter(range(moment, -1, -1))

            def fsync(handle):
                if next(left) == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                real(handle)

            os.fsync = fsync
        digest(path)
        os._exit(0)

    whole, part = Path(sys.argv[1], "whole"), Path(sys.argv[1], "part")
    digest(whole, epochs=1)  # makes the machine code, whatever the engine
    started = time.perf_counter()
    print(digest(whole))
    longest = (time.perf_counter() - started) / 20
    inside = [6, 0, 11, 1, 4]  # counts of calls of fsync
    every = [moments.uniform(0, longest) for _ in range(20 - len(inside))] + inside
    moments.shuffle(every)
    print(sum(killed(part, moment) for moment in every))
    print(digest(part))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs SIGKILL and fork")
def test_twenty_killed_runs_resume_bit_by_bit(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(KILLS), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    whole, kills, part = done.stdout.split()
    assert kills == "20"
    assert part == whole
    assert sorted(p.name for p in tmp_path.iterdir()) == ["part", "whole"]  # nothing left lying


def write(tmp_path, step, **options):
    path = tmp_path / "c.safetensors"
    scg.fit(step, **{**OPTIONS, "epochs": 1, **options}, checkpoint=path)
    return path


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seed": 4}, r"its seed is \[3\], here it is \[4\]"),
        ({"batch_size": 6}, "its batch size is 4, here it is 6"),
        ({"optimizer": scg.optim.SGD(0.1)}, "its optimizer is 'Adam"),
        ({"data": {"x": pixels(seed=1)}}, r"its data \(x\) is"),
    ],
)
def test_another_run_is_refused_and_nothing_overwritten(step, tmp_path, changed, message):
    path = write(tmp_path, step)
    before = path.read_bytes()
    with pytest.raises(scg.CheckpointError, match=message):
        scg.fit(step, **{**OPTIONS, **changed}, checkpoint=path, resume=True)
    assert path.read_bytes() == before


def test_another_model_is_refused(step, tmp_path):
    path = write(tmp_path, step)
    other = scg.compile(sbn(hidden=2), estimator=scg.MuProp())
    with pytest.raises(scg.CheckpointError, match=r"its parameters \(encoder\) is \[4, 3\]"):
        scg.fit(other, **OPTIONS, checkpoint=path, resume=True)


def test_a_checkpoint_in_the_way_is_not_overwritten(step, tmp_path):
    path = write(tmp_path, step)
    before = path.read_bytes()
    with pytest.raises(scg.CheckpointError, match="is there already"):
        scg.fit(step, **OPTIONS, checkpoint=path)
    assert path.read_bytes() == before


def test_damage_is_found(step, tmp_path):
    path = write(tmp_path, step)
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[-3] ^= 1
    for damaged in (content[:-9], content[:5], b"", b"no checkpoint at all", bytes(flipped)):
        path.write_bytes(damaged)
        with pytest.raises(scg.CheckpointError, match="damaged"):
            checkpoint.load(path)
    with pytest.raises(scg.CheckpointError, match="there is no checkpoint"):
        checkpoint.load(tmp_path / "missing")


def test_a_safetensors_file_of_others_is_refused(tmp_path):
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(2)}, tmp_path / "other")
    with pytest.raises(scg.CheckpointError, match="not a checkpoint of scg"):
        checkpoint.load(tmp_path / "other")


def test_a_full_disk_leaves_the_old_checkpoint(step, tmp_path, monkeypatch):
    path = write(tmp_path, step)
    before = path.read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(scg.CheckpointError, match="No space left on device"):
        scg.fit(step, **OPTIONS, checkpoint=path, resume=True)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_place_that_is_no_directory(step, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(scg.CheckpointError, match="cannot write"):
        scg.fit(step, **OPTIONS, checkpoint=tmp_path / "file" / "c.safetensors")
