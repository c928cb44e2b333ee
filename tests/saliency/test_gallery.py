"""Captions of explained images, and the files of a gallery."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from xray.errors import ConfigError
from xray.saliency.gallery import Explanation, explain_samples, lesion_mask, write_gallery
from xray.types import Sample

CLASSES = ("normal", "pneumonia")


def sample(label: str, target: int, name: str) -> Sample:
    return Sample(Path("data/test") / label / f"{name}.png", target, label, patient=name)


class Brightness(nn.Module):
    """Activations: darkness (1 - gray value) and brightness of the pixels."""

    def forward(self, images: Tensor) -> Tensor:
        bright = images.float() / 255
        return torch.cat([1 - bright, bright], dim=1)


@dataclass
class Classifier:
    """A classifier whose logits are the mean darkness (normal) and brightness (pneumonia)."""

    classes: tuple[str, ...] = CLASSES

    def saliency_parts(self) -> tuple[nn.Module, nn.Module]:
        return Brightness(), nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


def pixels(index: int) -> Tensor:
    """Images 0, 2, ... are dark, 1, 3, ... bright, each with a brighter left half."""
    image = torch.full((1, 32, 32), 200 if index % 2 else 20, dtype=torch.uint8)
    image[..., :16] += 30
    return image


FOUND = [
    sample("NORMAL", 0, "IM-1"),
    sample("COVID-19", 1, "covid (2)"),
    sample("PNEUMONIA", 1, "person3"),
]


class TestExplain:
    def test_captions(self) -> None:
        first, second, third = explain_samples(Classifier(), FOUND, pixels, [1, 0, 2])
        assert (first.sample, second.sample, third.sample) == (FOUND[1], FOUND[0], FOUND[2])
        assert first.caption.title == "covid (2).png"
        assert (first.caption.truth, first.caption.label) == ("pneumonia", "COVID-19")
        assert (first.caption.predicted, first.caption.explained) == ("pneumonia", "pneumonia")
        # The mean brightness is 215 / 255, and the logits are 40 / 255 and 215 / 255.
        assert first.caption.probability == pytest.approx(1 / (1 + np.exp(-175 / 255)))
        assert first.caption.correct
        assert second.caption.label == third.caption.label == ""
        assert (third.caption.predicted, third.caption.correct) == ("normal", False)
        assert first.picture.ndim == 3

    @pytest.mark.parametrize(
        ("target", "expected"),
        [
            ("predicted", ["normal", "pneumonia", "normal"]),
            ("truth", ["normal", "pneumonia", "pneumonia"]),
            ("pneumonia", ["pneumonia"] * 3),
            ("normal", ["normal"] * 3),
        ],
    )
    def test_explained_class(self, target: str, expected: list[str]) -> None:
        drawn = explain_samples(Classifier(), FOUND, pixels, [0, 1, 2], target=target)
        assert [item.caption.explained for item in drawn] == expected

    def test_map_shows_the_requested_class(self) -> None:
        bright, dark = (
            next(explain_samples(Classifier(), FOUND, pixels, [1], target=target)).picture.astype(
                int
            )
            for target in ("pneumonia", "normal")
        )
        middle = bright.shape[1] // 2 - 20
        # The left half of the heatmap is hot for pneumonia and cold for normal.
        row = bright.shape[0] // 2
        assert bright[row, middle - 120, 0] > dark[row, middle - 120, 0] + 50
        assert bright[row, middle + 120, 0] < dark[row, middle + 120, 0] - 50

    def test_class_agnostic_method_explains_no_class(self) -> None:
        (item,) = explain_samples(Classifier(), FOUND, pixels, [0], method="eigencam")
        assert (item.caption.explained, item.caption.method) == ("", "eigencam")

    def test_unknown_target(self) -> None:
        with pytest.raises(
            ConfigError, match=r"target=tb .*: choose one of predicted, truth, normal, pneumonia\."
        ):
            explain_samples(Classifier(), FOUND, pixels, [0], target="tb")
        with pytest.raises(ConfigError, match=r"Did you mean 'pneumonia'\?"):
            explain_samples(Classifier(), FOUND, pixels, [0], target="pnuemonia")
        with pytest.raises(ConfigError, match="method=gradcm is unknown"):
            explain_samples(Classifier(), FOUND, pixels, [0], method="gradcm")

    def test_threshold_decides_the_predicted_class(self) -> None:
        # The probabilities of pneumonia are 0.28 and 0.67.
        low = list(explain_samples(Classifier(), FOUND, pixels, [0, 1], threshold=0.2))
        assert [item.caption.predicted for item in low] == ["pneumonia"] * 2
        assert [item.caption.explained for item in low] == ["pneumonia"] * 2
        assert low[0].caption.probability == pytest.approx(1 - 1 / (1 + np.exp(-185 / 255)))
        high = list(explain_samples(Classifier(), FOUND, pixels, [0, 1], threshold=0.7))
        assert [item.caption.predicted for item in high] == ["normal"] * 2

    def test_recorded_predictions_take_precedence(self) -> None:
        found = list(explain_samples(Classifier(), FOUND, pixels, [0, 1, 2], predicted=[1, 0, 1]))
        assert [item.caption.predicted for item in found] == ["pneumonia", "normal", "pneumonia"]
        assert [item.caption.explained for item in found] == ["pneumonia", "normal", "pneumonia"]

    def test_more_than_one_batch(self) -> None:
        many = [sample("normal", 0, f"normal{i}") for i in range(20)]
        drawn = list(explain_samples(Classifier(), many, pixels, list(range(19, -1, -1))))
        assert [item.sample for item in drawn] == many[::-1]

    def test_lesion_is_outlined(self) -> None:
        lesion = np.zeros((64, 64), bool)
        lesion[20:40, 20:40] = True
        given = {FOUND[0]: lesion, FOUND[1]: None}
        outlined, plain = (
            next(explain_samples(Classifier(), FOUND, pixels, [i], mask=given.get)).picture.astype(
                int
            )
            for i in (0, 1)
        )

        def magenta(picture: np.ndarray) -> int:
            red, green, blue = np.moveaxis(picture, 2, 0)
            return int(((red > 200) & (blue > 200) & (green < 60)).sum())

        # An outline of 4 x 100 pixels in the enlarged picture, drawn twice.
        assert 600 < magenta(outlined) < 1000
        assert magenta(plain) == 0


class TestWriteGallery:
    def test_pictures_and_index(self, tmp_path: Path) -> None:
        drawn = list(explain_samples(Classifier(), FOUND, pixels, [1, 0, 2]))
        folder = write_gallery(tmp_path / "gradcam" / "test", drawn)
        assert folder == tmp_path / "gradcam" / "test"
        assert sorted(path.name for path in folder.iterdir()) == [
            "000_covid_2_.png",
            "001_IM-1.png",
            "002_person3.png",
            "index.csv",
        ]
        with Image.open(folder / "001_IM-1.png") as picture:
            np.testing.assert_array_equal(np.asarray(picture), drawn[1].picture)
        with (folder / "index.csv").open(encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        assert rows[0] == {
            "file": "000_covid_2_.png",
            "path": Path("data/test/COVID-19/covid (2).png").absolute().as_posix(),
            "label": "COVID-19",
            "truth": "pneumonia",
            "predicted": "pneumonia",
            "probability": "0.665138",
            "explained": "pneumonia",
            "method": "gradcam",
            # The brightness, divided by the number of pixels.
            "magnitude": f"{230 / 255 / 1024:.6g}",
            "mean_magnitude": f"{215 / 255 / 1024:.6g}",
        }
        assert [row["file"] for row in rows] == [
            "000_covid_2_.png",
            "001_IM-1.png",
            "002_person3.png",
        ]

    def test_same_names_and_long_names(self, tmp_path: Path) -> None:
        found = [sample("a", 0, "x" * 200), sample("b", 1, "x" * 200)]
        folder = write_gallery(tmp_path, explain_samples(Classifier(), found, pixels, [0, 1]))
        assert sorted(path.name for path in folder.glob("*.png")) == [
            "000_" + "x" * 60 + ".png",
            "001_" + "x" * 60 + ".png",
        ]

    def test_replaces_an_earlier_gallery(self, tmp_path: Path) -> None:
        write_gallery(tmp_path, explain_samples(Classifier(), FOUND, pixels, [0, 1, 2]))
        (tmp_path / "notes.png").write_bytes(b"mine")
        write_gallery(tmp_path, explain_samples(Classifier(), FOUND, pixels, [2]))
        names = sorted(path.name for path in tmp_path.iterdir())
        assert names == ["000_person3.png", "index.csv", "notes.png"]

    def test_interrupted_gallery_has_no_index(self, tmp_path: Path) -> None:
        write_gallery(tmp_path, explain_samples(Classifier(), FOUND, pixels, [0]))

        def fails() -> "list[Explanation]":
            yield next(explain_samples(Classifier(), FOUND, pixels, [0]))
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write_gallery(tmp_path, fails())
        assert [path.name for path in tmp_path.iterdir()] == ["000_IM-1.png"]

    @pytest.mark.parametrize(("total", "shown"), [(16, False), (17, True)])
    def test_progress_bar_for_many_pictures(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], total: int, shown: bool
    ) -> None:
        write_gallery(tmp_path, explain_samples(Classifier(), FOUND, pixels, [0]), total=total)
        assert ("Explaining" in capsys.readouterr().out) is shown


class TestLesionMask:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        folder = tmp_path / "masks" / "lesion" / "test" / "covid"
        folder.mkdir(parents=True)
        drawn = np.zeros((8, 6), np.uint8)
        drawn[2:4, 1] = 255
        Image.fromarray(drawn).save(folder / "p1_0.png")
        return tmp_path

    @pytest.mark.parametrize("name", ["p1_0.png", "p1_0.jpeg"])
    def test_mask_of_a_phantom(self, root: Path, name: str) -> None:
        found = Sample(root / "test" / "covid" / name, 1, "covid", "p1")
        mask = lesion_mask(found, root)
        assert mask is not None
        assert mask.dtype == np.bool_
        assert mask.shape == (8, 6)
        assert np.argwhere(mask).tolist() == [[2, 1], [3, 1]]

    def test_image_without_mask(self, root: Path) -> None:
        assert lesion_mask(Sample(root / "test/normal/p2_0.png", 0, "normal", "p2"), root) is None
        elsewhere = Sample(Path("other/test/covid/p1_0.png"), 1, "covid", "p1")
        assert lesion_mask(elsewhere, root) is None
