"""Scores computed by hand on bright squares, which the maps show and the baselines do not."""

import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from spots import CORNERS, Brightness, Looker, spots, square

from xray.errors import DataError
from xray.saliency.baselines import MapOptions, compute_maps
from xray.saliency.faithfulness import DELETION, INSERTION, ROAD
from xray.saliency.gradcam import activate, predict, saliency_maps
from xray.saliency.localization import center_prior, energy
from xray.saliency.scorecard import (
    LIKENESS,
    PEAK,
    FaithfulnessPlan,
    Scorecard,
    pick,
    score_maps,
    scorecard_title,
)

MAPS = ["map", "center prior", "mean map of the class", "randomized weights"]
NONE = FaithfulnessPlan(0)


def lookers():
    body = Brightness()
    return Looker(body), Looker(body, channel=1)


def score(dataset, indices=range(4), plan=NONE, models=None, **options) -> Scorecard:
    return score_maps(
        *(models or lookers()),
        dataset,
        indices,
        MapOptions("gradcam", bar=False),
        seed=0,
        faithfulness=plan,
        **options,
    )


def by_name(card):
    return {(row["measure"], row["map"]): row for row in card.rows}


def test_localization_of_the_squares(tmp_path):
    card = score(spots(tmp_path, masks=True))
    found = by_name(card)
    assert [row["map"] for row in card.rows if row["measure"] == "pointing game"] == MAPS
    # The map is 1 on the square and 0 elsewhere; the map of the darkness is its opposite.
    for measure in ("pointing game", "energy in the lesion", "IoU at half the maximum"):
        assert found[measure, "map"]["value"] == pytest.approx(1)
        assert found[measure, "randomized weights"]["value"] == 0
        assert found[measure, "map"]["n"] == 3
    # The first two squares are in the left half.
    lungs = found["energy in the lungs", "map"]
    assert (lungs["value"], lungs["n"]) == (pytest.approx(0.5), 4)
    assert lungs["low"] < 0.5 < lungs["high"]
    assert found["energy in the lungs", "center prior"]["value"] == pytest.approx(0.5, abs=1e-6)
    prior = center_prior(32, 32)
    expected = np.mean([energy(prior, square(*corner)) for corner in CORNERS[1:]])
    assert found["energy in the lesion", "center prior"]["value"] == pytest.approx(expected)
    # The squares of the other images are elsewhere.
    assert found["energy in the lesion", "mean map of the class"]["value"] == pytest.approx(0)
    assert "No lesion or lung masks" not in card.note


def test_threshold_decides_the_explained_class(tmp_path):
    dataset = spots(tmp_path, masks=False)
    one, other = lookers()
    body, tail = one.saliency_parts()
    shares = predict(tail, activate(body, torch.stack([dataset.pixels(i) for i in range(4)])))
    for threshold in (float(shares[:, 1].min()) - 1e-3, float(shares[:, 1].max()) + 1e-3):
        options = MapOptions("gradcam", threshold=threshold, bar=False)
        with compute_maps(one, other, dataset, range(4), options) as maps:
            assert maps.explained.tolist() == [int(threshold < shares[0, 1])] * 4


def test_magnitudes_and_correlation_with_randomized_weights(tmp_path):
    card = score(spots(tmp_path, masks=False))
    found = by_name(card)
    assert "No lesion or lung masks" in card.note
    assert {row["group"] for row in card.rows} == {"weights"}
    # Ten times the mean of 1024 pixels, whose maximum is 230 of 255 in both maps.
    for name in ("map", "randomized weights"):
        assert found[PEAK, name]["value"] == pytest.approx(1000 * 10 * 230 / 255 / 1024, rel=1e-6)
    assert found[LIKENESS, "map"]["value"] == pytest.approx(-1)


def test_only_the_requested_images_are_scored(tmp_path):
    found = by_name(score(spots(tmp_path, masks=True), [2]))
    lungs = found["energy in the lungs", "map"]
    # The third square is in the right half. One patient has no interval, and no mean map.
    assert (lungs["value"], lungs["low"], lungs["n"]) == (0, None, 1)
    assert not any(name == "mean map of the class" for _, name in found)


def test_map_without_evidence_has_no_correlation(tmp_path):
    dark = Looker(Brightness())
    dark.body.scale.data.zero_()
    card = score(spots(tmp_path, masks=False), models=(dark, dark))
    assert by_name(card)[LIKENESS, "map"]["value"] is None


def test_faithful_maps_beat_their_baselines(tmp_path):
    dataset = spots(tmp_path, masks=False)
    card = score(dataset, plan=FaithfulnessPlan(4))
    found = by_name(card)
    assert {row["group"] for row in card.rows} == {"faithfulness", "weights"}
    for name in MAPS[1:]:
        assert found[ROAD, "map"]["value"] > found[ROAD, name]["value"]
        assert found[DELETION, "map"]["value"] < found[DELETION, name]["value"]
        assert found[INSERTION, "map"]["value"] > found[INSERTION, name]["value"]
    assert found[ROAD, "map"]["value"] > 0 > found[ROAD, "randomized weights"]["value"]
    faithful = [row for row in card.rows if row["group"] == "faithfulness"]
    for row in faithful:
        assert row["low"] < row["value"] < row["high"]
        assert row["n"] == 4
    assert card.skipped == ""
    assert "xray.gradcam" not in card.note
    assert score(dataset, plan=FaithfulnessPlan(4)).rows == card.rows


def test_images_with_masks_are_not_perturbed_unless_requested(tmp_path):
    dataset = spots(tmp_path, masks=True)
    card = score(dataset, plan=FaithfulnessPlan(4, skipped="Skipped."))
    assert card.skipped == ""
    assert "faithfulness" not in {row["group"] for row in card.rows}
    card = score(dataset, plan=FaithfulnessPlan(2, with_masks=True))
    assert by_name(card)[ROAD, "map"]["n"] == 2


def test_time_limit_measures_one_image_and_names_the_command(tmp_path):
    run = tmp_path / "a run"
    card = score(spots(tmp_path, masks=False), plan=FaithfulnessPlan(4, seconds=0.0), run=run)
    faithful = [row for row in card.rows if row["group"] == "faithfulness"]
    assert {(row["measure"], row["n"]) for row in faithful} == {(ROAD, 1)}
    assert card.note.endswith(card.skipped)
    assert "callbacks.gradcam.budget" in card.skipped
    assert "1 (ROAD), 0 (deletion) and 0 (insertion) of 4 images" in card.skipped
    assert command_of(card) == [f"run={run}", "scorecard=true", "faithfulness=true"]


def test_skipped_plan_measures_nothing_and_names_the_command(tmp_path):
    card = score(spots(tmp_path, masks=False), plan=FaithfulnessPlan(4, skipped="A sweep."))
    assert {row["group"] for row in card.rows} == {"weights"}
    assert card.skipped.startswith("A sweep. ")
    assert command_of(card) == ["scorecard=true", "faithfulness=true"]


def command_of(card: Scorecard) -> list[str]:
    """Return the arguments of the command that a scorecard suggests."""
    _, _, command = card.skipped.partition("python -m xray.gradcam ")
    return shlex.split(command)


def test_empty_split_is_rejected(tmp_path: Path):
    with pytest.raises(DataError, match=r"has no images.*split=test"):
        score(spots(tmp_path, masks=False), [])


@pytest.mark.parametrize("shared", [True, False])
def test_untrained_body_runs_once(tmp_path, shared):
    one, other = lookers()
    if not shared:
        other.body = Brightness()
        other.body.scale.data.fill_(2)
    dataset = spots(tmp_path, masks=False)
    with compute_maps(one, other, dataset, [0, 3], MapOptions("layercam", bar=False)) as maps:
        assert one.body.calls == 1
        assert other.body.calls == 1
        expected = saliency_maps(*other.saliency_parts(), dataset.pixels(3)[None], [1], "layercam")
        np.testing.assert_allclose(maps.randomized[1], expected.maps[0], atol=1e-6)
        np.testing.assert_allclose(maps.peaks["randomized weights"][1], expected.peaks[0])
        assert maps.explained.tolist() == [1, 1]
        assert len(maps) == 2


def test_pick_is_seeded_and_sorted():
    chosen = pick(100, 10, 3)
    assert chosen == sorted(set(chosen)) == pick(100, 10, 3) != pick(100, 10, 4)
    assert pick(3, 10, 0) == [0, 1, 2]


def test_title_states_the_number_of_images():
    title = scorecard_title("gradcam", "test", 64, 2000)
    assert title == "Scorecard of gradcam, test, 64 of 2,000 images"
    assert scorecard_title("gradcam", "val", 64, 64) == "Scorecard of gradcam, val"
