"""The commands train, evaluate and gradcam with their configurations, on tiny images."""

import csv
import json
import re
import shutil
import warnings
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import yaml
from commands import run_below
from made_images import write_image

from xray import build, evaluate, gradcam, report, train
from xray.cli.saved_config import load_run_config
from xray.config import CONF_DIR
from xray.data.transforms import load_transforms
from xray.model.checkpoint import load_model
from xray.model.classifier import XrayClassifier
from xray.model.zoo import BACKBONES, Architecture
from xray.training.compute import machine_name

TREE = {
    "train/Normal": 12,
    "train/Covid": 12,
    "val/Normal": 4,
    "val/Covid": 4,
    "test/Normal": 4,
    "test/COVID-19": 4,
}
TINY = [
    "data=folder",
    "data.size=32",
    "data.batch_size=8",
    "data.workers=0",
    "data.min_val=0",
    "model.weights=random",
    "model.head.hidden=[8]",
    "model.head.norm=batch",
    "trainer=cpu",
    "callbacks.early_stopping.patience=50",
    "~callbacks.progress",
]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Return a dataset of noisy gray squares; COVID-19 is brighter than normal."""
    root, seed = tmp_path_factory.mktemp("set"), 0
    for place, (folder, count) in enumerate(TREE.items()):
        for i in range(count):
            level = 90 if "Normal" in folder else 150
            write_image(
                root / folder / f"patient{place}{i:03d}_00.png",
                level=level,
                seed=(seed := seed + 1),
            )
    return root


@pytest.fixture(scope="module")
def run_command(tmp_path_factory):
    """Return a function that runs a command and returns the newest training run."""
    return partial(run_below, tmp_path_factory.mktemp("outputs"))


@pytest.fixture(scope="module")
def run(run_command, root):
    """Return a finished run of three epochs with cached activations."""
    return run_command(
        train,
        *TINY,
        f"data.root={root}",
        "trainer.max_epochs=3",
        "callbacks.gradcam.every_n_epochs=2",
        "callbacks.gradcam.faithfulness=2",
        "callbacks.gradcam.budget=null",
    )


def state(run: Path, name: str = "last") -> dict:
    return torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)["state_dict"]


def same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.slow
def test_run_directory_is_complete(run):
    assert {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()} >= {
        ".hydra/config.yaml",
        "environment.json",
        "data.json",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "metrics.csv",
        "metrics.json",
        "predictions/val.csv",
        "predictions/test.csv",
        "gradcam/val/epoch_001/index.csv",
        "gradcam/test/index.csv",
        "gradcam/test/scorecard.json",
        "gradcam/test/scorecard.csv",
        "gradcam/test/failures/index.csv",
        "figures/test_roc.png",
        "report.html",
        "report.md",
        "train.log",
    }
    assert list((run / "tensorboard").glob("events*"))


def test_metrics_agree_with_predictions(run):
    metrics = json.loads((run / "metrics.json").read_text())
    with (run / "predictions" / "test.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == metrics["test"]["n"] == 8
    right = sum(row["target"] == row["predicted"] for row in rows)
    assert metrics["test"]["accuracy"]["value"] == pytest.approx(right / 8)
    assert sum(map(sum, metrics["test"]["confusion_matrix"])) == 8
    assert {row["label"] for row in rows} == {"Normal", "COVID-19"}
    assert all(
        float(row["p_normal"]) + float(row["p_pneumonia"]) == pytest.approx(1) for row in rows
    )


def test_curves_have_one_row_per_epoch(run):
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows if row["val/auroc"]] == ["0", "1", "2"]
    assert [row["epoch"] for row in rows if row["train/loss"]] == ["0", "1", "2"]


def test_start_and_end_are_recorded(run):
    environment = json.loads((run / "environment.json").read_text())
    assert datetime.fromisoformat(environment["started"]) < datetime.fromisoformat(
        environment["finished"]
    )
    assert environment["finished"] in (run / "report.md").read_text()


def test_overlays_start_with_covid(run):
    with (run / "gradcam" / "test" / "index.csv").open() as file:
        labels = [row["label"] for row in csv.DictReader(file)]
    assert labels == ["COVID-19"] * 4 + ["Normal"] * 4


def test_confident_errors_have_overlays(run):
    with (run / "predictions" / "test.csv").open() as file:
        wrong = {row["path"] for row in csv.DictReader(file) if row["target"] != row["predicted"]}
    with (run / "gradcam" / "test" / "failures" / "index.csv").open() as file:
        drawn = list(csv.DictReader(file))
    assert {row["path"] for row in drawn} == wrong
    assert all(row["truth"] != row["predicted"] for row in drawn)
    page = (run / "report.md").read_text()
    assert ("gradcam/test/failures/" in page) == bool(wrong)


@pytest.mark.slow
def test_error_is_explained_with_its_recorded_prediction(run, run_command, tmp_path):
    copy = shutil.copytree(run, tmp_path / "copy")
    predicted = copy / "predictions" / "test.csv"
    with predicted.open() as file:
        rows = list(csv.DictReader(file))
    # The recorded predictions differ from those of the network, as in another precision.
    for row in rows:
        row["p_normal"], row["p_pneumonia"] = row["p_pneumonia"], row["p_normal"]
    with predicted.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    recorded = {
        row["path"]: "pneumonia" if float(row["p_pneumonia"]) > 0.5 else "normal" for row in rows
    }
    wrong = {row["path"] for row in rows if recorded[row["path"]] != row["target"]}
    run_command(gradcam, f"run={copy}", "n=1")
    with (copy / "gradcam" / "test" / "failures" / "index.csv").open() as file:
        drawn = {row["path"]: row["predicted"] for row in csv.DictReader(file)}
    assert drawn.keys() == wrong != set()
    assert all(recorded[path] == name for path, name in drawn.items())


def test_without_masks_the_scorecard_measures_faithfulness(run):
    scorecard = json.loads((run / "gradcam" / "test" / "scorecard.json").read_text())
    assert scorecard["title"] == "Scorecard of gradcam, test"
    assert "No lesion or lung masks were found" in scorecard["note"]
    # All requested images were measured, so no command is suggested.
    assert "python -m xray.gradcam" not in scorecard["note"]
    faithful = [row for row in scorecard["rows"] if row["group"] == "faithfulness"]
    assert {row["n"] for row in faithful if row["map"] == "map"} == {2}
    # A small network may have maps without evidence, for which no rank correlation is defined.
    weights = [row for row in scorecard["rows"] if row["group"] == "weights"]
    found = {row["measure"]: row["n"] for row in weights}
    assert found.pop("rank correlation with randomized weights") in range(9)
    assert set(found.values()) == {8}


def test_checkpoint_contains_plain_values_and_its_classes(run):
    model = XrayClassifier.load_from_checkpoint(
        run / "checkpoints" / "best.ckpt", weights_only=True
    )
    assert model.classes == ("normal", "pneumonia")
    assert model.hparams["weights_source"] == "random"


@pytest.mark.slow
def test_same_seed_repeats_the_metrics(run, run_command, root):
    again = run_command(
        train, *TINY, f"data.root={root}", "trainer.max_epochs=3", "~callbacks.gradcam"
    )
    assert again != run
    assert (again / "metrics.json").read_bytes() == (run / "metrics.json").read_bytes()
    assert same(state(again), state(run))


@pytest.mark.slow
def test_plain_lightning_repeats_weights_and_metrics(run_command, root):
    run = run_command(
        train,
        *TINY,
        f"data.root={root}",
        "cache=off",
        "trainer.precision=32-true",
        "trainer.max_epochs=2",
        "model.unfreeze={epoch: 1, trainable: block5}",
        "~callbacks.gradcam",
        "test=false",
    )
    data = build.build_data(load_run_config(run))
    model = XrayClassifier(
        "vgg16",
        classes=data.classes,
        weights="random",
        head={"hidden": [8], "norm": "batch"},
        unfreeze={"epoch": 1, "trainable": "block5"},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = pl.Trainer(
            max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False
        )
        trainer.fit(model, data)
        fitted = dict(trainer.callback_metrics)
        trainer.save_checkpoint(run / "plain.ckpt")
        tested = trainer.test(model, data, verbose=False)[0]
        batches = trainer.predict(model, data)
    assert same(model.state_dict(), state(run))
    with (run / "metrics.csv").open() as file:
        last = [row for row in csv.DictReader(file) if row["val/auroc"]][-1]
    assert {key: float(fitted[key]) for key in last if key.startswith("val/")} == {
        key: float(value) for key, value in last.items() if key.startswith("val/")
    }
    assert model.hparams["class_weights"] == data.class_weights()
    assert "test/auroc" in tested
    assert sum(len(batch["probabilities"]) for batch in batches) == 8
    restored = load_model(run / "plain.ckpt")
    assert restored.input_size == 32
    image = np.random.default_rng(0).integers(0, 255, (40, 50), np.uint8)
    assert torch.equal(load_transforms(restored.transforms)(image), data.evaluate(image))


@pytest.mark.slow
def test_one_class_of_validation_images_is_rejected(run_command, tmp_path, capsys):
    for split, names in (("train", "ab"), ("val", "a"), ("test", "ab")):
        for i in range(4):
            for name in names:
                label = {"a": "Normal", "b": "Pneumonia"}[name]
                file = tmp_path / split / label / f"{split}{name}{i}_0.png"
                write_image(file, seed=len(split) * 1000 + i * 10 + ord(name))
    with pytest.raises(SystemExit):
        run_command(train, *TINY, f"data.root={tmp_path}", "data.audit=false")
    error = capsys.readouterr().err
    assert all(word in error for word in ("validation", "'normal'", "pneumonia", "data.min_val=5"))
    assert "Traceback" not in error


@pytest.mark.slow
def test_custom_optimizer_schedule_and_loss(run_command, root):
    run = run_command(
        train,
        *TINY,
        f"data.root={root}",
        "trainer.max_epochs=2",
        "~callbacks.gradcam",
        "test=false",
        "optim.optimizer={_target_: torch.optim.RMSprop, _partial_: true, alpha: 0.5}",
        "optim.schedule={_target_: torch.optim.lr_scheduler.StepLR, _partial_: true, step_size: 1}",
        "optim.lr=0.01",
        "model.loss._target_=torch.nn.CrossEntropyLoss",
        "+model.loss.label_smoothing=0.1",
    )
    last = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    (group,) = last["optimizer_states"][0]["param_groups"]
    assert group["alpha"] == 0.5
    # StepLR divides the rate by 10 after each of the two epochs.
    assert group["lr"] == pytest.approx(1e-4)
    assert last["hyper_parameters"]["loss"]["label_smoothing"] == 0.1


def test_backbone_is_added_by_one_row_and_one_file(run_command, root, tmp_path, monkeypatch):
    row = Architecture(
        blocks=(("conv1", "bn1", "relu", "maxpool", "layer1"), ("layer2",), ("layer3", "layer4")),
        channels=512,
    )
    monkeypatch.setitem(BACKBONES, "resnet18", row)
    conf = shutil.copytree(CONF_DIR, tmp_path / "conf")
    text = (conf / "model" / "resnet50.yaml").read_text()
    (conf / "model" / "resnet18.yaml").write_text(text.replace("resnet50", "resnet18"))
    for module in ("xray.config", "xray.cli.launch", "xray.cli.compose", "xray.cli.command"):
        monkeypatch.setattr(f"{module}.CONF_DIR", conf, raising=False)
    run = run_command(
        train,
        *TINY,
        f"data.root={root}",
        "model=resnet18",
        "model.trainable=block3",
        "trainer.max_epochs=1",
        "callbacks.gradcam.scorecard=0",
    )
    model = load_model(run / "checkpoints" / "best.ckpt")
    assert (model.backbone.name, model.blocks, model.cut) == ("resnet18", 3, 2)
    assert (run / "gradcam" / "test" / "index.csv").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("cache", ["auto", "off"])
def test_stopped_and_resumed_run_ends_with_the_same_weights(run_command, root, cache):
    options = [
        *TINY,
        f"data.root={root}",
        f"cache={cache}",
        "model.unfreeze={epoch: 2, trainable: block5}",
        "~callbacks.gradcam",
        "test=false",
    ]
    whole = run_command(train, *options, "trainer.max_epochs=4")
    stopped = run_command(train, *options, "trainer.max_epochs=2")
    assert not same(state(stopped), state(whole))
    before = (stopped / ".hydra" / "overrides.yaml").read_text()
    assert run_command(train, f"resume={stopped}", "trainer.max_epochs=4") == stopped
    assert same(state(stopped), state(whole))
    assert "trainer.max_epochs=2" in before
    with (stopped / "metrics.csv").open() as file:
        assert [r["epoch"] for r in csv.DictReader(file) if r["val/auroc"]] == ["0", "1", "2", "3"]


def test_cached_run_trains_in_training_mode(run):
    weights = state(run)
    # Three epochs of three batches; in evaluation mode the statistics would stay at 0.
    assert weights["head.norm.num_batches_tracked"] == 9
    assert weights["head.norm.running_mean"].abs().sum() > 0


def test_moved_run_keeps_its_best_checkpoint(run_command, root, tmp_path):
    options = [*TINY, f"data.root={root}", "~callbacks.gradcam", "test=false"]
    first = run_command(train, *options, "trainer.max_epochs=2", "tag=moved")
    moved = first.rename(first.with_name("elsewhere"))
    best = torch.load(moved / "checkpoints" / "best.ckpt", weights_only=True)["epoch"]
    run_command(train, f"resume={moved}", "trainer.max_epochs=3", "optim.lr=1e-9")
    last = torch.load(moved / "checkpoints" / "last.ckpt", weights_only=True)
    saved = next(s for k, s in last["callbacks"].items() if "val/auroc" in k and "Run" in k)
    assert Path(saved["best_model_path"]) == moved / "checkpoints" / "best.ckpt"
    assert torch.load(moved / "checkpoints" / "best.ckpt", weights_only=True)["epoch"] >= best
    # The learning curves are drawn without a test.
    assert (moved / "figures" / "curves.png").is_file()


@pytest.mark.parametrize("override", ["model.head.dropout=0.1", "seed=3", "data.batch_size=4"])
def test_fixed_keys_of_a_resumed_run_are_rejected(run_command, run, override, capsys):
    with pytest.raises(SystemExit):
        run_command(train, f"resume={run}", override)
    assert f"'{override}' cannot change in a resumed run" in capsys.readouterr().err


def test_changed_images_of_a_run_are_rejected(run_command, root, tmp_path, capsys):
    own = shutil.copytree(root, tmp_path / "own")
    options = [*TINY, f"data.root={own}", "~callbacks.gradcam", "trainer.max_epochs=1"]
    run = run_command(train, *options, "logger=none")
    write_image(own / "test" / "Normal" / "new.png")
    for command, key in ((train, "resume"), (evaluate, "run"), (gradcam, "run")):
        with pytest.raises(SystemExit):
            run_command(command, f"{key}={run}")
        assert "The test images are not those of" in capsys.readouterr().err


def test_interrupt_prints_the_command_that_resumes_the_run(run_command, root, capfd):
    options = [
        *TINY,
        f"data.root={root}",
        "~callbacks.gradcam",
        "test=false",
        "trainer.max_epochs=4",
        "optim.schedule=cosine",
        "optim.warmup_epochs=1",
    ]
    whole = run_command(train, *options)
    with pytest.raises(SystemExit) as stop:
        run_command(
            train, *options, "+callbacks.stop={_target_: made_callbacks.InterruptAt, epoch: 2}"
        )
    assert stop.value.code == 130
    written = "".join(capfd.readouterr())
    stopped = Path(written.partition("resume=")[2].split()[0])
    assert stopped != whole
    run_command(train, f"resume={stopped}", "trust=true", "~callbacks.stop")
    assert same(state(stopped), state(whole))


def test_resumed_run_uses_a_new_learning_rate(run_command, root):
    options = [*TINY, f"data.root={root}", "~callbacks.gradcam", "test=false"]
    run = run_command(train, *options, "trainer.max_epochs=1")
    run_command(train, f"resume={run}", "trainer.max_epochs=2", "optim.lr=0.007")
    last = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["optimizer_states"][0]["param_groups"][0]["lr"] == pytest.approx(0.007)


def test_only_head_and_unfrozen_blocks_change(run_command, root):
    run = run_command(
        train,
        *TINY,
        f"data.root={root}",
        "model.trainable=block5",
        "optim=sgd",
        "optim.schedule=cosine",
        "trainer.max_epochs=1",
        "~callbacks.gradcam",
        "test=false",
    )
    config = yaml.safe_load((run / ".hydra" / "config.yaml").read_text())
    start = XrayClassifier.create(
        backbone="vgg16",
        weights="random",
        normalization="auto",
        seed=0,
        classes=["normal", "pneumonia"],
        head=config["model"]["head"],
        optim=config["optim"],
        trainable="block5",
    ).state_dict()
    changed = {
        key.rsplit(".", 2)[0].split(".")[-1]
        for key, v in state(run).items()
        if not torch.equal(v, start[key])
    }
    assert changed >= {"block5", "layers"}
    assert not changed & {"block1", "block2", "block3", "block4"}


def test_nan_loss_stops_the_run_with_an_error(run_command, root, capsys):
    with pytest.raises(SystemExit) as stop:
        run_command(
            train, *TINY, f"data.root={root}", "optim=sgd", "optim.lr=1e30", "model.head.norm=none"
        )
    assert stop.value.code == 1
    error = capsys.readouterr().err
    assert "loss became" in error
    assert "Traceback" not in error


def test_gradcam_of_a_finished_run(run, run_command):
    run_command(gradcam, f"run={run}", "method=layercam", "n=3", "only=covid", "target=pneumonia")
    with (run / "gradcam" / "test" / "index.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["label"], row["explained"], row["method"]) for row in rows] == [
        ("COVID-19", "pneumonia", "layercam")
    ] * 3


def test_evaluate_repeats_the_metrics_of_training(run, run_command):
    before = json.loads((run / "metrics.json").read_text())
    run_command(evaluate, f"run={run}", "gpus=0")
    after = json.loads((run / "metrics.json").read_text())
    assert after["test"] == before["test"]
    assert after["val"] == before["val"]


def test_metrics_contain_intervals_operating_points_and_calibration(run):
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["test"]["patients"] == 8
    for split in ("val", "test"):
        assert {"value", "low", "high"} == set(metrics[split]["auroc"])
    rules = [point["rule"] for point in metrics["test"]["operating_points"]]
    assert rules == ["0.5", "youden", "sens@0.95", "spec@0.90"]
    assert "temperature" in metrics["test"]["calibration"]
    assert "operating_points" not in metrics["val"]


def test_compute_settings_are_recorded(run_command, root):
    options = [*TINY, f"data.root={root}", "logger=none", "~callbacks.gradcam", "tag=plain"]
    settings = ["trainer.precision=32-true", "trainer.channels_last=false", "trainer.threads=1"]
    run = run_command(train, *options, *settings, "trainer.max_epochs=1")
    recorded = json.loads((run / "environment.json").read_text())["compute"]
    assert recorded == {
        "precision": "32-true",
        "channels_last": False,
        "threads": 1,
        "compile": False,
        "machine": machine_name(torch.device("cpu")),
    }


def test_finished_run_is_evaluated_with_its_compute_settings(run, run_command, monkeypatch, capsys):
    recorded = json.loads((run / "environment.json").read_text())["compute"]
    assert "auto" not in recorded.values()
    # Another machine chooses another precision.
    opposite = {"32-true": True, "bf16-mixed": False}[recorded["precision"]]
    monkeypatch.setattr("xray.training.compute.has_bfloat16", lambda device: opposite)
    run_command(evaluate, f"run={run}", "gpus=0")
    assert f"compute: {recorded['precision']}, " in "".join(capsys.readouterr())


def test_evaluate_with_a_threshold_fitted_on_validation_images(run, run_command):
    before = (run / "metrics.json").read_bytes()
    run_command(evaluate, f"run={run}", "gpus=0", "threshold=sens@0.8")
    test = json.loads((run / "metrics.json").read_text())["test"]
    assert test["operating_points"][0]["rule"] == "sens@0.8"
    assert test["operating_points"][0]["threshold"] == test["threshold"]
    # The default is the threshold of the training.
    run_command(evaluate, f"run={run}", "gpus=0")
    assert (run / "metrics.json").read_bytes() == before


def test_evaluate_another_folder(run, run_command, tmp_path):
    for i in range(3):
        write_image(tmp_path / "clinic" / "Viral Pneumonia" / f"{i}.png", level=150, seed=i)
        write_image(tmp_path / "clinic" / "healthy" / f"{i}.png", level=90, seed=10 + i)
    run_command(evaluate, f"run={run}", f"root={tmp_path / 'clinic'}", "gpus=0")
    (folder,) = (run / "external").glob("clinic_*")
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["test"]["n"] == 6
    # Thresholds are fitted on the validation images of the run.
    assert len(metrics["test"]["operating_points"]) == 4


def test_evaluate_with_prior_correction(run, run_command, capsys):
    before = (run / "metrics.json").read_bytes()
    run_command(evaluate, f"run={run}", "gpus=0", "prior=em")
    assert "class shares, estimated without labels: normal 0." in capsys.readouterr().out
    metrics = json.loads((run / "external" / "test_prior_em" / "metrics.json").read_text())
    assert metrics["test"]["n"] == json.loads(before)["test"]["n"]
    # Thresholds fitted on validation images do not apply to another prevalence.
    assert "operating_points" not in metrics["test"]
    assert (run / "metrics.json").read_bytes() == before
    with pytest.raises(SystemExit):
        run_command(evaluate, f"run={run}", "gpus=0", "prior=em", "threshold=youden")
    error = capsys.readouterr().err
    assert "prior=em" in error
    assert "threshold=0.5" in error


@pytest.mark.parametrize(
    ("folders", "named"),
    [
        (["Normal", "Pnuemonia", "Zebra"], ("'Pnuemonia'", "'pneumonia'", "'Zebra'")),
        (["Covid", "Pneumonia"], ("only images of class 'pneumonia'", "normal")),
    ],
)
def test_folder_with_other_classes_is_rejected(run, run_command, tmp_path, capsys, folders, named):
    for folder in folders:
        write_image(tmp_path / "school" / folder / "a.png")
    with pytest.raises(SystemExit) as stop:
        run_command(evaluate, f"run={run}", f"root={tmp_path / 'school'}", "gpus=0")
    assert stop.value.code == 1
    error = capsys.readouterr().err
    assert all(text in error for text in named)
    assert "Traceback" not in error
    assert not list((run / "external").glob("school_*"))


def test_folder_with_three_classes_is_grouped_into_the_two_of_the_network(
    run, run_command, tmp_path
):
    for k, label in enumerate(("Normal", "Viral Pneumonia", "Covid")):
        for i in range(2):
            write_image(tmp_path / "ward" / label / f"{i}.png", level=60 + 60 * k, seed=9 * k + i)
    run_command(evaluate, f"run={run}", f"root={tmp_path / 'ward'}", "gpus=0")
    (folder,) = (run / "external").glob("ward_*")
    test = json.loads((folder / "metrics.json").read_text())["test"]
    assert [sum(row) for row in test["confusion_matrix"]] == [2, 4]
    assert {label: entry["n"] for label, entry in test["per_label"].items()} == {
        "Covid": 2,
        "Normal": 2,
        "Viral Pneumonia": 2,
    }
    assert "absent" not in test


def test_three_classes(run_command, tmp_path, capsys):
    for split, count in (("train", 6), ("val", 3), ("test", 3)):
        for k, label in enumerate(("Normal", "Viral Pneumonia", "Covid")):
            for i in range(count):
                write_image(
                    tmp_path / split / label / f"{split}{k}{i}.png",
                    level=60 + 60 * k,
                    seed=100 * len(split) + 10 * k + i,
                )
    run = run_command(
        train,
        *TINY,
        "data/groups=three_class",
        f"data.root={tmp_path}",
        "trainer.max_epochs=1",
        "~callbacks.gradcam",
    )
    with pytest.raises(SystemExit):
        run_command(evaluate, f"run={run}", "gpus=0", "threshold=youden")
    error = capsys.readouterr().err
    assert "threshold=youden" in error
    assert "normal, pneumonia, covid" in error
    metrics = json.loads((run / "metrics.json").read_text())
    assert list(metrics["test"]["per_class"]) == ["normal", "pneumonia", "covid"]
    assert metrics["test"]["operating_points"] == []
    assert metrics["test"]["classes"] == ["normal", "pneumonia", "covid"]
    assert len(metrics["test"]["confusion_matrix"]) == 3
    # The dataset of another hospital has no COVID-19.
    for label in ("Normal", "Viral Pneumonia"):
        shutil.copytree(tmp_path / "test" / label, tmp_path / "ward" / label)
    capsys.readouterr()
    run_command(evaluate, f"run={run}", f"root={tmp_path / 'ward'}", "gpus=0")
    shown = " ".join("".join(capsys.readouterr()).split())
    assert "No images of class 'covid'" in shown
    assert 'No images of class "covid": metrics marked "-" are undefined.' in shown
    (folder,) = (run / "external").glob("ward_*")
    test = json.loads((folder / "metrics.json").read_text())["test"]
    assert test["absent"] == ["covid"]
    assert test["auroc"] == test["balanced_accuracy"] == dict.fromkeys(("value", "low", "high"))
    right = sum(test["confusion_matrix"][k][k] for k in range(3))
    assert test["accuracy"]["value"] == pytest.approx(right / 6)
    assert test["per_class"]["normal"]["auroc"]["value"] is not None
    assert test["per_class"]["covid"]["recall"]["value"] is None
    run_command(report, f"run={run}")
    page = (run / "report.md").read_text()
    assert "No images of class" in page
    for text in (shown, page, (folder / "metrics.json").read_text()):
        assert not re.search(r"\bnan\b", text, re.IGNORECASE)


def test_interrupted_sweep_is_resumed(run_command, root, tmp_path, monkeypatch):
    # Figures are not tested here; drawing them for six runs is slow.
    monkeypatch.setattr("xray.reporting.figures.write_figures", lambda *_, **__: None)
    options = [*TINY, f"data.root={root}", "trainer.max_epochs=1", "~callbacks.gradcam"]
    command = ["-m", *options, "seed=0,1", "optim.lr=1e-2,1e-4", f"paths.outputs={tmp_path}"]

    def written(*parts):
        found = [path for part in parts for path in (sweep / part).rglob("*") if path.is_file()]
        return {path: path.stat().st_mtime_ns for path in found}

    run_command(train, *command)
    (sweep,) = (tmp_path / "multirun").iterdir()
    compared = (sweep / "compare.json").read_bytes()
    assert len(json.loads(compared)["pairs"]) == 6
    assert [len(group["runs"]) for group in json.loads(compared)["repeats"]] == [2, 2]
    whole = [state(sweep / "2"), state(sweep / "3")]
    # The state after a kill during the test of the third job.
    for name in ("metrics.json", "report.html", "report.md"):
        (sweep / "2" / name).unlink()
    shutil.rmtree(sweep / "3")
    (sweep / "compare.json").unlink()
    finished, killed = written("0", "1"), written("2")
    run_command(train, *command, "resume=true")
    assert written("0", "1") == finished
    assert not set(written("2").items()) & set(killed.items())
    assert (sweep / "compare.json").read_bytes() == compared
    assert all(same(state(sweep / str(n)), whole[n - 2]) for n in (2, 3))


def test_missing_folder_suggests_phantoms(run_command, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        run_command(train, "data=kermany", f"data.root={tmp_path / 'nowhere'}", "trainer=cpu")
    assert stop.value.code == 1
    assert "data=phantom" in capsys.readouterr().err
