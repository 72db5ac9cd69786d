"""Binarization: the law of the pixels, and what repeats."""

import numpy as np
import pytest

import scg
from scg.data import Binarize, binarize


@pytest.mark.statistical
def test_a_pixel_is_one_with_its_grey_value_as_probability(seed):
    grey = np.array([0.0, 0.1, 0.5, 0.9, 1.0])
    share = binarize(np.tile(grey, (40_000, 1)), seed).mean(axis=0)
    np.testing.assert_allclose(share, grey, atol=6 * 0.5 / np.sqrt(40_000))
    assert (share[0], share[-1]) == (0.0, 1.0)


def test_the_seed_decides():
    grey = np.full((10, 10), 0.5)
    np.testing.assert_array_equal(binarize(grey, 1), binarize(grey, 1))
    assert not np.array_equal(binarize(grey, 1), binarize(grey, 2))
    assert binarize(grey, 1).dtype == np.uint8


@pytest.mark.parametrize("wrong", [np.array([255]), np.array([-0.1]), np.array([np.nan])])
def test_values_that_are_no_probabilities(wrong):
    with pytest.raises(scg.DataError, match="grey values in"):
        binarize(wrong, 0)


def test_what_is_no_image():
    with pytest.raises(scg.DataError, match="binarize: images: expected real numbers, got an arr"):
        binarize("image", 0)
    assert binarize([[0, 1]], 0).tolist() == [[0, 1]]
    with pytest.raises(
        scg.DataError, match=r"Binarize\(names=\('x',\)\): .* no data 'x'; it has 'y'"
    ):
        Binarize()({"y": np.ones(2)}, (0,))


def test_dynamic_binarization_changes_from_batch_to_batch_and_leaves_the_rest():
    batch = {"x": np.full((4, 9), 0.5), "y": np.arange(4)}
    transform = Binarize(("x",))
    first, second = transform(batch, (0, 0)), transform(batch, (0, 1))
    assert not np.array_equal(first["x"], second["x"])
    np.testing.assert_array_equal(first["y"], batch["y"])
    np.testing.assert_array_equal(transform(batch, (0, 0))["x"], first["x"])
    np.testing.assert_array_equal(batch["x"], np.full((4, 9), 0.5))
