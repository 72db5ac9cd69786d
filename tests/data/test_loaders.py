"""Loaders: what they read, and what they refuse in one line."""

import gzip
import struct
import tracemalloc
import warnings
import zipfile

import numpy as np
import pytest

import scg
from scg.data import address, load, read_idx, read_npz

CODES = {"u1": 0x08, "i1": 0x09, ">i2": 0x0B, ">i4": 0x0C, ">f4": 0x0D, ">f8": 0x0E}


def idx(array, dtype="u1"):
    shape = array.shape
    head = bytes([0, 0, CODES[dtype], len(shape)]) + struct.pack(f">{len(shape)}I", *shape)
    return head + array.astype(dtype).tobytes()


@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("packed", [False, True])
def test_idx_of_every_type(tmp_path, dtype, packed):
    array = np.arange(24).reshape(2, 3, 4) - (8 if dtype not in ("u1",) else 0)
    content = idx(array, dtype)
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(content, mtime=0) if packed else content)
    found = read_idx(path)
    np.testing.assert_array_equal(found, array)
    assert found.dtype == np.dtype(dtype).newbyteorder("=")
    assert found.dtype.isnative


IMAGES = np.arange(2 * 2 * 2, dtype=np.uint8).reshape(2, 2, 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an IDX file"),
        (b"\0\0\x08", "not an IDX file"),
        (b"PK\x03\x04 something", "not an IDX file: it begins with 50 4b"),
        (b"\0\0\x07\x01\0\0\0\0", "unknown IDX type 0x07"),
        (b"\0\0\x08\x03\0\0\0\x02", "truncated within its header"),
        (idx(IMAGES)[:-1], r"shape \(2, 2, 2\) needs 8 bytes of values, found 7"),
        (idx(IMAGES) + b"\0", "needs 8 bytes of values, found more"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "declares 79228162458924105385300197375 bytes of values"),
        (
            b"\0\0\x08\x03\0\0\0\x02" + b"\0" * 7 + b"\x02\x05",
            r"shape \(2, 0, 2\) needs 0 .*, found more",
        ),
        (b"\0\0\x08\xff" + b"\0\0\0\x01" * 255 + b"\0", "255 axes, more than 64"),
        (gzip.compress(idx(IMAGES), mtime=0)[:-9], "damaged or truncated gzip"),
        (gzip.compress(idx(IMAGES), mtime=0)[:12] + b"\xff" * 20, "gzip|not an IDX"),
    ],
)
def test_idx_that_is_refused(tmp_path, content, message):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(scg.DataError, match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files(tmp_path):
    with pytest.raises(scg.DataError, match="No such file"):
        read_idx(tmp_path / "none")
    with pytest.raises(scg.DataError, match="No such file"):
        read_npz(tmp_path / "none")
    with pytest.raises(scg.DataError, match="Is a directory"):
        read_idx(tmp_path)


def test_npz_that_is_refused(tmp_path):
    good = tmp_path / "good.npz"
    np.savez_compressed(good, x_train=np.random.default_rng(0).random((50, 8)))
    content = good.read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 0xFF
    np.save(tmp_path / "bare.npy", np.zeros(2))
    np.savez(tmp_path / "object.npz", x=np.array([{}], dtype=object), allow_pickle=True)
    cases = {
        "truncated": (content[: len(content) // 2], "damaged or not an npz"),
        "flipped": (bytes(flipped), "damaged or not an npz"),
        "text": (b"hello", "damaged or not an npz"),
        "empty": (b"", "damaged or not an npz"),
        "bare": ((tmp_path / "bare.npy").read_bytes(), "one bare array"),
        "object": ((tmp_path / "object.npz").read_bytes(), "damaged or not an npz"),
    }
    for name, (damaged, message) in cases.items():
        path = tmp_path / name
        path.write_bytes(damaged)
        with pytest.raises(scg.DataError, match=message) as caught:
            read_npz(path)
        assert "\n" not in str(caught.value)


def zipped(tmp_path, *members, **options):
    """A zip of names and contents."""
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", **options) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, content in members:
            archive.writestr(name, content)
    return path


def npy(header, content=b"", version=b"\1\0"):
    text = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text + content


def encrypted(tmp_path):
    path = zipped(tmp_path, ("x.npy", npy(HEADER, bytes(2))))
    content = bytearray(path.read_bytes())
    for start in (b"PK\3\4", b"PK\1\2"):
        content[content.index(start) + (6 if start[2] == 3 else 8)] |= 1  # the flag of a password
    path.write_bytes(content)
    return path


def of_unknown_method(tmp_path):
    path = zipped(tmp_path, ("x.npy", npy(HEADER, bytes(2))))
    content = bytearray(path.read_bytes())
    for start in (b"PK\3\4", b"PK\1\2"):
        content[content.index(start) + (8 if start[2] == 3 else 10)] = 97
    path.write_bytes(content)
    return path


HEADER = "{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}"
MALFORMED = {
    "with a password": encrypted,
    "of an unknown method": of_unknown_method,
    "without arrays' names": lambda folder: zipped(folder, ("notes.txt", b"hello")),
    "of one name twice": lambda folder: zipped(folder, *[("x.npy", npy(HEADER, bytes(2)))] * 2),
    "without a magic number": lambda folder: zipped(folder, ("x.npy", b"hello")),
    "of a later format": lambda folder: zipped(folder, ("x.npy", npy(HEADER, bytes(2), b"\7\0"))),
    "with words for a header": lambda folder: zipped(folder, ("x.npy", npy("hello there"))),
    "with code for a header": lambda folder: zipped(folder, ("x.npy", npy("__import__('os')"))),
    "of too few values": lambda folder: zipped(folder, ("x.npy", npy(HEADER, bytes(1)))),
    "of too many values": lambda folder: zipped(folder, ("x.npy", npy(HEADER, bytes(3)))),
    "of a negative shape": lambda folder: zipped(
        folder, ("x.npy", npy(HEADER.replace("(2,)", "(-1, -2)"), bytes(2)))
    ),
    "of a shape of words": lambda folder: zipped(
        folder, ("x.npy", npy(HEADER.replace("(2,)", "('a',)"), bytes(2)))
    ),
    "of no type": lambda folder: zipped(
        folder, ("x.npy", npy(HEADER.replace("|u1", "nothing"), bytes(2)))
    ),
    "of 70 axes": lambda folder: zipped(
        folder, ("x.npy", npy(HEADER.replace("(2,)", "(2," + "1," * 69 + ")"), bytes(2)))
    ),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_npz_is_one_clear_line(tmp_path, kind):
    path = MALFORMED[kind](tmp_path)
    with pytest.raises(
        scg.DataError, match=r"damaged or not an npz|which is not an array"
    ) as caught:
        read_npz(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_well_formed_members_are_read(tmp_path):
    found = read_npz(
        zipped(tmp_path, ("x.npy", npy(HEADER, b"\1\2")), ("y.npy", npy(HEADER, b"34")))
    )
    np.testing.assert_array_equal(found["x"], [1, 2])
    assert list(found) == ["x", "y"] and found["y"].dtype == np.uint8


def test_a_bomb_is_refused_by_what_it_declares(tmp_path):
    """A few kilobytes that would become gigabytes; tracemalloc sees that they do not."""
    zeros = np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), (10**9, 8), (0, 0))
    head = idx(np.zeros((1, 1, 1)))[:4] + struct.pack(">3I", 10**4, 10**3, 10**3)
    bits = tmp_path / "bits.npz"
    np.savez_compressed(
        bits, x_train=np.zeros((2000, 1000), np.uint8), x_test=np.zeros((1, 1), "u1")
    )
    with gzip.open(tmp_path / "bomb.gz", "wb") as file:
        file.write(head + bytes(10**7))
    member = npy(HEADER.replace("(2,)", str(zeros.shape)), bytes(10**6))
    lying = zipped(tmp_path, ("x.npy", member), compression=zipfile.ZIP_DEFLATED)
    tracemalloc.start()
    with pytest.raises(scg.DataError, match=r"declares 10000000000 bytes .* more than 2147483648"):
        read_idx(tmp_path / "bomb.gz")
    with pytest.raises(scg.DataError, match="is not as long as its header declares"):
        read_npz(lying)
    with pytest.raises(scg.DataError, match=r"declares 2000.* more than 1000000; .* limit="):
        read_npz(bits, limit=10**6)
    with pytest.raises(scg.DataError, match="x_train: declares 16000000 bytes"):
        load(f"bits:{bits}", limit=3 * 10**6)
    with pytest.raises(scg.DataError, match="x_train: declares 8000000 bytes"):
        load(f"npz:{bits}", limit=3 * 10**6)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * 10**6
    assert read_npz(bits, limit=3 * 10**6)["x_train"].shape == (2000, 1000)


@pytest.fixture
def mnist(tmp_path, monkeypatch):
    monkeypatch.setattr(address, "MNIST_TRAIN", 5)
    images = np.arange(7 * 4).reshape(7, 2, 2) * 9
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(images[:3]))
    return tmp_path, images


def test_mnist_is_split_as_in_the_field(mnist):
    folder, images = mnist
    splits = load(f"mnist:{folder}")
    grey = images.reshape(7, 4).astype(np.float32) / 255
    np.testing.assert_array_equal(splits.train, grey[:5])
    np.testing.assert_array_equal(splits.valid, grey[5:])
    np.testing.assert_array_equal(splits.test, grey[:3])
    assert splits.train.dtype == np.float32
    assert splits.labels == {}


def test_labels_are_split_as_the_images(mnist):
    folder, _ = mnist
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(np.arange(7)))
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.arange(3))))
    labels = load(f"mnist:{folder}").labels
    np.testing.assert_array_equal(labels["train"], np.arange(5))
    np.testing.assert_array_equal(labels["valid"], [5, 6])
    np.testing.assert_array_equal(labels["test"], np.arange(3))
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(np.arange(6)))
    with pytest.raises(scg.DataError, match=r"has shape \(6,\), expected \(7,\)"):
        load(f"mnist:{folder}")


def test_mnist_without_its_files(mnist):
    folder, images = mnist
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images[:4])))
    with pytest.raises(scg.DataError, match="4 training images, expected 60000"):
        load(f"mnist:{folder}")
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images[0])))
    with pytest.raises(scg.DataError, match="expected images"):
        load(f"mnist:{folder}")
    (folder / "train-images-idx3-ubyte.gz").unlink()
    with pytest.raises(scg.DataError, match="there is no such file"):
        load(f"mnist:{folder}")


def save(tmp_path, **arrays):
    np.savez(tmp_path / "d.npz", **arrays)
    return tmp_path / "d.npz"


def test_npz_of_bytes_floats_and_binary(tmp_path):
    grey = np.array([[[0, 51], [102, 255]]], dtype=np.uint8)
    path = save(tmp_path, x_train=grey, x_valid=grey / 255.0, x_test=(grey > 60).astype(np.uint8))
    splits = load(f"npz:{path}")
    np.testing.assert_allclose(splits.train, [[0, 0.2, 0.4, 1]], rtol=1e-6)
    np.testing.assert_allclose(splits.valid, splits.train, rtol=1e-6)
    np.testing.assert_array_equal(splits.test, [[0, 0, 1, 1]])
    assert splits.test.dtype == np.uint8


def test_packed_bits(tmp_path):
    rows = np.random.default_rng(0).integers(0, 2, (5, 16)).astype(np.uint8)
    path = save(tmp_path, x_train=np.packbits(rows, axis=1), x_test=np.packbits(rows[:2], axis=1))
    splits = load(f"bits:{path}")
    np.testing.assert_array_equal(splits.train, rows)
    np.testing.assert_array_equal(splits.test, rows[:2])
    assert splits.valid is None


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x_train": np.zeros((2, 4))}, "lacks 'x_test'; it holds x_train"),
        ({"x_train": np.full((2, 4), np.nan)}, r"must lie in \[0, 1\] and be finite"),
        ({"x_train": np.full((2, 4), 1.5)}, r"must lie in \[0, 1\]"),
        ({"x_train": np.zeros((2, 4), dtype=np.int64)}, "expected bytes or floats, got int64"),
        ({"x_train": np.zeros(4)}, r"expected examples of pixels, got shape \(4,\)"),
        ({"x_train": np.zeros((2, 3)), "x_test": np.zeros((2, 4))}, "differ in their number"),
    ],
)
def test_npz_with_wrong_arrays(tmp_path, arrays, message):
    if "lacks" not in message:
        arrays = {"x_test": np.zeros((2, 4)), **arrays}
    with pytest.raises(scg.DataError, match=message):
        load(f"npz:{save(tmp_path, **arrays)}")


@pytest.mark.parametrize("wrong", ["imagenet", "mnist", "npz:", "digits:here", ""])
def test_unknown_addresses(wrong):
    with pytest.raises(scg.DataError, match=r"write .*(digits|mnist:DIR|npz:FILE)"):
        load(wrong)
