"""Files that are replaced, and what is written to instead."""

import os
import stat
import threading

import pytest

from scg.common.files import held, write_atomically


def test_a_link_stays_and_its_target_is_replaced(tmp_path):
    target, link = tmp_path / "there" / "target", tmp_path / "link"
    link.symlink_to(target)
    for content in (b"new", b"newer"):
        write_atomically(link, content)
        assert link.is_symlink() and target.read_bytes() == content
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_a_link_is_locked_with_its_target(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    with held(link), pytest.raises(BlockingIOError), held(target):
        pass


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_permissions_stay(tmp_path, mode):
    path = tmp_path / "private"
    path.touch()
    path.chmod(mode)
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new" and stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_pipe_is_written_to(tmp_path):
    path, read = tmp_path / "pipe", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()), daemon=True)
    reader.start()
    write_atomically(path, b"new")
    reader.join(10.0)
    assert read == [b"new"] and stat.S_ISFIFO(path.stat().st_mode)


@pytest.mark.parametrize("place", ["", ".", "folder", "loop", "a\0b"])
def test_errors_name_the_path_as_given(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError) as caught:
        write_atomically(place, b"new")
    assert caught.value.filename == place
    assert not any(path.is_file() for path in tmp_path.rglob("*"))
