"""Predictions of a network whose answers are known."""

import json
import math
from functools import partial

import numpy as np
import pytest
import torch
from dicoms import dataset, radiograph, write
from made_images import write_image
from PIL import Image
from small_predictor import MeanGray, make_predictor

from xray.errors import ImageError
from xray.integrity.index import index_files
from xray.integrity.statistics import Reference, reference
from xray.model.operating_point import OperatingPoint
from xray.prediction.reader import Reader


def stream(predictor, paths):
    return list(predictor.stream(partial(iter, paths), len(paths)))


def test_probabilities_and_threshold_are_at_the_temperature():
    predictor = make_predictor(point=OperatingPoint("youden", 0.8, 2.0))
    image = np.full((40, 30), 255, np.uint8)
    image[0, 0] = 254
    found = predictor.predict_array(image)
    # The logit of white is 8 (1 - 0.5) = 4, divided by 2.
    assert found.probabilities["pneumonia"] == pytest.approx(1 / (1 + math.exp(-2)), abs=1e-3)
    assert sum(found.probabilities.values()) == pytest.approx(1.0, abs=1e-12)
    # sigmoid(logit(0.8) / 2) = 2/3
    assert found.threshold == pytest.approx(2 / 3)
    assert (found.label, found.size, found.path) == ("pneumonia", (40, 30), None)
    assert found.error is None


@pytest.mark.parametrize(("threshold", "label"), [(0.6, "normal"), (0.4, "pneumonia")])
def test_the_threshold_decides(threshold, label):
    predictor = make_predictor(point=OperatingPoint("fixed", threshold, 0.5))
    found = predictor.predict_array(np.full((8, 8), 128, np.uint8))
    assert found.label == label


def test_unreadable_files_are_errors_in_order(tmp_path):
    paths = [write_image(tmp_path / f"{i}.png", level=60 + 20 * i) for i in range(6)]
    (tmp_path / "1.png").write_bytes(b"not an image at all")
    paths.insert(3, tmp_path / "missing.png")
    found = stream(make_predictor(), paths)
    assert [p.path for p in found] == paths
    assert [p.error is None for p in found] == [True, False, True, False, True, True, True]
    assert all((p.label is None) == (p.error is not None) for p in found)
    levels = [p.probabilities["pneumonia"] for p in found if p.error is None]
    assert levels == sorted(levels)
    assert "text, not an image" in str(found[1].error)
    with pytest.raises(ImageError, match=r"missing\.png"):
        make_predictor().predict_file(tmp_path / "missing.png")


def test_loader_processes_keep_the_order(tmp_path):
    paths = [write_image(tmp_path / f"{i:02d}.png", level=40 + 5 * i) for i in range(30)]
    paths.insert(7, tmp_path / "missing.png")
    # More than one batch starts loader processes.
    predictor = make_predictor(batch_size=3)
    found = stream(predictor, paths)
    assert [p.path for p in found] == paths
    single = [predictor.predict_file(path) for path in paths if path.name != "missing.png"]
    assert [p.probabilities for p in found if p.error is None] == [p.probabilities for p in single]


def test_only_unreadable_files(tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(9)]
    found = stream(make_predictor(), paths)
    assert len(found) == 9
    assert all(p.error and not p.probabilities and p.label is None for p in found)


def test_nothing_of_a_dicom_header_is_in_a_prediction(tmp_path):
    named = dataset(radiograph(), 12, PatientName="DOE^JANE", PatientID="4711")
    good = write(named, tmp_path / "good.dcm")
    whole = good.read_bytes()
    paths = [good]
    for i, cut in enumerate(range(200, len(whole), max(1, len(whole) // 12))):
        paths.append(tmp_path / f"cut{i}.dcm")
        paths[-1].write_bytes(whole[:cut])
    found = stream(make_predictor(), paths)
    assert found[0].error is None
    assert any(p.error for p in found)
    text = repr(found)
    assert "DOE" not in text
    assert "4711" not in text


def test_unexpected_errors_of_a_decoder_do_not_quote_the_file(tmp_path, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("PatientName DOE^JANE")

    monkeypatch.setattr("xray.prediction.reader.load_image", broken)
    found = stream(make_predictor(), [tmp_path / "1.png"])
    assert found[0].error == "The file cannot be read (RuntimeError)."


def test_images_unlike_the_training_images_have_warnings(tmp_path):
    def write_radiograph(name, share, seed):
        noise = np.random.default_rng(seed).integers(0, 20, (120, 160))
        pixels = (radiograph(8) * share + noise).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
        return tmp_path / name

    training = [write_radiograph(f"{i}.png", 0.8 + 0.01 * i, i) for i in range(12)]
    recorded = json.dumps(reference(index_files(training).rows).as_dict())
    predictor = make_predictor()
    predictor.reader = Reader(predictor.reader.transform, Reference.from_dict(json.loads(recorded)))
    usual = write_radiograph("usual.png", 0.85, 99)
    dark = write_radiograph("dark.png", 0.1, 98)
    found = stream(predictor, [usual, dark])
    assert found[0].warnings == ()
    assert any("mean gray value" in sentence for sentence in found[1].warnings)


def test_more_than_two_classes_have_no_threshold():
    class Three(MeanGray):
        def forward(self, image):
            return torch.nn.functional.pad(super().forward(image), (1, 0), value=-9.0)

    predictor = make_predictor()
    predictor.model, predictor.classes = Three(), ("a", "b", "c")
    found = predictor.predict_array(np.full((8, 8), 250, np.uint8))
    assert (found.threshold, found.label) == (None, "c")
