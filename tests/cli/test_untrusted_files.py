"""Files of a run directory from someone else: none executes code or changes files elsewhere."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from commands import call, contents, refused
from older_runs import copy_run
from pytorch_lightning.callbacks import ModelCheckpoint
from saved_runs import RUN, SWEEP, change_config

from xray import evaluate, gradcam, predict, report, shortcuts, train
from xray.runs import reading

READERS: dict[str, tuple[Any, list[str]]] = {
    "evaluate": (evaluate, ["run={run}", "gpus=0"]),
    "gradcam": (gradcam, ["run={run}"]),
    "predict": (predict, ["run={run}", "gpus=0", "input=."]),
    "shortcuts": (shortcuts, ["run={run}", "gpus=0"]),
    "train": (train, ["resume={run}"]),
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the run of version 0.1.0; the working directory is the folder of the copy."""
    copy_run(tmp_path / "project")
    monkeypatch.setenv("XRAY_ROOT", str(tmp_path / "checkout"))
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setattr("hydra._internal.utils.is_under_debugger", lambda: False)
    return tmp_path / "project" / RUN


def words(name: str, run: Path) -> list[str]:
    return [word.format(run=run) for word in READERS[name][1]]


class Attack:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.path,)


def test_the_attack_works_with_plain_pickle(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Attack(tmp_path / "executed")))
    assert (tmp_path / "executed").exists()


@pytest.mark.parametrize("name", READERS)
def test_a_checkpoint_is_not_unpickled(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    file = run / "checkpoints" / ("last.ckpt" if name == "train" else "best.ckpt")
    content = torch.load(file, weights_only=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    torch.save({**content, "attack": Attack(outside / "executed")}, file)
    # A resumed run writes its log before it reads the checkpoint.
    below = outside if name == "train" else tmp_path
    message = refused(READERS[name][0], *words(name, run), below=below, capsys=capsys)
    assert not any(outside.iterdir())
    assert f"{file} is not a readable checkpoint: it contains other objects" in message


@pytest.mark.parametrize("entry", ["hyper_parameters", "hparams", "module_arguments"])
def test_a_checkpoint_does_not_name_functions(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], entry: str
) -> None:
    file = run / "checkpoints" / "best.ckpt"
    content = torch.load(file, weights_only=True)
    options = content.get(entry, {})
    content[entry] = {**options, "loss": {"_target_": "os.mkdir", "path": str(tmp_path / "made")}}
    torch.save(content, file)
    message = refused(evaluate, *words("evaluate", run), below=tmp_path, capsys=capsys)
    assert f"{file} uses os.mkdir" in message
    assert "trust=true" in message


CONFIGS = {
    "an object": "seed: !!python/object/apply:os.mkdir [{made}]\n",
    "a name": "seed: !!python/name:os.system\n",
    "nested aliases": "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("attack", CONFIGS)
@pytest.mark.parametrize("name", READERS)
def test_a_configuration_holds_plain_values(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], attack: str, name: str
) -> None:
    file = run / ".hydra" / "config.yaml"
    text = CONFIGS[attack].replace("{made}", str(tmp_path / "made"))
    file.write_text(text + file.read_text())
    message = refused(READERS[name][0], *words(name, run), below=tmp_path, capsys=capsys)
    assert f"{file} cannot be read" in message


@pytest.mark.parametrize("attack", CONFIGS)
def test_the_record_of_a_sweep_holds_plain_values(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], attack: str
) -> None:
    file = run.parents[2] / SWEEP / "multirun.yaml"
    text = CONFIGS[attack].replace("{made}", str(tmp_path / "made"))
    file.write_text(text + file.read_text())
    message = refused(train, "-m", f"resume={file.parent}", below=tmp_path, capsys=capsys)
    assert str(file) in message


def test_a_large_configuration_is_not_parsed(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 1000)
    message = refused(evaluate, *words("evaluate", run), below=tmp_path, capsys=capsys)
    assert "config.yaml has " in message
    assert "more than the 1,000 allowed" in message


@pytest.mark.parametrize("key", ["default_root_dir", "logger", "plugins", "callbacks"])
def test_the_trainer_has_no_further_arguments(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    change_config(run, **{f"trainer__{key}": str(tmp_path / "elsewhere")})
    message = refused(train, f"resume={run}", below=tmp_path, capsys=capsys)
    assert f"trainer.{key}" in message


@pytest.mark.parametrize(
    "filename", ["{epoch:c}{epoch:c}/evil", "{epoch:/>5}", "{0.__class__}", "{epoch!r}", "}{"]
)
def test_the_name_of_a_checkpoint_only_formats_numbers(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], filename: str
) -> None:
    change_config(run, callbacks__checkpoint__filename=filename)
    message = refused(train, f"resume={run}", below=tmp_path, capsys=capsys)
    assert "callbacks.checkpoint.filename" in message
    assert "not inside the run directory" in message


@pytest.mark.parametrize("name", ["figures", "report.html", "gradcam"])
def test_a_report_is_not_written_through_links(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / "victim").mkdir()
    path = run / name
    if path.exists():
        path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "victim")
    message = refused(report, f"run={run}", below=tmp_path, capsys=capsys)
    assert f"{path} is a symbolic link" in message
    assert "trust=" not in message


def test_a_folder_recorded_by_a_sweep_is_checked_if_it_was_not_typed(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = run.parents[2] / SWEEP
    record = yaml.safe_load((sweep / "multirun.yaml").read_text())
    record["hydra"]["overrides"]["task"] = ["seed=0,1", f"data.root={tmp_path / 'elsewhere'}"]
    (sweep / "multirun.yaml").write_text(yaml.safe_dump(record))
    words = ["-m", f"resume={sweep}", "seed=0,1"]
    message = refused(train, *words, below=tmp_path, capsys=capsys)
    assert "xray would draw phantoms" in message


@pytest.mark.slow
def test_a_callback_does_not_delete_or_rewrite_files_elsewhere(run: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    (victim / "data").mkdir(parents=True)
    (victim / "best.ckpt").write_bytes((run / "checkpoints" / "best.ckpt").read_bytes())
    before = contents(victim)
    folder = run / "checkpoints"
    above = f"{folder}/../../../../../victim"
    options = {"dirpath": str(folder), "save_top_k": 1, "enable_version_counter": False}
    plain = ModelCheckpoint(**options, save_on_train_epoch_end=True)
    monitored = ModelCheckpoint(**options, monitor="val/auroc", mode="max")
    state = torch.load(folder / "last.ckpt", weights_only=True)
    state["callbacks"] = {
        plain.state_key: {**plain.state_dict(), "best_model_path": above},
        monitored.state_key: {
            **monitored.state_dict(),
            "best_model_path": str(victim / "best.ckpt"),
            "best_model_score": torch.tensor(0.0),
            "best_k_models": {above: torch.tensor(0.0)},
            "kth_best_model_path": above,
            "kth_value": torch.tensor(0.0),
            "last_model_path": above,
        },
    }
    torch.save(state, folder / "last.ckpt")
    name = "pytorch_lightning.callbacks.ModelCheckpoint"
    change_config(run, callbacks__last___target_=name, callbacks__checkpoint___target_=name)
    images = f"images={run.parents[2] / 'images'}"
    call(train, f"resume={run}", images, "trainer.max_epochs=3", "~callbacks.gradcam")
    assert contents(victim) == before
    assert sorted(path.name for path in folder.glob("*.ckpt")) == ["best.ckpt", "last.ckpt"]
