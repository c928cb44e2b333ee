# ruff: noqa: E501 (complete messages)
"""Messages of the schema for wrong values, and reading of a saved configuration."""

import copy
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from older_runs import FIXTURE
from omegaconf import OmegaConf
from saved_runs import RUN, change_config

from xray.cli.command import read_command, read_flags
from xray.cli.compose import Composer
from xray.cli.saved_config import load_run_config
from xray.config import CONF_DIR, prepare_environment
from xray.errors import RunError
from xray.schema.targets import find_problem
from xray.schema.verbs import problems
from xray.suggest import nearest, nearest_key

FOLDERS = "data.groups lists the folder name 'covid 19' under both normal and pneumonia; remove one of the two"
PRECISIONS = "auto, 32-true, bf16-mixed, 16-mixed"


@pytest.fixture(scope="module")
def defaults() -> dict[str, Any]:
    """The real conf/train.yaml, composed once."""
    composer = Composer(read_command("train", read_flags([])))
    config, found = composer.compose([])
    assert config is not None
    assert found == []
    del config.hydra.help
    OmegaConf.set_struct(config, False)
    config.pop("hydra")
    config.paths.root = "/somewhere"
    config.paths.run = "/somewhere/run"
    return OmegaConf.to_container(config, resolve=True)  # type: ignore[return-value]


def change(values: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(values)
    *parents, leaf = key.split(".")
    node = changed
    for parent in parents:
        node = node[parent]
    node[leaf] = value
    return changed


def test_default_configuration_is_valid(defaults: dict[str, Any]) -> None:
    assert problems("train", defaults) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("optim.lr", 1),
        ("trainer.gpus", 0),
        ("trainer.gpus", "auto"),
        ("trainer.precision", "bf16-mixed"),
        ("trainer.channels_last", False),
        ("trainer.channels_last", "auto"),
        ("trainer.threads", 1),
        ("trainer.compile", True),
        ("trainer.limit_train_batches", 3),
        ("trainer.limit_train_batches", 0.5),
        ("trainer.deterministic", "warn"),
        ("data.patient_pattern", r"^(\d+)"),
        ("data.workers", 0),
        ("model.normalization", {"mean": [0.5, 0.5, 0], "std": [0.2, 0.2, 1]}),
        ("model.unfreeze", {"epoch": 1, "trainable": "all"}),
        ("model.head.hidden", []),
        ("tag", 3),
        ("transform.train", [{"_target_": "albumentations.CLAHE", "p": 1.0}]),
        ("callbacks.mine", {"_target_": "xray.errors.XrayError", "anything": [1]}),
        ("callbacks.early_stopping.stopping_threshold", 0.99),
        ("logger", {}),
        ("monitor", {"metric": "val/loss", "mode": "min"}),
        ("resume", "/some/run"),
        ("threshold", 0.3),
        ("threshold", "youden"),
        ("threshold", "sens@0.95"),
    ],
)
def test_valid_values(defaults: dict[str, Any], key: str, value: Any) -> None:
    assert problems("train", change(defaults, key, value)) == []


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("optim.lr", "abc", "optim.lr is 'abc', but must be a number greater than 0"),
        ("optim.lr", True, "optim.lr is true, but must be a number greater than 0"),
        ("optim.lr", 0, "optim.lr is 0, but must be a number greater than 0"),
        ("optim.lr", float("nan"), "optim.lr is nan, but must be a number greater than 0"),
        ("optim.lr", None, "optim.lr is null, but must be a number greater than 0"),
        ("optim.weight_decay", -1, "optim.weight_decay is -1, but must be a number, 0 or greater"),
        ("optim.name", "adam", "optim.name is 'adam', but must be one of: adamw, sgd. Did you mean 'adamw'?"),
        (
            "threshold",
            "sens@2",
            "threshold is 'sens@2', but must be a number between 0 and 1 (0.5), youden, sens@0.95 "
            "or spec@0.90",
        ),
        ("trainer.threads", 0, "trainer.threads is 0, but must be a whole number, 1 or greater, or auto"),
        (
            "trainer.channels_last",
            "no",
            "trainer.channels_last is 'no', but must be true, false or auto",
        ),
        ("optim.lrr", 1, "there is no key 'optim.lrr'. Did you mean 'optim.lr'?"),
        ("model.dropout", 0.1, "there is no key 'model.dropout'. Did you mean 'model.head.dropout'?"),
        (
            "cache.qqq",
            1,
            "there is no key 'cache.qqq'. Keys of this group: cache.mode, cache.views, cache.pixels, "
            "cache.max_gb, cache.dir",
        ),
        (
            "callbacks.early_stopping.stoping_threshold",
            1,
            "there is no key 'callbacks.early_stopping.stoping_threshold'. "
            "Did you mean 'callbacks.early_stopping.stopping_threshold'?",
        ),
        ("model.head.dropout", 1, "model.head.dropout is 1, but must be a number, at least 0 and less than 1"),
        ("model.head", 3, "model.head is 3, but must be a group of keys"),
        (
            "callbacks.gradcam",
            None,
            "callbacks.gradcam is null, but must be a group of keys. To leave it out: "
            "'~callbacks.gradcam'",
        ),
        (
            "model.head.hidden",
            [0],
            "model.head.hidden is [0], but must be a list of whole numbers, 1 or greater, such "
            "as [256]",
        ),
        (
            "model.trainable",
            "blok5",
            "model.trainable is 'blok5', but must be one of: head, block5, block4, block3, "
            "block2, block1, all. "
            "Did you mean 'block5'?",
        ),
        (
            "model.unfreeze",
            {"epoch": 0, "trainable": "all"},
            "model.unfreeze is {'epoch': 0, 'trainable': 'all'}, but must be null, or "
            "{epoch: <1 or greater>, "
            "trainable: block5} (block5, block4 ... block1, all)",
        ),
        (
            "model.unfreeze",
            {"epoch": 2, "trainable": "head"},
            "model.unfreeze.trainable is 'head', but must train more blocks than model.trainable, "
            "'head'; "
            "options in increasing order: head, block5, block4, block3, block2, block1, all",
        ),
        (
            "model.normalization",
            {"mean": [0, 0, 0], "std": [1, 1, 0]},
            "model.normalization is {'mean': [0, 0, 0], 'std': [1, 1, 0]}, but must be auto, "
            "imagenet, none, or "
            "{mean: [r, g, b], std: [r, g, b]} with std greater than 0",
        ),
        (
            "model.weights",
            "imagnet",
            "model.weights is 'imagnet', but must be an existing file or one of: "
            "auto, imagenet, "
            "random. Did you mean 'imagenet'?",
        ),
        ("cache.pixels", "only", "cache.pixels is 'only', but must be one of: auto, off."),
        ("cache.mode", "of", "cache.mode is 'of', but must be one of: auto, off, only. Did you mean 'off'?"),
        ("data.size", 33, "data.size is 33, but must be a multiple of 32, 32 or greater"),
        ("data.size", 0, "data.size is 0, but must be a multiple of 32, 32 or greater"),
        (
            "data.root",
            "???",
            "data.root is not set. Pass the folder of your images, which contains train/ and test/ or "
            "one folder per class: "
            "data.root=<folder>",
        ),
        (
            "data.val_fraction",
            1,
            "data.val_fraction is 1, but must be a number, greater than 0 and at most 0.5",
        ),
        ("data.groups", {"normal": ["a"]}, "data.groups needs at least two classes"),
        ("data.groups", {"normal": ["COVID-19"], "pneumonia": ["covid_19"]}, FOLDERS),
        (
            "data.patient_pattern",
            "(a",
            "data.patient_pattern is '(a', but must be a valid regular expression (missing ), "
            "unterminated subpattern at position 0)",
        ),
        ("data.workers", -1, "data.workers is -1, but must be a whole number, 0 or greater, or auto"),
        ("data.batch_size", 2.0, "data.batch_size is 2.0, but must be a whole number, 1 or greater"),
        ("data.patients.val", 0, "data.patients.val is 0, but must be a whole number, 1 or greater"),
        ("trainer.gpus", True, "trainer.gpus is true, but must be a whole number, 0 or greater, or auto"),
        ("trainer.precision", 8, f"trainer.precision is 8, but must be one of: {PRECISIONS}."),
        ("trainer.test", 1, "there is no key 'trainer.test'. Did you mean 'test'?"),
        ("seed", -1, "seed is -1, but must be a whole number from 0 to 4294967295"),
        (
            "tag",
            "a/b",
            "tag is 'a/b', but must be a directory name: not empty, no slashes, no dot or space "
            "at the start",
        ),
        ("test", "yes", "test is 'yes', but must be true or false"),
        (
            "monitor.metric",
            "val/auc",
            "monitor.metric is 'val/auc', but must be one of: val/loss, val/accuracy, "
            "val/precision, val/recall, "
            "val/f1, val/specificity, val/auroc, val/auprc. Did you mean 'val/auroc'?",
        ),
        ("monitor.mode", "min", "monitor.mode is 'min', but val/auroc is best at its maximum: pass monitor.mode=max"),
        ("monitor.metric", "val/loss", "monitor.mode is 'max', but val/loss is best at its minimum: pass monitor.mode=min"),
        ("optim.warmup_epochs", 20, "optim.warmup_epochs (20) must be less than trainer.max_epochs (20)"),
        (
            "callbacks",
            {},
            "no callback saves the best checkpoint; callbacks.checkpoint is required",
        ),
        (
            "transform.train",
            [{"_target_": "albumentations.Rotat"}],
            "transform.train.0: cannot use albumentations.Rotat: there is no 'Rotat' in "
            "albumentations. "
            "Did you mean 'Rotate'?",
        ),
        ("transform.eval", [], "transform.eval is []: List should have at least 1 item after validation, not 0"),
    ],
)  # fmt: skip
def test_messages_for_invalid_values(
    defaults: dict[str, Any], key: str, value: Any, message: str
) -> None:
    assert problems("train", change(defaults, key, value)) == [message]


def test_missing_key(defaults: dict[str, Any]) -> None:
    del (changed := copy.deepcopy(defaults))["optim"]["lr"]
    assert problems("train", changed) == ["optim.lr is missing"]


def test_long_values_are_shortened_in_messages(defaults: dict[str, Any]) -> None:
    [message] = problems("train", change(defaults, "optim.lr", "x" * 500))
    assert message == f"optim.lr is '{'x' * 59}..., but must be a number greater than 0"


def test_interpolated_key_is_reported_once(defaults: dict[str, Any]) -> None:
    changed = change(change(defaults, "seed", -1), "data.seed", -1)
    derived = frozenset({"data.seed"})
    wants = "is -1, but must be a whole number from 0 to 4294967295"
    assert problems("train", changed, derived) == [f"seed {wants}"]
    assert problems("train", change(defaults, "data.seed", -1), derived) == [f"data.seed {wants}"]


def test_resumed_run_does_not_need_the_weights_file(defaults: dict[str, Any]) -> None:
    gone = change(defaults, "model.weights", "/gone.pth")
    assert len(problems("train", gone)) == 1
    assert problems("train", change(gone, "resume", "/some/run")) == []


def test_command_without_a_model_is_not_checked() -> None:
    assert problems("another", {"anything": 1}) == []


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("pytorch_lightning.callbacks.StochasticWeightAveraging", None),
        ("albumentations.HorizontalFlip", None),
        ("xray.model.classifier.XrayClassifier.create", None),
        ("math.sqrt", None),
        (
            "pytorch_lightning.callbacks.EarlyStoping",
            "there is no 'EarlyStoping' in pytorch_lightning.callbacks. Did you mean "
            "'EarlyStopping'?",
        ),
        ("no_such_package.Thing", "there is no module 'no_such_package' on the Python path."),
        ("xray.errors", "'xray.errors' is a module; name a class or function in it."),
        ("Thing", "'Thing' is not a dotted path like my_package.my_module.MyClass."),
    ],
)
def test_problems_of_targets(target: str, problem: str | None) -> None:
    assert find_problem(target) == problem


def test_nearest_key() -> None:
    keys = ["optim.lr", "optim.backbone_lr", "trainer.max_epochs", "model.head.dropout", "seed"]
    assert nearest_key("optim.lrr", keys) == "optim.lr"
    assert nearest_key("epochs", keys) == "trainer.max_epochs"
    assert nearest_key("model.droput", keys) == "model.head.dropout"
    assert nearest_key("zzz", keys) is None
    assert nearest_key("data.root", ["run", "root", "paths.root"]) == "root"
    assert nearest_key("zzz", []) is None
    assert nearest("vgg61", ["vgg16", "resnet50"]) == "vgg16"


def test_environment_variables_of_the_user_take_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XRAY_ROOT", raising=False)
    monkeypatch.setenv("NO_ALBUMENTATIONS_UPDATE", "0")
    prepare_environment()
    assert os.environ["XRAY_ROOT"] == str(CONF_DIR.parent)
    assert os.environ["NO_ALBUMENTATIONS_UPDATE"] == "0"


def test_root_without_a_checkout_is_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XRAY_ROOT", raising=False)
    monkeypatch.setattr("xray.config.CONF_DIR", tmp_path / "site-packages" / "xray" / "conf")
    monkeypatch.chdir(tmp_path)
    prepare_environment()
    assert os.environ["XRAY_ROOT"] == str(tmp_path)


def save(run: Path, settings: str | None = None, **changed: Any) -> Path:
    """Write the configuration of the run of version 0.1.0 to another directory."""
    (run / ".hydra").mkdir(parents=True)
    shutil.copyfile(FIXTURE / RUN / ".hydra" / "config.yaml", run / ".hydra" / "config.yaml")
    places = {"outputs": "${paths.root}/outputs", "cache": "${paths.outputs}/cache"}
    change_config(run, paths__outputs=places["outputs"], paths__cache=places["cache"], **changed)
    if settings is not None:
        (run / ".hydra" / "hydra.yaml").write_text(settings)
    return run


def test_saved_configuration_resolves_to_the_paths_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XRAY_ROOT", "/here")
    (tmp_path / "then" / "images").mkdir(parents=True)
    then = tmp_path / "then"
    settings = f"hydra: {{job: {{env_set: {{XRAY_ROOT: {then}}}}}, runtime: {{cwd: {then}}}}}"
    config = load_run_config(save(tmp_path / "run", settings))
    assert config.paths.run == str(tmp_path / "run")
    assert config.paths.data == f"{then}/outputs/data"
    assert config.data.root == f"{then}/images"
    assert config.model.weights == "weights.safetensors"
    assert config.cache.dir == "/here/outputs/cache/features"
    assert OmegaConf.is_struct(config)
    target = "xray.training.callbacks.run_checkpoint.RunCheckpoint"
    assert config.callbacks.last["_target_"] == target


def test_moved_run_uses_the_current_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XRAY_ROOT", "/here")
    settings = "hydra: {job: {env_set: {XRAY_ROOT: /gone}}, runtime: {cwd: /gone}}"
    config = load_run_config(save(tmp_path / "run", settings))
    assert (config.paths.data, config.data.root) == ("/here/outputs/data", "images")


def test_root_set_by_the_user_is_not_changed(tmp_path: Path) -> None:
    settings = f"hydra: {{job: {{env_set: {{XRAY_ROOT: {tmp_path}}}}}}}"
    run = save(tmp_path / "run", settings, paths__root="/mine")
    assert load_run_config(run).paths.root == "/mine"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "cannot be read"),
        ("- 1", "is not the configuration of a run"),
        ("a: 1", "is not the configuration of a run"),
        ("paths: {run: x}\na: ${nokey}", "Interpolation key 'nokey' not found"),
        ("paths: {run: x}\na: " + "[" * 3000 + "]" * 3000, "cannot be read"),
    ],
)
def test_damaged_configuration_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    run = save(tmp_path / "run")
    (run / ".hydra" / "config.yaml").write_text(text)
    with pytest.raises(RunError, match=message) as caught:
        load_run_config(run)
    assert str(tmp_path / "run" / ".hydra" / "config.yaml") in str(caught.value)


def test_saved_configuration_is_checked_by_the_schema(tmp_path: Path) -> None:
    run = save(tmp_path / "run", optim__lrr=1)
    with pytest.raises(RunError, match=r"config\.yaml: there is no key 'optim\.lrr'"):
        load_run_config(run)


def test_directory_that_is_not_a_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="There is no run directory"):
        load_run_config(tmp_path / "none")
    with pytest.raises(RunError, match="is not a run directory"):
        load_run_config(tmp_path)
    save(tmp_path / "sweep" / "0")
    with pytest.raises(RunError, match=r"It is a sweep: add -m .*/sweep/0\."):
        load_run_config(tmp_path / "sweep")


def test_threshold_needs_two_classes(defaults: dict[str, Any]) -> None:
    three = change(defaults, "data.groups", {"a": [], "b": [], "c": []})
    assert problems("train", three) == []
    message = "threshold can only be set for two classes, but data.groups has 3; remove it"
    assert problems("train", change(three, "threshold", "youden")) == [message]


def test_older_run_without_a_threshold_is_valid(defaults: dict[str, Any]) -> None:
    assert problems("train", {k: v for k, v in defaults.items() if k != "threshold"}) == []
