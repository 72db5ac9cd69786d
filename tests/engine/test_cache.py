"""The kernel cache: private, content-addressed, never trusted."""

import multiprocessing
import os
import signal
import stat
import subprocess
import sys

import pytest

from scg.engine.codegen import cache
from scg.errors import CallError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SCG_CACHE_DIR", str(tmp_path / "kernels"))
    return tmp_path / "kernels"


def test_an_entry_is_read_back_and_the_directory_is_private(folder):
    assert cache.read("a" * 64) is None
    cache.write("a" * 64, b"code")
    assert cache.read("a" * 64) == b"code"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("cut", [0, 5, 20, 44, 46])
def test_a_truncated_entry_is_absent(folder, cut):
    cache.write("k", b"code")
    path = folder / "k"
    path.write_bytes(path.read_bytes()[:cut])
    assert cache.read("k") is None


@pytest.mark.parametrize("position", [0, 15, 45, 48])
def test_a_flipped_bit_is_noticed(folder, position):
    cache.write("k", b"code")
    content = bytearray((folder / "k").read_bytes())
    content[position] ^= 1
    (folder / "k").write_bytes(content)
    assert cache.read("k") is None
    cache.write("k", b"code")
    assert cache.read("k") == b"code"


def test_an_entry_under_another_key_is_absent(folder):
    cache.write("k", b"code")
    (folder / "other").write_bytes((folder / "k").read_bytes())
    assert cache.read("other") is None


def test_a_directory_that_others_may_write_to_is_not_used(folder):
    folder.mkdir()
    folder.chmod(0o777)
    cache.write("k", b"code")
    assert cache.read("k") is None and not list(folder.iterdir())


def test_a_linked_entry_is_not_followed(folder, tmp_path):
    cache.write("k", b"code")
    (folder / "k").rename(tmp_path / "elsewhere")
    (folder / "k").symlink_to(tmp_path / "elsewhere")
    assert cache.read("k") is None


def test_an_empty_name_switches_it_off(monkeypatch):
    monkeypatch.setenv("SCG_CACHE_DIR", "")
    cache.write("k", b"code")
    assert cache.directory() is None and cache.read("k") is None


def test_a_file_in_place_of_the_directory_switches_it_off(folder):
    folder.write_text("not a directory")
    cache.write("k", b"code")
    assert cache.read("k") is None


def _write_often(number):
    for _ in range(200):
        cache.write("shared", bytes([number]) * 5000)


def test_writers_at_once_leave_one_whole_entry(folder):
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_often, args=(n,)) for n in (1, 2)]
    for writer in writers:
        writer.start()
    seen = {cache.read("shared") for _ in range(2000)}
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert seen <= {None, b"\1" * 5000, b"\2" * 5000}
    assert cache.read("shared") is not None
    assert [p.name for p in folder.iterdir()] == ["shared"]


def test_a_writer_that_fails_half_way_leaves_nothing_that_counts(folder, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cache.Path, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        cache.write("k", b"code")
    assert cache.read("k") is None


#: Writes half of an entry in place of the whole, says so, and waits to be killed; or is killed
#: between the finished file and its new name.
_KILLED = """
import sys, time
from scg.engine.codegen import cache
from scg.errors import CallError

def wait(*_):
    print("now", flush=True)
    time.sleep(60)

if sys.argv[1] == "in the file":
    real = cache.os.fdopen
    class File:
        def __init__(self, descriptor, mode):
            self.file = real(descriptor, mode)
        def __enter__(self):
            return self
        def __exit__(self, *_):
            self.file.close()
        def write(self, content):
            self.file.write(content[: len(content) // 2])
            self.file.flush()
            wait()
    cache.os.fdopen = File
else:
    cache.Path.replace = wait
cache.write("k", b"code" * 1000)
"""


@pytest.mark.parametrize("place", ["in the file", "before the name"])
@pytest.mark.parametrize("old", [None, b"older code"])
def test_a_writer_killed_half_way_leaves_what_was_there(folder, place, old):
    if old is not None:
        cache.write("k", old)
    writer = subprocess.Popen(
        [sys.executable, "-c", _KILLED, place], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None and writer.stdout.readline() == "now\n"
    writer.send_signal(signal.SIGKILL)
    assert writer.wait() == -signal.SIGKILL
    writer.stdout.close()
    left = [path for path in folder.iterdir() if path.name != "k"]
    assert left, "the writer was killed before it wrote anything"
    assert cache.read("k") == old
    assert all(cache.read(path.name) is None for path in left)
    cache.write("k", b"code")
    assert cache.read("k") == b"code"


def test_a_directory_of_somebody_else_is_not_used(folder, monkeypatch):
    cache.write("k", b"code")
    monkeypatch.setattr(cache.os, "getuid", lambda: folder.stat().st_uid + 1)
    assert cache.directory() is None and cache.read("k") is None
    cache.write("other", b"code")
    monkeypatch.undo()
    assert [path.name for path in folder.iterdir()] == ["k"]


def test_an_entry_of_somebody_else_is_not_read(folder, monkeypatch):
    """In a directory of our own: it was put there while the directory was another's."""
    cache.write("k", b"code")
    real = os.fstat

    def of_another(descriptor):
        values = list(real(descriptor))
        values[stat.ST_UID] += 1
        return os.stat_result(values)

    monkeypatch.setattr(cache.os, "fstat", of_another)
    assert cache.read("k") is None


def test_a_directory_that_cannot_be_written_is_read(folder, monkeypatch):
    cache.write("k", b"code")

    def refused(*_, **__):  # the administrator may write to a directory of mode 0500
        raise PermissionError(13, "Permission denied", str(folder))

    folder.chmod(0o500)
    monkeypatch.setattr(cache.tempfile, "mkstemp", refused)
    cache.write("other", b"code")
    assert cache.read("k") == b"code" and cache.read("other") is None
    folder.chmod(0o700)


def test_a_full_disk_leaves_no_half_entry(folder, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.Path, "replace", full)
    cache.write("k", b"code")
    assert cache.read("k") is None and not list(folder.iterdir())


def key(number):
    return f"{number:064x}"


def filled(folder, monkeypatch, megabytes="0.05"):
    """Ten entries of 4,000 bytes, used in their order."""
    monkeypatch.setenv("SCG_CACHE_SIZE", megabytes)
    monkeypatch.setattr(cache, "_unswept", 0)
    for number in range(10):
        cache.write(key(number), bytes(4000))
        os.utime(folder / key(number), (number, number))


def test_what_was_used_longest_ago_makes_room(folder, monkeypatch):
    filled(folder, monkeypatch)
    assert cache.read(key(0)) is not None  # used now
    (folder / "mine").write_bytes(bytes(10**6))  # somebody's own file in this directory
    for number in range(10, 20):
        cache.write(key(number), bytes(4000))
    size = sum(path.stat().st_size for path, _ in cache.entries())
    assert 0.5 * 50_000 < size <= 50_000 * 17 / 16 and (folder / "mine").exists()
    assert cache.read(key(0)) is not None and cache.read(key(19)) is not None
    assert all(cache.read(key(number)) is None for number in range(1, 5))


def test_a_new_process_looks_at_all_entries_when_it_first_writes(folder, monkeypatch):
    filled(folder, monkeypatch)
    monkeypatch.setenv("SCG_CACHE_SIZE", "0.01")
    monkeypatch.setattr(cache, "_unswept", None)
    old = folder / ".writing-killed"
    old.write_bytes(b"half")
    os.utime(old, (0, 0))
    (folder / ".writing-now").write_bytes(b"half")
    cache.write(key(10), bytes(4000))
    assert {path.name for path, _ in cache.entries()} == {key(9), key(10), ".writing-now"}


def test_an_entry_larger_than_the_cache_is_neither_written_nor_read(folder, monkeypatch):
    cache.write(key(0), bytes(4000))
    monkeypatch.setenv("SCG_CACHE_SIZE", "0.001")
    assert cache.read(key(0)) is None
    cache.write(key(1), bytes(4000))
    assert not (folder / key(1)).exists()


@pytest.mark.parametrize("size", ["many", "-1", "nan"])
def test_a_size_that_is_no_number_of_megabytes(monkeypatch, size):
    monkeypatch.setenv("SCG_CACHE_SIZE", size)
    with pytest.raises(CallError, match="SCG_CACHE_SIZE must be a number of megabytes"):
        cache.write("k", b"code")


def test_a_pipe_in_place_of_an_entry_is_absent(folder):
    cache.write("k", b"code")
    (folder / "k").unlink()
    os.mkfifo(folder / "k")
    assert cache.read("k") is None
    cache.write("k", b"code")
    assert cache.read("k") == b"code"


def test_a_tilde_is_the_home_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SCG_CACHE_DIR", "~/kernels here")
    assert cache.directory() == tmp_path / "kernels here"
    monkeypatch.delenv("SCG_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache.directory() == tmp_path / ".cache" / "scg"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # which the specification tells us to ignore
    assert cache.directory() == tmp_path / ".cache" / "scg"


@pytest.mark.skipif(os.name != "posix", reason="asks for the user's entry")
def test_without_a_home_there_is_no_cache(monkeypatch):
    import pwd

    def nobody(_):
        raise KeyError

    for name in ("HOME", "SCG_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    cache.write("k", b"code")
    assert cache.directory() is None and cache.read("k") is None
    monkeypatch.setenv("SCG_CACHE_DIR", "~/kernels")
    assert cache.directory() is None


_KEY = """
import sys
from scg.engine.codegen import native
if sys.argv[1:]:
    import numba
    for setting in sys.argv[1:]:
        exec(f"numba.config.{setting}")
print(native.identity("def kernel(table):\\n    pass\\n"), "numba" in sys.modules)
"""


def made_by(*changed, **environment):
    done = subprocess.run(
        [sys.executable, "-c", _KEY, *changed],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    identity, loaded = done.stdout.split()
    assert (loaded == "True") == bool(changed)
    return identity


def test_the_key_holds_the_settings_of_numba():
    pytest.importorskip("numba")
    usual = made_by()
    assert made_by("OPT = 3", "THREADING_LAYER = 'tbb'") == usual
    assert made_by(NUMBA_NUM_THREADS="1", NUMBA_DISABLE_JIT="1") == usual
    others = {made_by(NUMBA_OPT="0"), made_by("OPT = 0"), made_by(NUMBA_CPU_NAME="generic")}
    assert len(others | {usual}) == 4


_MODEL = """
import scg
g = scg.Graph("toy")
b = g.sample("b", scg.Bernoulli(logits=g.parameter("t", 0.5)))
g.cost("loss", (b - 0.3) ** 2)
print(scg.compile(g, scg.ScoreFunction(), backend="numba")(g.init(0), seed=1).cost)
"""


def test_kernels_are_compiled_whatever_numba_does_to_other_functions():
    command = [sys.executable, "-c", _MODEL]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert float(done.stdout) == pytest.approx(0.09) or float(done.stdout) == pytest.approx(0.49)


_TWO = """
import ctypes, sys
import numpy as np
from scg.engine.codegen import native

source = "def kernel(table):\\n    store_f8(word(table, 0), u8(0), f8(2.0), 0, 1)\\n"
print("ready", flush=True)
sys.stdin.readline()
out, scratch = np.zeros(1), np.zeros(2, np.int64)
words, at = np.array([out.ctypes.data]), scratch.ctypes.data
ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 3)(native.address(source))(
    at, at + 8, words.ctypes.data
)
print(out[0])
"""


def test_two_processes_compile_one_kernel_at_once(folder):
    pytest.importorskip("numba")
    both = [
        subprocess.Popen(
            [sys.executable, "-c", _TWO],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in both:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    answers = []
    for process in both:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in both:
        answers.append(process.communicate()[0])
        assert process.returncode == 0
    assert answers == ["2.0\n", "2.0\n"]
    (entry,) = folder.iterdir()
    assert cache.read(entry.name) is not None


def test_a_damaged_kernel_is_compiled_again(folder, monkeypatch):
    native = pytest.importorskip("scg.engine.codegen.native")
    source = "def kernel(table):\n    store_f8(word(table, 0), u8(0), f8(2.0), 0, 1)\n"
    monkeypatch.setattr(native, "_addresses", {})
    assert native.address(source)
    (entry,) = folder.iterdir()
    entry.write_bytes(entry.read_bytes()[:100])
    native._addresses.clear()
    assert native.address(source)
    assert cache.read(native.identity(source)) is not None


RUNNING_SUMS = """
import sys
import numpy as np
import scg
from scg.engine.walk.executable import Executable
from scg.ops import shape

g = scg.Graph("sums")
x = g.data("x", shape=(3, 4))
values = {x: np.arange(12.0).reshape(3, 4)}
for dtype in sys.argv[1:]:
    found = Executable({"sums": shape.cumsum(x)}, dtype).run(values, {})["sums"]
    np.testing.assert_array_equal(found, np.cumsum(values[x], axis=-1))
"""


def test_object_code_of_different_processes_shares_no_names():
    """What a kernel calls is its own, whatever the number that numba gave it in its process."""
    for types in (["f8"], ["f4"], ["f8", "f4"], ["f4", "f8"]):
        subprocess.run([sys.executable, "-c", RUNNING_SUMS, *types], check=True)
