"""Scores worked out by hand on bright squares, which the maps find and the controls do not."""

import numpy as np
import pytest
import torch
from spots import CORNERS, Brightness, Looker, spots, square

from xray.errors import DataError
from xray.saliency.baselines import draw_maps
from xray.saliency.faithfulness import DELETION, INSERTION, ROAD
from xray.saliency.gradcam import activate, predict, saliency_maps
from xray.saliency.localization import centre_prior, energy
from xray.saliency.scorecard import (
    LIKENESS,
    PEAK,
    pick,
    score_faithfulness,
    score_maps,
    titled,
    without_masks,
)

MAPS = ["map", "centre prior", "mean map of the class", "randomised weights"]


def lookers():
    body = Brightness()
    return Looker(body), Looker(body, channel=1)


def by_name(rows):
    return {(row["measure"], row["map"]): row for row in rows}


def test_maps_on_the_squares_score_as_worked_out(tmp_path):
    dataset = spots(tmp_path, masks=True)
    rows = score_maps(*lookers(), dataset, range(4), method="gradcam", bar=False)
    found = by_name(rows)
    assert [row["map"] for row in rows if row["measure"] == "pointing game"] == MAPS
    # The map is 1 on the square and 0 elsewhere; that of the darkness is its reverse.
    for measure in ("pointing game", "energy in the lesion", "IoU at half the maximum"):
        assert found[measure, "map"]["value"] == pytest.approx(1)
        assert found[measure, "randomised weights"]["value"] == 0
        assert found[measure, "map"]["n"] == 3
    # The first two squares lie in the left half.
    lungs = found["energy in the lungs", "map"]
    assert (lungs["value"], lungs["n"]) == (pytest.approx(0.5), 4)
    assert lungs["low"] < 0.5 < lungs["high"]
    assert found["energy in the lungs", "centre prior"]["value"] == pytest.approx(0.5, abs=1e-6)
    prior = centre_prior(32, 32)
    expected = np.mean([energy(prior, square(*corner)) for corner in CORNERS[1:]])
    assert found["energy in the lesion", "centre prior"]["value"] == pytest.approx(expected)
    # The other three squares are elsewhere.
    assert found["energy in the lesion", "mean map of the class"]["value"] == pytest.approx(0)
    assert not without_masks(rows)


def test_the_class_explained_is_the_one_that_the_threshold_calls(tmp_path):
    dataset = spots(tmp_path, masks=False)
    one, other = lookers()
    body, tail = one.saliency_parts()
    shares = predict(tail, activate(body, torch.stack([dataset.pixels(i) for i in range(4)])))
    options = {"method": "gradcam", "device": "cpu", "bar": False}
    for threshold in (float(shares[:, 1].min()) - 1e-3, float(shares[:, 1].max()) + 1e-3):
        with draw_maps(one, other, dataset, range(4), threshold=threshold, **options) as drawn:
            assert drawn.explained.tolist() == [int(threshold < shares[0, 1])] * 4


def test_magnitudes_and_likeness_to_random_weights(tmp_path):
    rows = score_maps(
        *lookers(), spots(tmp_path, masks=False), range(4), method="gradcam", bar=False
    )
    found = by_name(rows)
    assert without_masks(rows)
    assert {row["group"] for row in rows} == {"weights"}
    # A pixel has its 1024th of ten means, of brightness 230 or darkness 230 of 255.
    for name in ("map", "randomised weights"):
        assert found[PEAK, name]["value"] == pytest.approx(1000 * 10 * 230 / 255 / 1024, rel=1e-6)
    assert found[LIKENESS, "map"]["value"] == pytest.approx(-1)


def test_only_the_images_asked_for(tmp_path):
    dataset = spots(tmp_path, masks=True)
    found = by_name(score_maps(*lookers(), dataset, [2], method="gradcam", bar=False))
    lungs = found["energy in the lungs", "map"]
    # The third square lies on the right. Of one patient nothing can be said, and there is no mean.
    assert (lungs["value"], lungs["low"], lungs["n"]) == (0, None, 1)
    assert not any(name == "mean map of the class" for _, name in found)


def test_a_map_without_evidence_has_no_likeness(tmp_path):
    dark = Looker(Brightness())
    dark.body.scale.data.zero_()
    rows = score_maps(dark, dark, spots(tmp_path, masks=False), range(4), method="gradcam")
    assert by_name(rows)[LIKENESS, "map"]["value"] is None


def test_faithful_maps_beat_their_controls(tmp_path):
    dataset = spots(tmp_path, masks=False)
    rows = score_faithfulness(*lookers(), dataset, range(4), method="gradcam", seed=0)
    found = by_name(rows)
    assert {row["group"] for row in rows} == {"faithfulness"}
    for name in MAPS[1:]:
        assert found[ROAD, "map"]["value"] > found[ROAD, name]["value"]
        assert found[DELETION, "map"]["value"] < found[DELETION, name]["value"]
        assert found[INSERTION, "map"]["value"] > found[INSERTION, name]["value"]
    assert found[ROAD, "map"]["value"] > 0 > found[ROAD, "randomised weights"]["value"]
    for row in rows:
        assert row["low"] < row["value"] < row["high"]
        assert row["n"] == 4
    again = score_faithfulness(*lookers(), dataset, range(4), method="gradcam", seed=0)
    assert again == rows


def test_without_images_nothing_is_scored(tmp_path):
    dataset = spots(tmp_path, masks=False)
    with pytest.raises(DataError, match="the split has no image"):
        score_maps(*lookers(), dataset, [], method="gradcam")
    with pytest.raises(DataError, match="the split has no image"):
        score_faithfulness(*lookers(), dataset, [], method="gradcam", seed=0)


@pytest.mark.parametrize("shared", [True, False])
def test_a_body_that_was_not_trained_runs_once(tmp_path, shared):
    one, other = lookers()
    if not shared:
        other.body = Brightness()
        other.body.scale.data.fill_(2)
    dataset = spots(tmp_path, masks=False)
    options = {"method": "layercam", "device": "cpu", "threshold": 0.5, "bar": False}
    with draw_maps(one, other, dataset, [0, 3], **options) as drawn:
        assert one.body.calls == 1
        assert other.body.calls == 1
        expected = saliency_maps(*other.saliency_parts(), dataset.pixels(3)[None], [1], "layercam")
        np.testing.assert_allclose(drawn.others[1], expected.maps[0], atol=1e-6)
        np.testing.assert_allclose(drawn.peaks["randomised weights"][1], expected.peaks[0])
        assert drawn.explained.tolist() == [1, 1]
        assert len(drawn) == 2


def test_a_seeded_pick_in_order():
    chosen = pick(100, 10, 3)
    assert chosen == sorted(set(chosen)) == pick(100, 10, 3) != pick(100, 10, 4)
    assert pick(3, 10, 0) == [0, 1, 2]


def test_the_title_says_how_many():
    assert titled("gradcam", "test", 64, 2000) == "Scorecard of gradcam, test, 64 of 2,000 images"
    assert titled("gradcam", "val", 64, 64) == "Scorecard of gradcam, val"
