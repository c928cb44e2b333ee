import numpy as np
import pytest

from xray.integrity.index import ROW
from xray.integrity.source_probe import FAMILIES, source_probe

N = 300


@pytest.fixture
def clean():
    """Fingerprints that are independent of the class, and the classes."""
    rng = np.random.default_rng(0)
    rows = np.zeros(N, ROW)
    rows["width"], rows["height"] = rng.integers(900, 1100, (2, N))
    rows["bits"], rows["jpeg_quality"] = 8, 90
    level, contrast = rng.integers(80, 140, (N, 1, 1)), rng.uniform(0.2, 1.0, (N, 1, 1))
    rows["thumbnail"] = level + contrast * rng.integers(-50, 50, (N, 64, 64))
    return rows, np.arange(N) % 2


def probe(rows, targets, clusters=None):
    found = source_probe(rows, targets, np.arange(N) if clusters is None else clusters)
    return {one.family: one for one in found}


@pytest.mark.slow
def test_clean_dataset_has_no_leaks(clean):
    found = probe(*clean)
    assert list(found) == [*FAMILIES, "all"]
    assert not any(one.leaks for one in found.values())
    assert all(one.low <= one.auroc <= one.high for one in found.values())


@pytest.mark.slow
def test_marker_in_a_corner_is_detected(clean):
    rows, targets = clean
    rows["thumbnail"][targets == 1, 4:7, -6:-3] = 250
    found = probe(rows, targets)
    assert {family for family, one in found.items() if one.leaks} == {"border", "all"}
    assert found["border"].low > 0.99


@pytest.mark.slow
@pytest.mark.parametrize(
    ("field", "value", "family"),
    [("height", 1300, "size"), ("jpeg_quality", 75, "encoding"), ("bits", 16, "encoding")],
)
def test_property_that_depends_on_the_class_is_detected(clean, field, value, family):
    rows, targets = clean
    rows[field][targets == 1] = value
    assert {name for name, one in probe(rows, targets).items() if one.leaks} == {family, "all"}


@pytest.mark.slow
def test_clusters_are_not_split_between_folds(clean):
    rows, targets = clean
    # The ten images of a cluster are similar: training on one of them would reveal the others.
    clusters = np.arange(N) // 10
    rows["width"] = 1000 + clusters
    targets = (clusters % 2).astype(np.int64)
    assert not probe(rows, targets, clusters)["size"].leaks


@pytest.mark.slow
def test_three_classes(clean):
    rows, _ = clean
    targets = np.arange(N) % 3
    rows["height"][targets == 2] = 1300
    assert probe(rows, targets)["size"].leaks


def test_too_few_patients_give_no_result(clean):
    rows, targets = clean
    assert probe(rows, targets, targets) == {}
    assert probe(rows, np.zeros(N, np.int64)) == {}
