"""Run directories from someone else: opening one executes nothing and writes nothing outside it."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from older_runs import copy_run
from saved_runs import RUN, SWEEP, change_config

from xray import evaluate, gradcam, predict, shortcuts, train

COMMANDS = {
    "evaluate": (evaluate, "run={run}"),
    "gradcam": (gradcam, "run={run}"),
    "predict": (predict, "run={run}"),
    "shortcuts": (shortcuts, "run={run}"),
    "train": (train, "resume={run}"),
}

EXECUTED: list[str] = []
"""What an attack executed."""


def execute(*arguments: Any, **options: Any) -> None:
    """Stand in for the function of an attack that is in a module that can be imported."""
    EXECUTED.append(f"{arguments} {options}")


THIS = f"{__name__}.execute"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the run and the sweep of version 0.1.0, in the folder "project"."""
    project = tmp_path / "project"
    copy_run(project)
    monkeypatch.setenv("XRAY_ROOT", str(tmp_path / "checkout"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hydra._internal.utils.is_under_debugger", lambda: False)
    EXECUTED.clear()
    yield project
    assert EXECUTED == []


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(
    arguments: list[str],
    command: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> str:
    """Call a command that must end with an error, change no file and make none; its message."""
    before = files(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [f"{command.__name__}.py", *arguments])
        with pytest.raises(SystemExit) as stop:
            command.main()
    assert stop.value.code == 1
    assert files(tmp_path) == before
    return capsys.readouterr().err


def outside(name: str) -> str:
    """A path next to the project, for an attack to write to."""
    return str(Path.cwd() / name)


FOREIGN: dict[str, Callable[[], tuple[str, Any]]] = {
    "a function that unpickles": lambda: (
        "callbacks__evil",
        {"_target_": "torch.load", "f": outside("evil.pt"), "weights_only": False},
    ),
    "a function that copies files": lambda: (
        "callbacks__evil",
        {"_target_": "shutil.copyfile", "src": outside("a"), "dst": outside("b")},
    ),
    "a logger that writes a file": lambda: (
        "logger__evil",
        {"_target_": "logging.FileHandler", "filename": outside("evil.log")},
    ),
    "a module of the attacker": lambda: ("callbacks__evil", {"_target_": THIS}),
    "the data module": lambda: ("data___target_", THIS),
    "the model": lambda: ("model___target_", THIS),
    "the trainer": lambda: ("trainer___target_", THIS),
    "a transform": lambda: ("transform__eval__0___target_", THIS),
    "a transform in a transform": lambda: (
        "transform__train",
        [{"_target_": "albumentations.OneOf", "transforms": [{"_target_": THIS}]}],
    ),
    "an argument of a transform": lambda: (
        "transform__train",
        [{"_target_": "albumentations.Lambda", "image": {"_target_": THIS, "_partial_": True}}],
    ),
    "a function of albumentations that is no transform": lambda: (
        "transform__train",
        [{"_target_": "albumentations.load", "filepath_or_buffer": outside("evil.json")}],
    ),
    "a module of albumentations": lambda: (
        "transform__train",
        [{"_target_": "albumentations.core.serialization.from_dict", "transform_dict": {}}],
    ),
    "an argument of a callback": lambda: (
        "callbacks__early_stopping__verbose",
        {"_target_": THIS},
    ),
    "an item of a list": lambda: ("model__head__hidden", [4, {"_target_": THIS}]),
    "a key of the optimizer": lambda: ("optim__name", {"_target_": THIS}),
    "a loss": lambda: ("model__loss", {"_target_": THIS}),
    "a trusted class in another place": lambda: (
        "callbacks__evil",
        {"_target_": "pytorch_lightning.loggers.CSVLogger", "save_dir": outside("csv")},
    ),
    "a method of a trusted class": lambda: (
        "callbacks__evil",
        {"_target_": "pytorch_lightning.callbacks.ModelCheckpoint.mro"},
    ),
    "a name made of two keys": lambda: (
        "callbacks__evil",
        {"_target_": "${tag}.copyfile", "src": outside("a"), "dst": outside("b")},
    ),
    "a target that is no name": lambda: ("callbacks__evil", {"_target_": ["os.system"]}),
}


@pytest.mark.parametrize("attack", FOREIGN)
@pytest.mark.parametrize("name", ["evaluate", "train"])
def test_a_foreign_class_is_not_called(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], attack: str, name: str
) -> None:
    key, value = FOREIGN[attack]()
    change_config(project / RUN, **{key: value})
    command, argument = COMMANDS[name]
    message = refused([argument.format(run=project / RUN)], command, tmp_path, capsys)
    assert "_target_ is " in message
    assert "add trust=true" in message
    group = key.partition("__")[0]
    assert f"{group}." in message


@pytest.mark.parametrize("name", ["gradcam", "predict", "shortcuts"])
def test_the_other_commands_refuse_a_foreign_class(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    change_config(project / RUN, callbacks__evil={"_target_": THIS})
    command, argument = COMMANDS[name]
    more = ["input=."] if name == "predict" else []
    message = refused([argument.format(run=project / RUN), *more], command, tmp_path, capsys)
    assert f"callbacks.evil._target_ is '{THIS}'" in message
    assert "add trust=true" in message


@pytest.mark.parametrize("saved", [True, "true"])
def test_a_run_cannot_trust_itself(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], saved: object
) -> None:
    change_config(project / RUN, trust=saved, callbacks__evil={"_target_": THIS})
    message = refused([f"resume={project / RUN}"], train, tmp_path, capsys)
    assert "add trust=true" in message


@pytest.mark.parametrize("key", ["_args_", "_recursive_", "_mode_"])
def test_directives_for_hydra_are_refused(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    step = {"_target_": "albumentations.HorizontalFlip", key: [1]}
    change_config(project / RUN, transform__train=[step])
    message = refused([f"resume={project / RUN}"], train, tmp_path, capsys)
    assert f"transform.train.0.{key}" in message


HYDRA = {
    "the run directory": {"run": {"dir": "{outside}/evil"}},
    "callbacks": {"callbacks": {"evil": {"_target_": THIS}}},
    "logging": {
        "job_logging": {
            "version": 1,
            "handlers": {"file": {"class": "logging.FileHandler", "filename": "{outside}/evil"}},
            "root": {"handlers": ["file"]},
        }
    },
    "the search path": {"searchpath": ["file://{outside}"]},
    "the launcher": {"launcher": {"_target_": THIS}},
}


@pytest.mark.parametrize("attack", HYDRA)
@pytest.mark.parametrize("trust", ["trust=false", "trust=true"])
def test_a_saved_node_of_hydra_is_refused(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], attack: str, trust: str
) -> None:
    text = yaml.safe_dump(HYDRA[attack]).replace("{outside}", str(tmp_path))
    change_config(project / RUN, hydra=yaml.safe_load(text))
    for name in ("train", "evaluate"):
        command, argument = COMMANDS[name]
        message = refused([argument.format(run=project / RUN), trust], command, tmp_path, capsys)
        assert "'hydra'" in message
        assert str(project / RUN / ".hydra" / "config.yaml") in message


@pytest.mark.parametrize("defaults", [["_self_", "evil"], [{"override hydra/launcher": "evil"}]])
def test_a_saved_defaults_list_is_refused(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], defaults: list[Any]
) -> None:
    change_config(project / RUN, defaults=defaults)
    assert "'defaults'" in refused([f"resume={project / RUN}"], train, tmp_path, capsys)


def test_files_next_to_the_configuration_are_not_composed(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = project / RUN / ".hydra"
    evil = f"evil:\n  _target_: {THIS}\n"
    for group, text in {
        "job_logging": "version: 1\nhandlers:\n  f: {class: logging.FileHandler, "
        f"filename: {tmp_path}/evil}}\nroot: {{handlers: [f]}}\n",
        "callbacks": evil,
        "launcher": evil,
    }.items():
        (saved / "hydra" / group).mkdir(parents=True)
        for name in ("plain", "default", "basic"):
            (saved / "hydra" / group / f"{name}.yaml").write_text(text)
    (saved / "resumed.yaml").write_text(evil)
    # A value that is wrong ends the command after it was composed.
    message = refused([f"resume={project / RUN}", "trainer.max_epochs=0"], train, tmp_path, capsys)
    assert "trainer.max_epochs is 0" in message


RESOLVERS = [
    "${oc.env:HOME}",
    "${oc.decode:${oc.env:HOME}}",
    "x${hydra:runtime.cwd}",
    "${oc.create:{a: 1}}",
    "${now:%Y}",
    "${${tag}:x}",
    "\\${oc.env:HOME}",
]


@pytest.mark.parametrize("text", RESOLVERS)
def test_resolvers_are_not_called(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    change_config(project / RUN, data__root=text)
    for name in ("train", "evaluate"):
        command, argument = COMMANDS[name]
        message = refused([argument.format(run=project / RUN)], command, tmp_path, capsys)
        assert "data.root is " in message
        assert "add trust=true" in message


def test_two_values_do_not_form_an_interpolation(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change_config(
        project / RUN, tag="$", threshold="{oc.env:HOME}", data__root="${tag}${threshold}"
    )
    message = refused([f"run={project / RUN}"], evaluate, tmp_path, capsys)
    assert "data.root is '${oc.env:HOME}'" in message


PLACES: dict[str, Callable[[], tuple[str, Any]]] = {
    "checkpoints": lambda: ("callbacks__checkpoint__dirpath", outside("evil")),
    "checkpoints above the run": lambda: ("callbacks__last__dirpath", "${paths.run}/../../evil"),
    "a name of a checkpoint": lambda: ("callbacks__checkpoint__filename", "../../../evil"),
    "an absolute name of a checkpoint": lambda: (
        "callbacks__checkpoint__filename",
        outside("evil"),
    ),
    "checkpoints by a URL": lambda: (
        "callbacks__checkpoint__dirpath",
        f"file://{outside('evil')}",
    ),
    "a relative directory": lambda: ("callbacks__checkpoint__dirpath", "evil"),
    "the gallery": lambda: ("callbacks__gradcam__dirpath", outside("evil")),
    "curves": lambda: ("logger__csv__save_dir", outside("evil")),
    "curves in the home directory": lambda: ("logger__csv__save_dir", "~/evil"),
    "a version of a logger": lambda: (
        "logger__tensorboard",
        {
            "_target_": "pytorch_lightning.loggers.TensorBoardLogger",
            "save_dir": "${paths.run}",
            "version": "../../../evil",
        },
    ),
}


@pytest.mark.parametrize("attack", PLACES)
def test_nothing_is_written_outside_the_run(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], attack: str
) -> None:
    key, value = PLACES[attack]()
    change_config(project / RUN, **{key: value})
    message = refused([f"resume={project / RUN}"], train, tmp_path, capsys)
    assert key.replace("__", ".") in message
    assert "not inside the run directory" in message
    assert "add trust=true" in message


@pytest.mark.parametrize("name", ["checkpoints", "gradcam", "error.txt", "audit"])
def test_a_symbolic_link_does_not_lead_outside(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / "victim").mkdir()
    path = project / RUN / name
    if path.exists():
        path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "victim")
    for command, argument in COMMANDS.values():
        if name == "checkpoints" and command is not train:
            continue
        arguments = [argument.format(run=project / RUN)]
        if command is predict:
            arguments.append(f"input={tmp_path}")
        message = refused(arguments, command, tmp_path, capsys)
        assert f"{path} is a symbolic link" in message


@pytest.mark.slow
@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("+callbacks.evil={_target_: %s}", "adds a key"),
        ("++callbacks.evil._target_=%s", "adds a key"),
        ("callbacks.last._target_=%s", "names a class"),
        ("callbacks.last={_target_: %s}", "names a class"),
        ("transform.eval=[{_target_: %s}]", "names a class"),
        ("hydra.sweep.dir={outside}/evil", "changes how Hydra runs"),
        ("hydra/launcher=joblib", "changes how Hydra runs"),
        ("hydra.callbacks.evil={_target_: %s}", "cannot parse|changes how Hydra runs"),
        ("hydra.searchpath=[file:///tmp]", "changes how Hydra runs"),
        ("tag=${oc.env:HOME}", "calls a resolver"),
        ("--config-dir={outside}", "cannot parse|there is no"),
        ("callbacks.checkpoint.dirpath={outside}/evil", "not inside the run directory"),
        ("logger.csv.save_dir={outside}/evil", "not inside the run directory"),
    ],
)
def test_recorded_overrides_are_plain_values(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], override: str, said: str
) -> None:
    record = project / SWEEP / "multirun.yaml"
    values = yaml.safe_load(record.read_text())
    override = override.replace("%s", THIS).replace("{outside}", str(tmp_path))
    values["hydra"]["overrides"]["task"].append(override)
    record.write_text(yaml.safe_dump(values))
    message = refused(["-m", f"resume={project / SWEEP}"], train, tmp_path, capsys)
    assert any(part in message for part in said.split("|"))


def test_a_resumed_sweep_does_not_follow_links(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "victim").mkdir()
    (project / SWEEP / "2").symlink_to(tmp_path / "victim")
    message = refused(["-m", f"resume={project / SWEEP}"], train, tmp_path, capsys)
    assert "is a symbolic link" in message


def test_caches_are_those_of_the_caller(project: Path, tmp_path: Path) -> None:
    from xray.cli.saved_config import load_run_config, resumable_config

    evil = outside("evil")
    change_config(
        project / RUN, paths__cache=evil, cache__dir=f"{evil}/features", data__audit_dir=evil
    )
    config = load_run_config(project / RUN)
    own = tmp_path / "checkout" / "outputs" / "cache"
    assert config.paths.cache == str(own)
    assert config.cache.dir == str(own / "features")
    assert config.data.audit_dir == str(own / "audit")
    given = load_run_config(project / RUN, paths={"cache": "/c", "data": "/d"})
    assert (given.cache.dir, given.data.audit_dir) == ("/c/features", "/c/audit")
    assert evil not in str(resumable_config(project / RUN))


def test_phantoms_are_not_drawn_where_a_run_says(project: Path, tmp_path: Path) -> None:
    from xray.cli.saved_config import load_run_config

    drawn = {"train": 4, "val": 4, "test": 4}
    change_config(
        project / RUN,
        data___target_="xray.data.phantom.PhantomDataModule",
        data__root=outside("evil"),
        data__patients=drawn,
        data__views=1,
        data__drawing_seed=0,
    )
    assert load_run_config(project / RUN).data.root == str(tmp_path / "checkout/outputs/data")
    (tmp_path / "evil" / "phantoms-1").mkdir(parents=True)
    (tmp_path / "evil" / "phantoms-1" / "phantoms.json").touch()
    assert load_run_config(project / RUN).data.root == outside("evil")


def test_a_trusted_run_may_name_foreign_classes(project: Path) -> None:
    from xray.cli.saved_config import load_run_config

    change_config(project / RUN, callbacks__mine={"_target_": THIS})
    assert load_run_config(project / RUN, trust=True).callbacks.mine["_target_"] == THIS
    assert os.environ["XRAY_ROOT"]
