"""The kernel cache: private, content-addressed, never trusted."""

import multiprocessing
import stat

import pytest

from scg.engine import cache


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


def test_a_writer_killed_half_way_leaves_nothing_that_counts(folder, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cache.Path, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        cache.write("k", b"code")
    assert cache.read("k") is None


def test_a_damaged_kernel_is_compiled_again(folder):
    native = pytest.importorskip("scg.engine.native")
    source = "def kernel(table):\n    store_f8(word(table, 0), u8(0), f8(2.0), 0, 1)\n"
    native._addresses.pop(native.identity(source), None)
    assert native.address(source)
    (entry,) = folder.iterdir()
    entry.write_bytes(entry.read_bytes()[:100])
    native._addresses.pop(native.identity(source))
    assert native.address(source)
    assert cache.read(native.identity(source)) is not None
