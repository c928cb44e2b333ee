# ruff: noqa: E501 (tables)
"""python -m xray.prepare: content, reuse and errors of a prepared dataset."""

import os
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_up import lay, pack, picture, pictures, prepare, prepared, rejected

from xray.cli.help import help_text
from xray.config import CONF_DIR
from xray.imaging.read import read_image
from xray.sources import images

KERMANY = [
    f"{split}/{label}.jpeg"
    for split, label in [
        ("train", "NORMAL/IM-0001-0001"), ("train", "NORMAL/IM-0002-0001"),
        ("train", "PNEUMONIA/person1_bacteria_1"), ("train", "PNEUMONIA/person1_bacteria_2"),
        ("train", "PNEUMONIA/person2_bacteria_3"), ("test", "NORMAL/IM-0003-0001"),
        ("test", "PNEUMONIA/person1_bacteria_7"),
    ]
]  # fmt: skip


@pytest.fixture
def kermany(tmp_path: Path) -> Path:
    return lay(tmp_path / "kermany", pictures(KERMANY))


def covid(root: Path, names: tuple[str, ...] = ("IM-0001-0001.jpg", "x.jpg")) -> Path:
    files = [
        f"{split}/{label}/{name}"
        for split in ("train", "test")
        for label in ("Covid", "Normal", "Viral Pneumonia")
        for name in names
    ]
    return lay(root, {name: picture(100 + i, kind="JPEG") for i, name in enumerate(files)})


def tree(root: Path) -> set[str]:
    return {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}


# Summary


def test_summary(tmp_path: Path, kermany: Path) -> None:
    outcome = prepare(tmp_path, "source=kermany", f"path={kermany}")
    assert (outcome.status, outcome.err) == (0, "")
    out = tmp_path / "outputs" / "data" / "kermany"
    lines = [" ".join(line.split()) for line in outcome.out.replace("│", " ").splitlines()]
    assert "normal 2 1 3" in lines
    assert "pneumonia 3 1 4" in lines
    assert "covid 0 0 0" in lines
    assert "all 5 2 7" in lines
    # person1_bacteria is in train and in test.
    assert "Images: 7, of 5 patients" in lines
    assert "Patients in more than one split: 1; split=hold_out keeps each in one split" in lines
    assert "License: CC BY 4.0" in lines
    assert any("https://doi.org/10.17632/rscbjbr9sj.2" in line for line in lines)
    assert lines[-1] == f"python -m xray.train data=folder data.root={out}"
    assert {"manifest.csv", "SOURCE.md", "prepare.json", "audit.json", "findings.csv"} < tree(out)
    assert any(
        line.startswith("Verdict: leaks found. Overlaps between splits: 1.") for line in lines
    )
    assert "rejected.csv" not in tree(out)


def test_training_reads_a_prepared_dataset(tmp_path: Path, kermany: Path) -> None:
    from xray.data.folder import XrayFolder
    from xray.data.groups import Groups
    from xray.data.layout import find_layout
    from xray.data.patients import compile_patient_pattern

    prepared(tmp_path, "source=kermany", f"path={kermany}")
    layout = find_layout(tmp_path / "tree")
    assert set(layout) == {"train", "test"}
    groups = Groups({"normal": ["normal"], "sick": ["pneumonia", "covid"]})
    folder = XrayFolder(layout["train"], groups, compile_patient_pattern(None))
    assert [(s.path.name, s.target) for s in folder.records] == [
        ("IM-0001-0001.jpeg", 0), ("IM-0002-0001.jpeg", 0), ("person1_bacteria_1.jpeg", 1),
        ("person1_bacteria_2.jpeg", 1), ("person2_bacteria_3.jpeg", 1),
    ]  # fmt: skip


# Splits


def test_held_out_split_keeps_patients_together(tmp_path: Path, kermany: Path) -> None:
    rows = prepared(tmp_path, "source=kermany", f"path={kermany}", "split=hold_out")
    splits = {row.split for row in rows.values() if row.patient == "kermany-person1_bacteria"}
    assert len(splits) == 1
    for name in ("normal", "pneumonia"):
        assert {r.split for r in rows.values() if r.class_name == name} == {"train", "test"}


def test_one_patient_cannot_be_split(tmp_path: Path) -> None:
    files = pictures(["covid/patient01_1.png", "normal/a.png", "normal/b.png"])
    outcome = prepare(tmp_path, "source=folder", f"path={lay(tmp_path / 'in', files)}")
    assert "test split cannot be held out from 3 images: class 'covid' has a single" in outcome.err


# Several sources


def combine(tmp_path: Path, kermany: Path, *argv: str) -> dict:
    return prepared(
        tmp_path, "source=[kermany,covid19_image]", f"source.kermany.path={kermany}",
        f"source.covid19_image.path={covid(tmp_path / 'covid')}", *argv,
    )  # fmt: skip


def test_sources_are_merged_and_equal_names_are_distinguished(
    tmp_path: Path, kermany: Path
) -> None:
    rows = combine(tmp_path, kermany)
    assert {path for path in rows if path.startswith("train/normal/")} == {
        "train/normal/kermany_IM-0001-0001.jpeg",
        "train/normal/covid19_image_IM-0001-0001.jpg",
        "train/normal/IM-0002-0001.jpeg",
        "train/normal/x.jpg",
    }
    assert len(rows) == 7 + 12
    sources = {row.source for row in rows.values()}
    assert sources == {"kermany", "covid19_image"}
    assert rows["train/normal/kermany_IM-0001-0001.jpeg"].patient == "kermany-im-0001"
    note = (tmp_path / "tree" / "SOURCE.md").read_text()
    assert "License: CC BY 4.0" in note
    assert "License: CC BY-SA 4.0" in note


def test_two_folders_are_merged_under_their_own_names(tmp_path: Path) -> None:
    for name in ("a", "b"):
        lay(tmp_path / name, pictures(["normal/1.png", "covid/1.png"]))
    target = "_target_: xray.sources.folder.Folder, patient_pattern: null"
    rows = prepared(
        tmp_path, f"+source.north={{{target}, path: {tmp_path}/a}}",
        f"+source.south={{{target}, path: {tmp_path}/b}}", "split=flat",
    )  # fmt: skip
    assert set(rows) == {
        f"{name}/{site}_1.png" for name in ("normal", "covid") for site in ("north", "south")
    }


def test_duplicate_files_are_counted(tmp_path: Path) -> None:
    files = {"train/normal/a.png": picture(1), "test/normal/b.png": picture(1),
             "train/covid/c.png": picture(2), "train/covid/d.png": picture(2)}  # fmt: skip
    outcome = prepare(tmp_path, "source=folder", f"path={lay(tmp_path / 'in', files)}")
    assert "Duplicate files: 2, of which in more than one split: 1" in outcome.out


# Limit


def test_limit_keeps_patients_together(tmp_path: Path) -> None:
    names = [
        f"{split}/{label}/patient{split[0]}{label[0]}{p}_{i}.png".replace("patientt", "patient1")
        for split in ("train", "test")
        for label in ("normal", "covid")
        for p in range(4)
        for i in range(3)
    ]
    path = lay(tmp_path / "in", pictures([n.replace("patient1", "") for n in names]))
    rows = prepared(
        tmp_path, "source=folder", f"path={path}", "limit=7",
        "source.folder.patient_pattern='^(..)_'",
    )  # fmt: skip
    counts = {
        (row.split, row.class_name): [
            r.patient for r in rows.values() if (r.split, r.class_name) == (row.split, row.class_name)
        ]
        for row in rows.values()
    }  # fmt: skip
    assert set(counts) == {(s, c) for s in ("train", "test") for c in ("normal", "covid")}
    for patients in counts.values():
        assert len(patients) == 6
        assert sorted(patients.count(name) for name in set(patients)) == [3, 3]


def test_limit_depends_on_the_seed(tmp_path: Path, kermany: Path) -> None:
    drawn = [
        prepare(tmp_path, "source=kermany", f"path={kermany}", "limit=1", f"out={tmp_path}/{name}",
                f"seed={seed}").status or tree(tmp_path / name)
        for name, seed in (("a", 0), ("b", 0), ("c", 3))
    ]  # fmt: skip
    assert drawn[0] == drawn[1]
    assert all(len({p for p in found if p.endswith("jpeg")}) >= 3 for found in drawn)


# Resizing, linking, verifying


def gradient(width: int, height: int) -> bytes:
    row = np.linspace(0, 255, width).astype(np.uint8)
    return cv2.imencode(".png", np.tile(row, (height, 1)))[1].tobytes()


@pytest.mark.parametrize(
    ("options", "large", "small"),
    [
        ([], (200, 100), (60, 40)),
        (["size=80"], (80, 40), (60, 40)),
        (["size=80", "upscale=true"], (80, 40), (80, 53)),
        (["size=80", "keep_aspect=false"], (80, 80), (60, 40)),
        (["size=80", "keep_aspect=false", "upscale=true"], (80, 80), (80, 80)),
    ],
)
def test_sizes(
    tmp_path: Path, options: list[str], large: tuple[int, int], small: tuple[int, int]
) -> None:
    files = {"normal/large.png": gradient(200, 100), "covid/small.png": gradient(60, 40)}
    path = lay(tmp_path / "in", files)
    rows = prepared(tmp_path, "source=folder", f"path={path}", "split=flat", *options)
    sizes = {row.class_name: (row.width, row.height) for row in rows.values()}
    assert sizes == {"normal": large, "covid": small}
    for path, row in rows.items():
        pixels = read_image(tmp_path / "tree" / path)
        assert pixels.shape == (row.height, row.width)
        # The left is dark and the right is bright, at any size.
        assert pixels[:, 0].max() < 5
        assert pixels[:, -1].min() > 250
    if small == (60, 40):
        kept = (tmp_path / "tree" / "covid" / "small.png").read_bytes()
        assert kept == files["covid/small.png"]


def test_image_that_becomes_too_narrow_is_rejected(tmp_path: Path) -> None:
    files = {"normal/a.png": gradient(200, 60), "covid/b.jpg": picture(1, width=90, height=90, kind="JPEG")}  # fmt: skip
    path = lay(tmp_path / "in", files)
    rows = prepared(tmp_path, "source=folder", f"path={path}", "split=flat", "size=64")
    assert set(rows) == {"covid/b.png"}
    assert rejected(tmp_path) == [
        ("folder", "normal/a.png", "would have 64 x 19 pixels, fewer than 32 on a side")
    ]


def test_hard_links(tmp_path: Path, kermany: Path) -> None:
    prepared(tmp_path, "source=kermany", f"path={kermany}", "link=true")
    one = tmp_path / "tree" / "train" / "normal" / "IM-0001-0001.jpeg"
    assert one.samefile(kermany / "train" / "NORMAL" / "IM-0001-0001.jpeg")


def test_files_are_copied_by_default(tmp_path: Path, kermany: Path) -> None:
    prepared(tmp_path, "source=kermany", f"path={kermany}")
    one = tmp_path / "tree" / "train" / "normal" / "IM-0001-0001.jpeg"
    assert not one.samefile(kermany / "train" / "NORMAL" / "IM-0001-0001.jpeg")


def test_hard_links_are_not_supported(
    tmp_path: Path, kermany: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(source: Path, target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", link)
    outcome = prepare(tmp_path, "source=kermany", f"path={kermany}", "link=true")
    assert outcome.status == 1
    assert "(Invalid cross-device link). Hard links require the same file system" in outcome.err
    assert not list((tmp_path / "outputs" / "data").iterdir())
    # Unpacked files are copied instead.
    archive = shutil.make_archive(str(tmp_path / "archive"), "zip", kermany)
    assert prepared(tmp_path, "source=kermany", f"path={archive}")


def test_without_verifying(tmp_path: Path) -> None:
    path = lay(tmp_path / "in", {"normal/a.png": b"no picture", "covid/b.png": picture(0)})
    rows = prepared(tmp_path, "source=folder", f"path={path}", "split=flat", "verify=false")
    assert set(rows) == {"normal/a.png", "covid/b.png"}
    row = rows["covid/b.png"]
    assert (row.width, row.height, row.bits) == (None, None, None)
    assert len(row.sha256 or "") == 64


# Files that cannot be used


def test_bad_files_are_listed_with_a_reason(tmp_path: Path) -> None:
    files = {
        **pictures(["normal/a.png", "covid/b.png", "covid/old.gif", "covid/scan.jp2"]),
        "normal/empty.png": b"",
        "normal/cut.jpg": picture(3, kind="JPEG")[:300],
        "covid/tiny.png": picture(4, width=20, height=20),
        "covid/notes.txt": b"x",
    }
    archive = pack(tmp_path / "a.zip", files)
    rows = prepared(tmp_path, "source=folder", f"path={archive}", "split=flat")
    assert set(rows) == {"normal/a.png", "covid/b.png"}
    reasons = {path: reason for _, path, reason in rejected(tmp_path)}
    assert set(reasons) == {
        "covid/old.gif", "covid/scan.jp2", "covid/tiny.png", "normal/cut.jpg", "normal/empty.png",
    }  # fmt: skip
    assert reasons["normal/empty.png"] == "is empty (0 bytes)"
    assert reasons["covid/tiny.png"] == "has 20 x 20 pixels, fewer than 32 on a side"
    assert reasons["covid/old.gif"] == "is a GIF image, which is not read"
    assert "truncated" in reasons["normal/cut.jpg"]


def test_image_with_a_wrong_suffix_becomes_a_png(tmp_path: Path) -> None:
    path = lay(tmp_path / "in", {"normal/a.gif": picture(0), "covid/b.png": picture(1)})
    rows = prepared(tmp_path, "source=folder", f"path={path}", "split=flat", "verify=false")
    assert set(rows) == {"normal/a.png", "covid/b.png"}


def test_file_without_read_permission_is_rejected(
    tmp_path: Path, kermany: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images.os, "access", lambda path, mode: "person2" not in path.name)
    rows = prepared(tmp_path, "source=kermany", f"path={kermany}")
    assert len(rows) == 6
    assert rejected(tmp_path) == [
        ("kermany", "train/PNEUMONIA/person2_bacteria_3.jpeg", "cannot be opened")
    ]


def test_no_good_file(tmp_path: Path) -> None:
    path = lay(tmp_path / "in", {"normal/a.png": b"x", "covid/b.png": b"y"})
    outcome = prepare(tmp_path, "source=folder", f"path={path}", "split=flat")
    assert "None of 2 images can be used. folder: covid/b.png is text, not an" in outcome.err
    assert not list((tmp_path / "outputs" / "data").iterdir())


# Existing datasets and interrupted runs


def test_dataset_of_the_same_request_is_kept(tmp_path: Path, kermany: Path) -> None:
    first = prepare(tmp_path, "source=kermany", f"path={kermany}", "leave_out=[normal]")
    out = tmp_path / "outputs" / "data" / "kermany"
    kept = tree(out) - {"audit.json", "findings.csv"}
    before = {name: (out / name).stat().st_mtime_ns for name in kept}
    (kermany / "train").rename(tmp_path / "gone")
    again = prepare(
        tmp_path, "source=kermany", f"path={kermany}", "leave_out=[normal]", "workers=1"
    )
    assert (
        again.out
        == f"{out} was already prepared from this request and is not changed.\n{first.out}"
    )
    assert before == {name: (out / name).stat().st_mtime_ns for name in kept}


def test_split_carve_of_version_0_1_means_hold_out(tmp_path: Path, kermany: Path) -> None:
    options = ("source=kermany", f"path={kermany}", f"out={tmp_path}/tree")
    first = prepare(tmp_path, *options, "split=hold_out")
    record = tmp_path / "tree" / "prepare.json"
    assert '"split": "hold_out"' in record.read_text()
    record.write_text(record.read_text().replace('"split": "hold_out"', '"split": "carve"'))
    for split in ("hold_out", "carve"):
        again = prepare(tmp_path, *options, f"split={split}")
        assert (again.status, again.err) == (first.status, "") == (0, "")
        assert again.out.endswith(first.out)
        assert "already prepared from this request" in again.out


def test_dataset_of_another_request_is_an_error(tmp_path: Path, kermany: Path) -> None:
    prepared(tmp_path, "source=kermany", f"path={kermany}")
    outcome = prepare(
        tmp_path, "source=kermany", f"path={kermany}", f"out={tmp_path}/tree", "limit=1", "size=64"
    )
    assert outcome.err == (
        f"error: {tmp_path}/tree was prepared from another request (different: limit, size). "
        "Delete the folder to prepare it again, or pass another out=<folder>.\n"
    )
    outcome = prepare(tmp_path, "source=kermany", f"path={tmp_path}", f"out={tmp_path}/tree")
    assert "(different: source.kermany.path)" in outcome.err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"mine.txt": b"x"},
            "xray.prepare did not create it (it contains no readable prepare.json)",
        ),
        (
            {"prepare.json": b"{}"},
            "xray.prepare did not create it (it contains no readable prepare.json)",
        ),
        (
            {"prepare.json": b"[]"},
            "xray.prepare did not create it (it contains no readable prepare.json)",
        ),
    ],
)
def test_other_folders_are_not_changed(
    tmp_path: Path, kermany: Path, content: dict[str, bytes], message: str
) -> None:
    lay(tmp_path / "tree", content)
    outcome = prepare(tmp_path, "source=kermany", f"path={kermany}", f"out={tmp_path}/tree")
    assert message in outcome.err
    assert tree(tmp_path / "tree") == set(content)


def test_dataset_without_its_manifest(tmp_path: Path, kermany: Path) -> None:
    prepared(tmp_path, "source=kermany", f"path={kermany}")
    (tmp_path / "tree" / "manifest.csv").unlink()
    outcome = prepare(tmp_path, "source=kermany", f"path={kermany}", f"out={tmp_path}/tree")
    assert "has lost its manifest.csv. Delete the folder, and prepare it again." in outcome.err


def test_empty_folder_is_filled(tmp_path: Path, kermany: Path) -> None:
    (tmp_path / "tree").mkdir()
    assert len(prepared(tmp_path, "source=kermany", f"path={kermany}")) == 7


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, 130), (OSError, 1)])
def test_interrupted_run_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException], status: int
) -> None:
    archive = pack(tmp_path / "a.zip", pictures(KERMANY))
    written = []
    real = images.fingerprint

    def stop(path: Path) -> object:
        written.append(path)
        if len(written) == 4:
            raise error(28, "No space left on device")
        return real(path)

    monkeypatch.setattr(images, "fingerprint", stop)
    outcome = prepare(tmp_path, "source=kermany", f"path={archive}", "workers=1")
    assert outcome.status == status
    assert len(written) >= 4
    assert not list((tmp_path / "outputs" / "data").iterdir())


def test_files_of_a_killed_run_are_reported(tmp_path: Path, kermany: Path) -> None:
    left = tmp_path / "outputs" / "data" / ".kermany.0123abcd.part"
    left.mkdir(parents=True)
    outcome = prepare(tmp_path, "source=kermany", f"path={kermany}")
    assert outcome.status == 0
    line = (
        f"{left} belongs to a run that is in progress or was killed. If it was killed, delete it."
    )
    assert outcome.out.splitlines()[0] == line


def test_folder_that_cannot_be_written(tmp_path: Path, kermany: Path) -> None:
    (tmp_path / "file").write_text("")
    outcome = prepare(tmp_path, "source=kermany", f"path={kermany}", f"out={tmp_path}/file/x")
    assert "cannot be written" in outcome.err
    assert "pass out=<writable folder>" in outcome.err


# Command line


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ([], "source is not set. Pass one, such as source=kermany; --help lists"),
        (["path=x"], "source is not set. Pass one, such as source=kermany; --help lists"),
        (["source=kermani"], "there is no source 'kermani'. Did you mean 'kermany'?"),
        (["source=folder"], "path is not set. Pass the location of your images"),
        (["source=[kermany,nih]", "path=x"], "path can only be used with one "
         "source; for several sources, pass source.kermany.path=... source.nih.path=..."),
        (["source=kermany", "split=oficial"], "split is 'oficial', but must be one of: official, "
         "hold_out, flat. Did you mean 'official'?"),
        (["source=kermany", "size=16"], "size is 16, but must be a whole number, 32 or greater"),
        (["source=kermany", "limit=0"], "limit is 0, but must be a whole number, 1 or greater"),
        (["source=kermany", "link=true", "size=64"], "link=true cannot be combined with size"),
        (["source=kermany", "upscale=true"], "upscale and keep_aspect only apply to images that are resized"),
        (["source=kermany", "test_fraction=0.9"], "test_fraction is 0.9, but must be a "
         "number, greater than 0 and at most 0.5"),
        (["source=kermany", "groups.covid=[virus, lung opacity]"], "groups lists the folder name "),
        (["source=pneumonia_mnist", "source.pneumonia_mnist.resolution=32"],
         "source.pneumonia_mnist.resolution is 32, but must be"),
        (["source=covid_chestxray", "source.covid_chestxray.views=[]"],
         "source.covid_chestxray.views is [], but must be a list of views"),
        (["source=kermany", "source.kermany.pth=x"], "there is no key 'source.kermany.pth'. Did you "
         "mean 'source.kermany.path'?"),
        (["source=phantom", "path=x"], "path cannot be used with source=phantom"),
        (["source=kermany", "path=/nowhere"], "path=/nowhere does not exist. Pass path="),
        (["-m", "source=kermany,nih"], "prepare cannot be run as a sweep; remove -m"),
        (["+source.x={_target_: xray.sources.folder.Foldr}"], "Did you mean 'Folder'?"),
    ],
)  # fmt: skip
def test_errors_on_the_command_line(tmp_path: Path, typed: list[str], message: str) -> None:
    outcome = prepare(tmp_path, *typed)
    assert outcome.status == 1
    assert outcome.out == ""
    assert outcome.err.startswith("error: ")
    assert message in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_help_lists_every_source_and_every_key() -> None:
    import yaml
    from hydra.utils import get_class

    text = help_text("prepare")
    for path in sorted((CONF_DIR / "source").glob("*.yaml")):
        [(name, part)] = yaml.safe_load(path.read_text()).items()
        assert name == path.stem
        about = get_class(part["_target_"]).about
        [line] = [line for line in text.splitlines() if line.split()[:1] == [name]]
        count = re.search(r"[\d,]+", about.size)
        if count:
            assert f" {count[0]} images" in line
            assert about.page.startswith("https://")
    keys = yaml.safe_load((CONF_DIR / "prepare.yaml").read_text()).keys() - {"defaults", "hydra"}
    assert all(f" {key} " in text for key in keys)
