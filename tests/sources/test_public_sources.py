# ruff: noqa: E501
"""Each public dataset in its original layout, prepared through the real entry point."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from made_up import dicom, lay, pack, pictures, prepare, prepared, rejected, table
from PIL import Image

from xray.imaging.read import read_image


def test_kermany(tmp_path: Path) -> None:
    files = pictures(
        [
            f"chest_xray/{split}/{name}.jpeg"
            for split, name in [
                ("train", "NORMAL/IM-0115-0001"),
                ("train", "NORMAL/NORMAL2-IM-0373-0001"),
                ("train", "PNEUMONIA/person100_bacteria_475"),
                ("train", "PNEUMONIA/person100_virus_184"),
                ("val", "PNEUMONIA/person1946_bacteria_4874"),
                ("test", "NORMAL/IM-0001-0001"),
                ("test", "PNEUMONIA/person100_bacteria_478"),
            ]
        ]
    )
    # The archive contains everything twice, and metadata of macOS.
    files |= {f"chest_xray/{name}": content for name, content in files.items()}
    files["chest_xray/__MACOSX/chest_xray/train/NORMAL/._IM-0115-0001.jpeg"] = b"x"
    rows = prepared(tmp_path, "source=kermany", f"path={pack(tmp_path / 'k.zip', files)}")
    assert {path: row.patient for path, row in rows.items()} == {
        "train/normal/IM-0115-0001.jpeg": "kermany-im-0115",
        "train/normal/NORMAL2-IM-0373-0001.jpeg": "kermany-normal2-im-0373",
        "train/pneumonia/person100_bacteria_475.jpeg": "kermany-person100_bacteria",
        "train/pneumonia/person100_virus_184.jpeg": "kermany-person100_virus",
        "train/pneumonia/person1946_bacteria_4874.jpeg": "kermany-person1946_bacteria",
        "test/normal/IM-0001-0001.jpeg": "kermany-im-0001",
        "test/pneumonia/person100_bacteria_478.jpeg": "kermany-person100_bacteria",
    }
    one = rows["train/normal/IM-0115-0001.jpeg"]
    content = files["chest_xray/train/NORMAL/IM-0115-0001.jpeg"]
    assert (one.source, one.label, one.class_name, one.split) == (
        "kermany", "NORMAL", "normal", "train",
    )  # fmt: skip
    assert (one.width, one.height, one.bits) == (48, 40, 8)
    assert one.sha256 == hashlib.sha256(content).hexdigest()
    assert (tmp_path / "tree" / one.path).read_bytes() == content


@pytest.mark.slow
def test_covid19_radiography_and_its_masks(tmp_path: Path) -> None:
    top = "COVID-19_Radiography_Dataset"
    names = [
        f"{top}/{label}/{kind}/{label}-{i}.png"
        for label in ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia")
        for kind in ("images", "masks")
        for i in range(1, 9)
    ]
    files = {**pictures(names), f"{top}/COVID.metadata.xlsx": b"x", f"{top}/README.md.txt": b"x"}
    del files[f"{top}/COVID/masks/COVID-3.png"]
    archive = pack(tmp_path / "archive.zip", files)
    rows = prepared(tmp_path, "source=covid19_radiography", f"path={archive}")
    labels = {(row.label, row.class_name) for row in rows.values()}
    assert labels == {
        ("COVID", "covid"),
        ("Lung_Opacity", "pneumonia"),
        ("Normal", "normal"),
        ("Viral Pneumonia", "pneumonia"),
    }
    # The dataset has no split: a seventh is held out for testing.
    assert sum(row.split == "test" for row in rows.values()) == pytest.approx(32 / 7, abs=2)
    assert {row.split for row in rows.values() if row.class_name == "covid"} == {"train", "test"}
    masks = [path for path in rows if (tmp_path / "tree" / "masks" / "lung" / path).is_file()]
    assert {Path(path).name for path in rows} - {Path(path).name for path in masks} == {
        "COVID-3.png"
    }
    [place] = [path for path in rows if path.endswith("/COVID-5.png")]
    mask = tmp_path / "tree" / "masks" / "lung" / place
    assert mask.read_bytes() == files[f"{top}/COVID/masks/COVID-5.png"]
    assert {row.patient for row in rows.values()} == {None}


def test_first_versions_of_the_radiography_database(tmp_path: Path) -> None:
    files = pictures(
        [
            f"db/{label}/{label} ({i}).png"
            for label in ("COVID", "Normal", "Viral Pneumonia")
            for i in (1, 2)
        ]
    )
    rows = prepared(
        tmp_path, "source=covid19_radiography", "split=flat", f"path={lay(tmp_path / 'in', files)}"
    )
    assert set(rows) == {
        f"{name}/{label} ({i}).png"
        for name, label in (("covid", "COVID"), ("normal", "Normal"), ("pneumonia", "Viral Pneumonia"))
        for i in (1, 2)
    }  # fmt: skip
    assert {row.split for row in rows.values()} == {None}


def test_covid19_image(tmp_path: Path) -> None:
    files = pictures(
        [
            f"Covid19-dataset/{split}/{label}/0{i}.{ending}"
            for split in ("train", "test")
            for label, ending in (("Covid", "jpg"), ("Normal", "jpeg"), ("Viral Pneumonia", "png"))
            for i in (1, 2)
        ]
    )
    archive = pack(tmp_path / "archive.zip", files)
    rows = prepared(tmp_path, "source=covid19_image", f"path={archive}")
    assert set(rows) == {
        f"{split}/{name}/0{i}.{ending}"
        for split in ("train", "test")
        for name, ending in (("covid", "jpg"), ("normal", "jpeg"), ("pneumonia", "png"))
        for i in (1, 2)
    }


METADATA = ("patientid", "sex", "age", "finding", "view", "modality", "location", "folder",
            "filename", "clinical_notes")  # fmt: skip


def covid_chestxray(archive: Path) -> Path:
    lines = [
        ("2", "M", 65, "Pneumonia/Viral/COVID-19", "PA", "X-ray", "Rome", "images", "a.jpg", "Mr X"),
        ("2", "M", 65, "Pneumonia/Viral/COVID-19", "AP", "X-ray", "Rome", "images", "b.jpeg", ""),
        ("4", "F", 52, "Pneumonia/Viral/SARS", "PA", "X-ray", "", "images", "c.png", ""),
        ("5", "F", 52, "No Finding", "AP Supine", "X-ray", "", "images", "d.png", ""),
        ("6", "F", 52, "Tuberculosis", "PA", "X-ray", "", "images", "e.png", ""),
        ("7", "F", 52, "todo", "PA", "X-ray", "", "images", "f.png", ""),
        ("8", "F", 52, "Pneumonia", "L", "X-ray", "", "images", "g.png", ""),
        ("9", "F", 52, "Pneumonia", "Axial", "CT", "", "volumes", "h.nii.gz", ""),
        ("10", "F", 52, "Pneumonia/Bacterial", "PA", "X-ray", "", "images", "gone.png", ""),
    ]  # fmt: skip
    top = "covid-chestxray-dataset-master"
    files = pictures([f"{top}/images/{line[8]}" for line in lines[:7]])
    return pack(archive, {**files, f"{top}/metadata.csv": table(METADATA, lines)})


def test_covid_chestxray(tmp_path: Path) -> None:
    archive = covid_chestxray(tmp_path / "master.zip")
    rows = prepared(tmp_path, "source=covid_chestxray", "split=flat", f"path={archive}")
    assert {path: (row.patient, row.view) for path, row in rows.items()} == {
        "covid/a.jpg": ("covid_chestxray-2", "PA"),
        "covid/b.jpeg": ("covid_chestxray-2", "AP"),
        "pneumonia/c.png": ("covid_chestxray-4", "PA"),
        "normal/d.png": ("covid_chestxray-5", "AP Supine"),
    }
    assert rejected(tmp_path) == [
        (
            "covid_chestxray",
            "covid-chestxray-dataset-master/images/gone.png",
            "is listed, but does not exist",
        )
    ]
    text = (tmp_path / "tree" / "SOURCE.md").read_text()
    assert "because no class includes the label: Tuberculosis (1), todo (1)" in text
    assert "Rejected images: 1, see rejected.csv" in text
    written = "".join(path.read_text() for path in (tmp_path / "tree").iterdir() if path.is_file())
    assert not [word for word in ("Rome", "Mr X") if word in written]


def test_other_views(tmp_path: Path) -> None:
    archive = covid_chestxray(tmp_path / "master.zip")
    rows = prepared(
        tmp_path, "source=covid_chestxray", "split=flat", f"path={archive}",
        "source.covid_chestxray.views=[L]",
    )  # fmt: skip
    assert set(rows) == {"pneumonia/g.png"}


def arrays(path: Path, side: int, **changed: np.ndarray) -> Path:
    random = np.random.default_rng(0)
    content = {}
    for split, count in (("train", 6), ("val", 4), ("test", 2)):
        content[f"{split}_images"] = random.integers(0, 256, (count, side, side), dtype=np.uint8)
        content[f"{split}_labels"] = np.arange(count, dtype=np.uint8)[:, None] % 2
    np.savez(path, **{**content, **changed})
    return path


@pytest.mark.slow
@pytest.mark.parametrize(("resolution", "side"), [(28, 56), (64, 64)])
def test_pneumonia_mnist(tmp_path: Path, resolution: int, side: int) -> None:
    suffix = "" if resolution == 28 else f"_{resolution}"
    file = arrays(tmp_path / f"pneumoniamnist{suffix}.npz", resolution)
    rows = prepared(
        tmp_path, "source=pneumonia_mnist", f"path={tmp_path}",
        f"source.pneumonia_mnist.resolution={resolution}",
    )  # fmt: skip
    assert set(rows) == {
        f"{split}/{('normal', 'pneumonia')[i % 2]}/{split}_{i:05d}.png"
        for split, count in (("train", 6), ("val", 4), ("test", 2))
        for i in range(count)
    }
    assert {(row.width, row.height, row.bits) for row in rows.values()} == {(side, side, 8)}
    if resolution == side:
        pixels = read_image(tmp_path / "tree" / "val" / "pneumonia" / "val_00003.png")
        assert np.array_equal(pixels, np.load(file)["val_images"][3])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"test_images": np.zeros((2, 28, 28), np.uint8)}, "expected (n, 64, 64) uint8"),
        ({"val_labels": np.full((4, 1), 7)}, "expected (n, 64, 64) uint8 and (n, 1), 0 or 1"),
        ({"val_images": np.array([{}])}, "does not contain the arrays of PneumoniaMNIST"),
    ],
)
def test_invalid_arrays(tmp_path: Path, changed: dict[str, np.ndarray], message: str) -> None:
    file = arrays(tmp_path / "pneumoniamnist_64.npz", 64, **changed)
    outcome = prepare(
        tmp_path, "source=pneumonia_mnist", "source.pneumonia_mnist.resolution=64", f"path={file}"
    )
    assert outcome.status == 1
    assert message in outcome.err


def test_file_without_arrays(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04 nothing")
    outcome = prepare(tmp_path, "source=pneumonia_mnist", f"path={tmp_path}/x.npz")
    assert "does not contain the arrays of PneumoniaMNIST" in outcome.err
    assert "Download pneumoniamnist_224.npz from https://zenodo.org" in outcome.err


NIH = ("Image Index", "Finding Labels", "Follow-up #", "Patient ID", "Patient Age", "View Position")


def nih(folder: Path, *, name: str = "Data_Entry_2017.csv", split: bool = True) -> Path:
    lines = [
        ("00000001_000.png", "No Finding", 0, 1, 58, "PA"),
        ("00000001_001.png", "Effusion|Pneumonia", 1, 1, 58, "PA"),
        ("00000002_000.png", "No Finding", 0, 2, 81, "AP"),
        ("00000003_000.png", "Pneumonia", 0, 3, 82, "AP"),
        ("00000004_000.png", "Cardiomegaly", 0, 4, 82, "PA"),
        ("00000005_000.png", "No Finding", 0, 5, 82, "PA"),
    ]
    files = pictures([f"images_00{i % 2 + 1}/images/{line[0]}" for i, line in enumerate(lines[:5])])
    files[name] = table(NIH, lines)
    if split:
        files["test_list.txt"] = b"00000002_000.png\n00000003_000.png"
    return lay(folder, files)


def test_nih(tmp_path: Path) -> None:
    rows = prepared(tmp_path, "source=nih", f"path={nih(tmp_path / 'in')}")
    assert {path: (row.label, row.patient, row.view) for path, row in rows.items()} == {
        "train/normal/00000001_000.png": ("No Finding", "nih-1", "PA"),
        "train/pneumonia/00000001_001.png": ("Effusion|Pneumonia", "nih-1", "PA"),
        "test/normal/00000002_000.png": ("No Finding", "nih-2", "AP"),
        "test/pneumonia/00000003_000.png": ("Pneumonia", "nih-3", "AP"),
    }
    assert rejected(tmp_path) == [("nih", "00000005_000.png", "is listed, but does not exist")]


def test_nih_subset_without_a_split(tmp_path: Path) -> None:
    folder = nih(tmp_path / "in", name="Data_Entry_2017_v2020.csv", split=False)
    rows = prepared(tmp_path, "source=nih", f"path={folder}")
    places = {}
    for row in rows.values():
        places.setdefault(row.patient, set()).add(row.split)
    assert all(len(splits) == 1 for splits in places.values())
    assert {row.split for row in rows.values()} == {"train", "test"}


def test_nih_without_the_table(tmp_path: Path) -> None:
    outcome = prepare(tmp_path, "source=nih", f"path={lay(tmp_path / 'in', {'a.png': b''})}")
    assert "contains no Data_Entry_2017.csv" in outcome.err
    assert not list((tmp_path / "outputs" / "data").iterdir())


def test_folder_with_another_layout(tmp_path: Path) -> None:
    outcome = prepare(tmp_path, "source=kermany", f"path={lay(tmp_path / 'in', {'a/b.png': b''})}")
    assert outcome.status == 1
    assert "contains no folder with train, test, which this dataset has" in outcome.err
    assert "https://www.kaggle.com/datasets/paultimothymooney" in outcome.err


RSNA = (
    ("0a1", "Normal", 0), ("0a2", "Normal", 0), ("0a3", "Lung Opacity", 1),
    ("0a3", "Lung Opacity", 1), ("0a4", "Lung Opacity", 1),
    ("0a5", "No Lung Opacity / Not Normal", 0),
)  # fmt: skip


def rsna() -> dict[str, bytes]:
    return {
        f"stage_2_train_images/{name}.dcm": dicom(
            seed=i, name=f"DOE^{name}", view="PA" if i % 2 else "AP"
        )
        for i, name in enumerate(["0a1", "0a2", "0a3", "0a4", "0a5"])
    }


@pytest.mark.slow
def test_rsna(tmp_path: Path) -> None:
    files = rsna()
    files["stage_2_detailed_class_info.csv"] = table(
        ("patientId", "class"), [line[:2] for line in RSNA]
    )
    files["stage_2_test_images/zz.dcm"] = b"x"
    archive = pack(tmp_path / "rsna.zip", files)
    rows = prepared(tmp_path, "source=rsna", "split=flat", f"path={archive}")
    assert {path: (row.label, row.patient, row.view) for path, row in rows.items()} == {
        "normal/0a1.png": ("Normal", None, "AP"),
        "normal/0a2.png": ("Normal", None, "PA"),
        "pneumonia/0a3.png": ("Lung Opacity", None, "AP"),
        "pneumonia/0a4.png": ("Lung Opacity", None, "PA"),
    }
    text = (tmp_path / "tree" / "SOURCE.md").read_text()
    assert "No Lung Opacity / Not Normal (1)" in text
    for path in (tmp_path / "tree").rglob("*.*"):
        assert b"DOE" not in path.read_bytes()
    with Image.open(tmp_path / "tree" / "normal" / "0a1.png") as image:
        expected = np.random.default_rng(0).integers(0, 256, (40, 48), dtype=np.uint8)
        assert np.array_equal(np.asarray(image), expected)


def test_rsna_with_only_the_table_of_boxes(tmp_path: Path) -> None:
    files = rsna()
    files["stage_2_train_labels.csv"] = table(
        ("patientId", "x", "Target"), [(name, "", target) for name, _, target in RSNA]
    )
    rows = prepared(tmp_path, "source=rsna", "split=flat", f"path={lay(tmp_path / 'in', files)}")
    assert set(rows) == {"pneumonia/0a3.png", "pneumonia/0a4.png"}


def test_phantoms(tmp_path: Path) -> None:
    rows = prepared(
        tmp_path, "source=phantom", "source.phantom.views=1", "source.phantom.size=64",
        "source.phantom.patients={train: 4, val: 4, test: 4}",
    )  # fmt: skip
    assert len(rows) == 12
    assert {row.split for row in rows.values()} == {"train", "val", "test"}
    assert len({row.patient for row in rows.values()}) == 12
    for kind in ("lung", "lesion"):
        assert all((tmp_path / "tree" / "masks" / kind / path).is_file() for path in rows)
