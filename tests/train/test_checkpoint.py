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


SCALE = 2.0
MODELS = {
    "first": lambda t, z: (z - 0.5) ** 2,
    "constant": lambda t, z: (z - 0.4) ** 2,
    "nonlinearity": lambda t, z: np.tanh((z - 0.5) ** 2),
    "law": lambda t, z: (z - 0.5) ** 2,
    "element": lambda t, z: (z - 0.5) ** 2,
    "op": lambda t, z: scg.op(lambda a: 2.0 * a, lambda g, y, a: 2.0 * g, name="f")(z),
    "op's constant": lambda t, z: scg.op(lambda a: 3.0 * a, lambda g, y, a: 2.0 * g, name="f")(z),
    "op's gradient": lambda t, z: scg.op(lambda a: 2.0 * a, lambda g, y, a: 3.0 * g, name="f")(z),
    "op's global": lambda t, z: scg.op(lambda a: SCALE * a, lambda g, y, a: 2.0 * g, name="f")(z),
}


def toy(name):
    g = scg.Graph("toy")
    t = g.parameter("t", 0.3)
    family = scg.Laplace if name == "law" else scg.Normal
    base = scg.Laplace if name == "element" else scg.Normal
    z = g.sample("z", family(t, 1.0))
    w = g.sample("w", scg.Independent(base(t * np.ones(2), 1.0), 1))
    g.cost("loss", MODELS[name](t, z) + np.sum(w))
    return scg.compile(g, backend="numpy")


def test_a_model_of_equal_names_and_shapes_is_refused(tmp_path, monkeypatch):
    options = {"seed": 0, "steps_per_epoch": 1, "checkpoint": tmp_path / "c"}
    for name in MODELS:
        scg.fit(toy(name), **options)
        scg.fit(toy(name), **options, epochs=2, resume=True)
        for other in MODELS.keys() - {name}:
            with pytest.raises(scg.CheckpointError, match=r"its declaration \([zw]|loss\) is"):
                scg.fit(toy(other), **options, epochs=2, resume=True)
        (tmp_path / "c").unlink()
    scg.fit(toy("op's global"), **options)
    monkeypatch.setattr(sys.modules[__name__], "SCALE", 5.0)
    with pytest.raises(scg.CheckpointError, match=r"its declaration \(loss\) is"):
        scg.fit(toy("op's global"), **options, resume=True)


def test_other_code_of_a_schedule_or_a_transform_is_refused(step, tmp_path):
    path = tmp_path / "c"
    options = {**OPTIONS, "epochs": 1, "checkpoint": path}
    for name, one, other in (
        ("optimizer", scg.optim.Adam(lambda n: 0.1), scg.optim.Adam(lambda n: 0.2)),
        ("transform", lambda batch, seed: batch, lambda batch, seed: {"x": 1 - batch["x"]}),
    ):
        scg.fit(step, **options, **{name: one})
        with pytest.raises(scg.CheckpointError, match=f"its {name} is"):
            scg.fit(step, **options, **{name: other}, resume=True)
        path.unlink()


DIGESTS = """
import sys, scg
from scg.graph.declaration.digest import digests
g = scg.Graph("m")
z = g.sample("z", scg.Categorical(logits=g.parameter("t", [0.1, 0.2, 0.3])))
g.cost("loss", scg.op(lambda z: float(int(z) in {0, 1, 7} or "a" in {"b", "c", "d"}))(z))
print(digests(g))
"""


def test_digests_do_not_depend_on_the_process():
    found = {
        subprocess.run(
            [sys.executable, "-c", DIGESTS],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in "12"
    }
    assert len(found) == 1


def test_a_checkpoint_in_the_way_is_not_overwritten(step, tmp_path):
    path = write(tmp_path, step)
    before = path.read_bytes()
    with pytest.raises(scg.CheckpointError, match="is there already"):
        scg.fit(step, **OPTIONS, checkpoint=path)
    assert path.read_bytes() == before


def test_damage_is_found(step, tmp_path):
    path = write(tmp_path, step)
    content = path.read_bytes()
    for damaged in (content[:-9], content[:5], b"", b"no checkpoint at all"):
        path.write_bytes(damaged)
        with pytest.raises(scg.CheckpointError, match="damaged"):
            checkpoint.load(path)
    with pytest.raises(scg.CheckpointError, match="there is no checkpoint"):
        checkpoint.load(tmp_path / "missing")


def test_every_flipped_bit_is_found(step, tmp_path):
    path = write(tmp_path, step)
    content, (arrays, about) = path.read_bytes(), checkpoint.load(path)
    found = 0
    for position in range(0, len(content), 5):
        flipped = bytearray(content)
        flipped[position] ^= 1 << position % 7
        path.write_bytes(flipped)
        try:
            there = checkpoint.load(path)
        except scg.CheckpointError:
            found += 1
            continue
        # JSON may say the same in other bytes: spaces, \u001f and \u001F.
        assert checkpoint.digest(there[0]) == checkpoint.digest(arrays) and there[1] == about
    assert found > 0.19 * len(content)


def forged(tmp_path, step, arrays=None, **changed):
    """A checkpoint that says something else, under a digest of its own."""
    path = write(tmp_path, step)
    found, about = checkpoint.load(path)
    checkpoint.save(path, {**found, **(arrays or {})}, {**about, **changed})
    return path


@pytest.mark.parametrize(
    "changed",
    [
        {"count": "3"},
        {"count": -3},
        {"count": 2},
        {"count": 3.5},
        {"updates": [1]},
        {"updates": None},
        {"cost": None},
        {"history": {}},
        {"history": [3]},
        {"history": [{"epoch": 1}]},
        {"settings": []},
        {"arrays": {"params": {}}},
        {"arrays": {"params": np.zeros(3)}},
        {"arrays": {"state": {"h": {"W0": np.zeros((9, 9))}}}},
        {"arrays": {"optimizer": {"encoder": {"first": np.zeros((9, 9)), "second": np.zeros(1)}}}},
        {"arrays": {"optimizer": {"unknown": {"first": np.zeros(1)}}}},
        {"arrays": {"own": {"h@W0": np.zeros(3)}}},
    ],
)
def test_what_no_run_writes_is_refused(step, tmp_path, changed):
    path = forged(tmp_path, step, **changed)
    with pytest.raises(
        scg.CheckpointError, match=r"damaged: its header holds|of another run: its model"
    ):
        scg.fit(step, **OPTIONS, checkpoint=path, resume=True)


def header(tensors, **about):
    entries = {"__metadata__": about, **tensors} if about else tensors
    text = json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text


EMPTY = {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}
ALIEN = {
    "of the type BF16": header(
        {"a": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}},
        scg="2",
        about="{}",
        digest="",
    )
    + b"\0\0",
    "with a long header": (10**9).to_bytes(8, "little") + b"{" * 9,
    "of many arrays": header(dict.fromkeys(map(str, range(140_000)), EMPTY)),
    "without a digest": header({}, scg="2", about="{}"),
    "with words for JSON": header({}, scg="2", about="{", digest=checkpoint._digest({}, "{")),
    "with a deep description": header(
        {}, scg="2", about="[" * 9**5, digest=checkpoint._digest({}, "[" * 9**5)
    ),
    "with a list for a description": header(
        {}, scg="2", about="[1]", digest=checkpoint._digest({}, "[1]")
    ),
    "of a later version": header({}, scg="3", about="{}", digest=""),
}


@pytest.mark.parametrize("kind", ALIEN)
def test_a_forged_header_is_refused(tmp_path, kind):
    (tmp_path / "c").write_bytes(ALIEN[kind])
    with pytest.raises(scg.CheckpointError, match=r"damaged|more than 131072|in format 3"):
        checkpoint.load(tmp_path / "c")


def test_a_checkpoint_of_the_old_form_is_one_clear_error(step, tmp_path):
    from safetensors.numpy import save_file

    old = {"format": 1, "digest": "0" * 64, "about": {}}
    save_file({"params\x1fencoder": np.zeros(2)}, tmp_path / "c", {"scg": json.dumps(old)})
    with pytest.raises(scg.CheckpointError, match="written by an earlier version of scg"):
        scg.fit(step, **OPTIONS, checkpoint=tmp_path / "c", resume=True)


def test_what_cannot_be_read_again_is_not_written(tmp_path):
    with pytest.raises(scg.CheckpointError, match="cannot hold slot of a of optimizer, an array"):
        checkpoint.save(tmp_path / "c", {"optimizer": {"a": {"slot": np.array("words")}}}, {})
    many = {str(i): np.zeros(0, np.uint8) for i in range(checkpoint.ARRAYS + 1)}
    with pytest.raises(scg.CheckpointError, match="131073 arrays, more than 131072"):
        checkpoint.save(tmp_path / "c", many, {})
    assert not list(tmp_path.iterdir())


def test_a_safetensors_file_of_others_is_refused(tmp_path):
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(2)}, tmp_path / "other")
    with pytest.raises(scg.CheckpointError, match="not a checkpoint of scg"):
        checkpoint.load(tmp_path / "other")


def test_a_second_run_in_one_place_is_refused_while_the_first_goes_on(step, tmp_path):
    files = {"checkpoint": tmp_path / "c", "metrics": tmp_path / "m"}
    refused = []

    def second(run):
        for options in ({"resume": True}, {}):
            with pytest.raises(scg.CheckpointError, match="another run writes there now"):
                scg.fit(step, **OPTIONS, **files, **options)
        with pytest.raises(scg.CheckpointError, match="m: another run writes there now"):
            scg.fit(step, **OPTIONS, metrics=files["metrics"])
        refused.append(run.epoch)

    run = scg.fit(step, **OPTIONS, **files, callbacks=[second])
    assert refused == [1, 2, 3, 4]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "m"]
    again = scg.fit(step, **OPTIONS, **files, resume=True)
    assert sha(again) == sha(run)


def test_the_lock_of_a_killed_run_is_free_and_what_it_left_is_removed(step, tmp_path):
    path = write(tmp_path, step)
    (tmp_path / f".{path.name}.partial-1-ab").write_bytes(b"half")
    (tmp_path / f".{path.name}.lock").write_bytes(b"")
    scg.fit(step, **OPTIONS, checkpoint=path, resume=True)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


WRITERS = """
import os, sys
from scg.common.files import write_atomically
for _ in range(50):
    write_atomically(sys.argv[1], sys.argv[2].encode() * 100_000)
"""


def test_writers_at_once_leave_one_whole_file(tmp_path):
    path = tmp_path / "file"
    both = [subprocess.Popen([sys.executable, "-c", WRITERS, path, word]) for word in "ab"]
    while any(process.poll() is None for process in both):
        if path.exists():
            assert path.read_bytes() in (b"a" * 100_000, b"b" * 100_000)
    assert [process.wait() for process in both] == [0, 0]
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_of_a_callback_keeps_the_epoch(step, tmp_path):
    class Fails:
        def __init__(self, at):
            self.at = at

        def __call__(self, run):
            if run.epoch == self.at:
                raise ZeroDivisionError

    path = tmp_path / "c"
    whole = scg.fit(step, **OPTIONS)
    with pytest.raises(ZeroDivisionError):
        scg.fit(step, **OPTIONS, checkpoint=path, callbacks=[Fails(2)])
    assert checkpoint.load(path)[1]["count"] == 5
    assert sha(scg.fit(step, **OPTIONS, checkpoint=path, resume=True)) == sha(whole)


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


@pytest.mark.parametrize("place", ["file/c.safetensors", "", ".", "/", "a\0b"])
def test_a_place_where_no_file_can_be(step, tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(scg.CheckpointError, match="cannot write"):
        scg.fit(step, **OPTIONS, checkpoint=place)
    with pytest.raises(OSError):
        scg.compile(sbn(), backend="numpy").explain().to_html(place)
