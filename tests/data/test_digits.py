"""The bundled digits are the published ones, whole and unaltered."""

import hashlib
from importlib import resources

import numpy as np
import pytest

from scg.data import load_digits


@pytest.fixture(scope="module")
def archive():
    with resources.as_file(resources.files("scg.data") / "digits.npz") as path:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)


@pytest.mark.parametrize(
    ("name", "shape", "digest"),
    [
        ("images", (1797, 64), "8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3"),
        ("labels", (1797,), "8ba4f891220f5e4c9c819638d1602d74b83618f167043c6da52a2a247841ddf0"),
    ],
)
def test_archive_is_the_published_one(archive, name, shape, digest):
    assert archive[name].dtype == np.uint8
    assert archive[name].shape == shape
    assert hashlib.sha256(archive[name].tobytes()).hexdigest() == digest


def test_split_keeps_every_image_once_and_in_order(archive):
    digits = load_digits()
    assert digits.train.shape == (1500, 64)
    assert digits.test.shape == (297, 64)
    np.testing.assert_array_equal(
        np.concatenate([digits.train, digits.test]) * 16, archive["images"]
    )
    np.testing.assert_array_equal(
        np.concatenate([digits.train_labels, digits.test_labels]), archive["labels"]
    )


def test_grey_values_span_the_unit_interval():
    digits = load_digits()
    for part in (digits.train, digits.test):
        assert part.dtype == np.float64
        assert part.min() == 0.0
        assert part.max() == 1.0


@pytest.mark.parametrize("part", ["train_labels", "test_labels"])
def test_classes_are_balanced_in_both_parts(part):
    labels = getattr(load_digits(), part)
    shares = np.bincount(labels, minlength=10) / labels.size
    assert shares.shape == (10,)
    assert shares.min() > 0.09
    assert shares.max() < 0.12


def test_binary_is_the_grey_image_at_half_ink():
    grey, binary = load_digits(), load_digits(binary=True)
    assert binary.train.dtype == np.float64
    np.testing.assert_array_equal(binary.train, grey.train >= 0.5)
    np.testing.assert_array_equal(binary.test, grey.test >= 0.5)
    assert (grey.train == 0.5).any()  # the boundary, which is ink, does occur


def test_arrays_belong_to_the_caller():
    load_digits().train[:] = -1
    load_digits().train_labels[:] = 99
    assert load_digits().train.min() == 0.0
    assert load_digits().train_labels.max() == 9


def test_attribution_is_bundled():
    text = (resources.files("scg.data") / "DIGITS.md").read_text(encoding="utf-8")
    for word in ("Alpaydin", "Kaynak", "10.24432/C50P49", "CC BY 4.0"):
        assert word in text
