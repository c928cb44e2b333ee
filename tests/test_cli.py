"""The command line, with the configuration in conf/ and small functions as commands."""

import json
import logging
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from xray.cli import launch
from xray.cli.command import read_command, read_flags
from xray.cli.compose import MAX_JOBS, Composer, job_lines
from xray.cli.job import guarded
from xray.cli.launch import claim
from xray.cli.saved_config import load_run_config
from xray.cli.sweep_state import held
from xray.errors import DataError, RunError


@dataclass
class Outcome:
    status: int
    out: str
    err: str


Run = Callable[..., Outcome]


@contextmanager
def outputs_in(folder: Path) -> Iterator[None]:
    """Run commands in a folder, and restore the logging that Hydra changes."""
    logger = logging.getLogger()
    handlers, level = list(logger.handlers), logger.level
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XRAY_ROOT", str(folder))
        patch.setenv("NO_ALBUMENTATIONS_UPDATE", "1")
        patch.chdir(folder)
        # Hydra raises all errors in a debugger, and takes a coverage tracer for one.
        patch.setattr("hydra._internal.utils.is_under_debugger", lambda: False)
        yield
    for handler in set(logger.handlers) - set(handlers):
        handler.close()
    logger.handlers[:] = handlers
    logger.setLevel(level)


def call(argv: Sequence[str], task: Callable[[DictConfig], Any], verb: str = "train") -> int:
    """Launch a command in this process and return its exit status."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [f"{verb}.py", *argv])
        status = 0
        try:
            launch(verb, task)
        except SystemExit as error:
            status = int(error.code or 0)
        assert sys.argv == [f"{verb}.py", *argv]
    return status


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    with outputs_in(tmp_path):
        yield tmp_path


@pytest.fixture
def run(root: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def start(*argv: str, task: Callable[[DictConfig], Any] = work, verb: str = "train") -> Outcome:
        status = call(argv, task, verb)
        captured = capsys.readouterr()
        return Outcome(status, captured.out, captured.err)

    return start


def work(cfg: DictConfig) -> float:
    """Stand in for training: the metric is 1 - optim.lr, and rates above 0.5 raise a DataError."""
    if cfg.optim.lr > 0.5:
        raise DataError("no images in x. Look there.")
    directory = Path(cfg.paths.run)
    value = 1 - cfg.optim.lr
    metrics = {"val": {"auroc": {"value": value}}, "test": {"auroc": {"value": value - 0.01}}}
    (directory / "metrics.json").write_text(json.dumps(metrics))
    (directory / "checkpoints").mkdir(exist_ok=True)
    (directory / "checkpoints" / "last.ckpt").write_text("")
    logging.getLogger("xray.test").warning("worked with %s", cfg.optim.lr)
    return float(value)


def never(cfg: DictConfig) -> None:
    raise AssertionError("must not start")


def only(folder: Path) -> Path:
    [found] = folder.iterdir()
    return found


# Single runs


@pytest.mark.slow
def test_run_directory(run: Run, root: Path) -> None:
    outcome = run("tag=mine")
    assert (outcome.status, outcome.err) == (0, "")
    directory = only(root / "outputs" / "train")
    assert directory.name.endswith("_mine")
    names = {path.name for path in directory.iterdir()}
    assert names == {".hydra", "checkpoints", "metrics.json", "train.log"}
    assert outcome.out == "worked with 0.001\n"
    assert "[xray.test][WARNING] worked with 0.001" in (directory / "train.log").read_text()
    assert OmegaConf.load(directory / ".hydra" / "overrides.yaml") == ["tag=mine"]
    assert load_run_config(directory).paths.run == str(directory)


def test_runs_started_in_the_same_second_have_different_directories(tmp_path: Path) -> None:
    wanted = tmp_path / "train" / "now_vgg16"
    assert [claim(wanted).name for _ in range(3)] == ["now_vgg16", "now_vgg16-2", "now_vgg16-3"]


def test_unwritable_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"Cannot write to .*/file/train .*paths\.outputs=<folder>"):
        claim(tmp_path / "file" / "train" / "x")


@pytest.mark.slow
def test_directory_set_by_the_user_is_not_changed(run: Run, root: Path) -> None:
    for _ in range(2):
        assert run("hydra.run.dir=here").status == 0
    assert (root / "here" / "metrics.json").is_file()
    assert not (root / "outputs").exists()


@pytest.mark.slow
def test_other_processes_of_a_distributed_run_write_no_configuration(run: Run, root: Path) -> None:
    place = f'hydra.run.dir="{root}/a, b"'
    assert run(place, "hydra.job.name=process_1", "hydra.output_subdir=null").status == 0
    names = {path.name for path in (root / "a, b").iterdir()}
    assert names == {"checkpoints", "metrics.json", "process_1.log"}


def test_command_sees_the_command_line(run: Run) -> None:
    seen: list[list[str]] = []
    run("seed=3", task=lambda cfg: seen.append(list(sys.argv)))
    assert seen == [["train.py", "seed=3"]]


def test_errors_are_printed_without_a_stack_trace(run: Run, root: Path) -> None:
    outcome = run("optim.lr=0.9")
    assert (outcome.status, outcome.err) == (1, "error: no images in x. Look there.\n")
    note = only(root / "outputs" / "train") / "error.txt"
    assert note.read_text() == "no images in x. Look there.\n"


def test_hydra_full_error_prints_the_stack_trace(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(DataError, match="no images in x"):
        run("optim.lr=0.9")
    sys.argv = ["train.py"]


def test_unexpected_exception_has_a_stack_trace(run: Run, root: Path) -> None:
    def broken(cfg: DictConfig) -> None:
        raise ValueError("a bug")

    outcome = run(task=broken)
    assert outcome.status == 1
    assert "Traceback" in outcome.err
    assert "ValueError: a bug" in outcome.err
    note = only(root / "outputs" / "train") / "error.txt"
    assert note.read_text() == "ValueError: a bug\n"


@pytest.mark.slow
def test_interrupt_exits_with_130(run: Run) -> None:
    def interrupted(cfg: DictConfig) -> None:
        raise KeyboardInterrupt

    assert run(task=interrupted).status == 130


# Errors before anything starts

MODELS = "convnext_tiny, densenet121, efficientnet_b0, resnet50, vgg16, vgg16_bn"
POSITIVE = "optim.lr is 'abc', but must be a number greater than 0"
DDP = (
    "trainer.strategy is 'ddp', but each of its processes would start the whole sweep again. "
    "Give each job one GPU (trainer.gpus=1 trainer.strategy=auto), or start the runs one by one"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("optim.lr=abc", [POSITIVE]),
        ("++optim.lr=abc", [POSITIVE]),
        (
            "optim.lrr=1 ~optim.rl lr=1 modle=vgg16 hydra.run.dirr=x model.dropout=1 "
            "transform.train.0.q=1 "
            "model.unfreeze.epoch=3 +optim.lr=1 data/group=x data.size=3",
            [
                "there is no key 'optim.lrr'. Did you mean 'optim.lr'?",
                "there is no key 'optim.rl'. Did you mean 'optim.lr'?",
                "there is no key 'lr'. Did you mean 'optim.lr'?",
                "there is no key 'modle'. Did you mean 'model'?",
                "there is no key 'hydra.run.dirr'. Did you mean 'hydra.run.dir'?",
                "there is no key 'model.dropout'. Did you mean 'model.head.dropout'?",
                "there is no key 'transform.train.0.q'. Keys of this group: "
                "transform.train.0.height, "
                "transform.train.0.width, transform.train.0.interpolation",
                "there is no key 'model.unfreeze.epoch', since model.unfreeze is null. "
                "Set all of it: 'model.unfreeze={epoch: ...}'",
                "there is already a key 'optim.lr'. Remove the plus: optim.lr=1",
                "there is no group 'data/group'. Did you mean 'data/groups'?",
                "data.size is 3, but must be a multiple of 32, 32 or greater",
            ],
        ),
        (
            "+optim.lrr=1 ++optim.backbonelr=1 ~trainer.num_nodes",
            [
                "there is no key 'optim.lrr'. Did you mean 'optim.lr'?",
                "there is no key 'optim.backbonelr'. Did you mean 'optim.backbone_lr'?",
                "trainer.num_nodes is missing",
            ],
        ),
        (
            "optim.lr=[1,2 model=vgg61 optim=null callbacks=[checkpoint,gradcan]",
            [
                "cannot parse 'optim.lr=[1,2'. Write key=value; quote a value with special "
                "characters, "
                "and all of it for the shell: 'key=\"value\"'",
                f"there is no model 'vgg61'. Did you mean 'vgg16'? Options: {MODELS}",
                "there is no optim 'null'. Options: adamw, sgd",
                "there is no callbacks 'gradcan'. Did you mean 'gradcam'? "
                "Options: checkpoint, default, early_stopping, gradcam, none",
            ],
        ),
        (
            "optim.lr=1,2",
            [
                "'optim.lr=1,2' has several values. Add -m to run a job for each, or write a "
                "list as "
                "optim.lr=[a,b]"
            ],
        ),
        ("--lr=1", ["there is no flag '--lr=1'. Write keys without dashes: lr=1"]),
        ("--fast", ["there is no flag '--fast'. See --help."]),
        ("seed=-1", ["seed is -1, but must be a whole number from 0 to 4294967295"]),
        ("optim.lr=${nokey}", ["optim.lr: Interpolation key 'nokey' not found"]),
        ("--config-dir nowhere", ["there is no directory of configurations {root}/nowhere"]),
        ("--config-name nothing", ["Cannot find primary config 'nothing'"]),
        (
            "-m optim.lr=1e-3,abc seed=range(-1,1)",
            ["seed is -1, but must be a whole number from 0 to 4294967295", POSITIVE],
        ),
        (
            "-m optim.lr=1e-3,1e-4 model=vgg16,vgg61",
            [f"there is no model 'vgg61'. Did you mean 'vgg16'? Options: {MODELS}"],
        ),
        (
            "-m optim.lr=1e-3,1e-4,1e-5 seed=0,1 model.head.dropout=0.1,2",
            ["model.head.dropout is 2, but must be a number, at least 0 and less than 1"],
        ),
        (
            "-m trainer=ddp optim.lr=interval(0.1,0.2) hydra.verbose=true,false",
            [
                "'hydra.verbose=true,false' cannot be swept: it is a key of Hydra",
                "'optim.lr=interval(0.1,0.2)' needs a search: add hydra/sweeper=search, or "
                "list values",
                DDP,
            ],
        ),
        (
            "resume=nowhere",
            ["There is no run directory {root}/nowhere. Pass one that a training run printed."],
        ),
        ("resume=true", ["resume=true resumes a sweep: add -m"]),
    ],
)
def test_errors_on_the_command_line(run: Run, root: Path, typed: str, expected: list[str]) -> None:
    outcome = run(*typed.split(" "), task=never)
    lines = outcome.err.splitlines()
    assert outcome.status == 1
    assert outcome.out == ""
    assert len(lines) == len(expected)
    for line, start in zip(lines, expected, strict=True):
        assert line.startswith("error: " + start.replace("{root}", str(root)))
    assert list(root.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(find_spec("hydra_plugins.hydra_optuna_sweeper") is None, reason="no Optuna")
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (
            "-m hydra/sweeper=optuna optim.lr=interval(0.1,0.2)",
            "hydra.sweeper.direction is 'minimize', but monitor.mode is 'max'. Pass "
            "hydra.sweeper.direction=maximize, or choose hydra/sweeper=search, which follows "
            "the monitor",
        ),
        (
            "-m hydra/sweeper=search optim.lr=interval(-1.0,0.2)",
            "optim.lr is -0.9988, but must be a number greater than 0",
        ),
        (
            "-m hydra/sweeper=search data.batch_size=int(interval(0,9))",
            "data.batch_size is 0, but must be a whole number, 1 or greater",
        ),
    ],
)
def test_errors_of_a_search(run: Run, typed: str, expected: str) -> None:
    assert run(*typed.split(" "), task=never).err == f"error: {expected}\n"


def test_message_for_an_optional_dependency(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xray.cli.compose.EXTRAS", {"optun": "optuna"})
    assert "Install it with: pip install -e '.[optuna]'." in run("hydra/sweeper=optun").err


@pytest.mark.slow
def test_experiment_file_is_checked(run: Run, root: Path) -> None:
    folder = root / "mine" / "experiment"
    folder.mkdir(parents=True)
    (folder / "try.yaml").write_text("# @package _global_\noptim: {lrr: 1}\n")
    expected = "error: there is no key 'optim.lrr'. Did you mean 'optim.lr'?\n"
    assert run("--config-dir", "mine", "experiment=try", task=never).err == expected
    (folder / "try.yaml").write_text("optim: [1\n")
    assert "error: while parsing" in run("--config-dir", "mine", "experiment=try", task=never).err
    text = "# @package _global_\nhydra: {sweeper: {params: {seed: '1,x'}}}\n"
    (folder / "try.yaml").write_text(text)
    outcome = run("--config-dir", "mine", "experiment=try", "-m", task=never)
    assert outcome.err.startswith("error: seed is 'x', but must be a whole number")


@pytest.mark.slow
def test_job_is_checked_if_its_combination_was_not(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xray.cli.compose.MAX_JOBS", 1)
    epochs, warmup = "trainer.max_epochs=3,2", "optim.warmup_epochs=1,2"
    outcome = run("-m", epochs, warmup, task=lambda cfg: None)
    assert outcome.status == 1
    expected = "error: optim.warmup_epochs (2) must be less than trainer.max_epochs (2)\n"
    assert outcome.err.startswith(expected)


def test_large_sweep_is_checked_value_by_value(root: Path) -> None:
    composer = Composer(read_command("train", read_flags([])))
    small = job_lines(composer.parse(("seed=0,1", "optim.lr=0.1,0.2", "tag=x")))
    assert small == [(f"seed={s}", f"optim.lr={lr}", "tag=x") for s in (0, 1) for lr in (0.1, 0.2)]
    values = ",".join(str(i) for i in range(MAX_JOBS))
    large = job_lines(composer.parse((f"seed={values}", "optim.lr=0.1,0.2")))
    assert len(large) == MAX_JOBS + 1
    assert large[0] == ("seed=0", "optim.lr=0.1")
    assert large[-1] == ("seed=0", "optim.lr=0.2")


# Sweeps


@pytest.mark.slow
def test_sweep_continues_after_a_failed_job(run: Run, root: Path) -> None:
    outcome = run("-m", "seed=7", "optim.lr=0.9,1e-2,1e-3", "tag='a b'")
    assert outcome.status == 1
    assert outcome.err.startswith("error: no images in x. Look there.\n")
    assert "Traceback" not in outcome.err
    sweep = only(root / "outputs" / "multirun")
    assert sorted(path.name for path in sweep.iterdir()) == [
        "0", "1", "2", "multirun.yaml", "sweep.csv",
    ]  # fmt: skip
    assert (sweep / "0" / "error.txt").read_text() == "no images in x. Look there.\n"
    assert "2 of 3 jobs finished" in outcome.out
    best = "python -m xray.train seed=7 optim.lr=0.001 " + shlex.quote("tag='a b'")
    assert outcome.out.splitlines()[-2:] == [f"sweep: {sweep}", f"best: {best}"]


@pytest.mark.slow
def test_interrupted_sweep_shows_its_finished_jobs(run: Run, root: Path) -> None:
    def stopped(cfg: DictConfig) -> float:
        if cfg.seed == 1:
            raise KeyboardInterrupt
        return work(cfg)

    outcome = run("-m", "seed=0,1,2", task=stopped)
    assert outcome.status == 130
    assert "1 of 2 jobs finished" in outcome.out
    sweep = only(root / "outputs" / "multirun")
    assert outcome.out.splitlines()[-2:] == [
        "best: python -m xray.train seed=0",
        f"resume with: python -m xray.train -m resume={sweep}",
    ]


@pytest.mark.slow
def test_failed_job_in_a_debugger(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hydra._internal.utils.is_under_debugger", lambda: True)
    outcome = run("-m", "optim.lr=0.9")
    assert outcome.status == 1
    assert outcome.err.startswith("error: no images in x. Look there.\n")
    assert "0 of 1 jobs finished" in outcome.out


@pytest.mark.slow
def test_successful_sweep(run: Run) -> None:
    outcome = run("hydra.mode=MULTIRUN", "hydra.sweep.dir=here", "model=glob(vgg*)")
    assert (outcome.status, outcome.err) == (0, "")
    assert Path("here/1/metrics.json").is_file()


# Resuming a run


@pytest.fixture
def finished(run: Run, root: Path) -> Path:
    (root / "images").mkdir()
    run("data=folder", "data.root=images", "tag=first", "optim.lr=0.25")
    return only(root / "outputs" / "train")


@pytest.mark.slow
def test_resumed_run_uses_its_directory_and_configuration(
    run: Run, root: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (finished / "error.txt").write_text("an earlier error\n")
    (root / "elsewhere").mkdir()
    monkeypatch.chdir(root / "elsewhere")
    seen: list[Any] = []

    def resumed(cfg: DictConfig) -> None:
        logging.getLogger("xray.test").warning("going on")
        seen.append(OmegaConf.to_container(cfg, resolve=True))
        assert HydraConfig.get().job.name == "train"

    outcome = run("trainer.max_epochs=40", f"resume=../outputs/train/{finished.name}", task=resumed)
    assert (outcome.status, outcome.err, outcome.out) == (0, "", "going on\n")
    [cfg] = seen
    assert cfg["resume"] == cfg["paths"]["run"] == str(finished)
    assert cfg["trainer"]["max_epochs"] == 40
    assert (cfg["optim"]["lr"], cfg["tag"]) == (0.25, "first")
    assert cfg["data"]["root"] == str(root / "images")
    assert not (finished / "error.txt").exists()
    assert "worked with 0.25" in (log := (finished / "train.log").read_text())
    assert "going on" in log
    assert load_run_config(finished).trainer.max_epochs == 40
    assert only(root / "outputs" / "train") == finished


def test_options_of_a_resumed_run_cannot_change(run: Run, finished: Path) -> None:
    outcome = run(f"resume={finished}", "model=resnet50", task=never)
    assert outcome.err == (
        "error: 'model=resnet50' cannot change in a resumed run, which keeps the options of its "
        "groups; single "
        "values may change (trainer.max_epochs=20). Remove it, or start a new run\n"
    )


def test_other_processes_of_a_resumed_run(
    run: Run, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Arguments that Lightning adds to the command line.
    added = [f'hydra.run.dir="{finished}"', "hydra.job.name=train_ddp_process_1"]
    typed = [f"resume={finished}", *added, "hydra.output_subdir=null"]
    assert "'hydra.run.dir=" in run(*typed, task=never).err
    monkeypatch.setenv("LOCAL_RANK", "1")
    seen: list[Path] = []
    outcome = run(*typed, task=lambda cfg: seen.append(Path(cfg.paths.run)))
    assert (outcome.status, outcome.err) == (0, "")
    assert seen == [finished]


@pytest.mark.slow
def test_errors_of_a_resumed_run(run: Run, finished: Path) -> None:
    expected = "error: there is no key 'optim.lrr'. Did you mean 'optim.lr'?\n"
    assert run(f"resume={finished}", "optim.lrr=1", task=never).err == expected
    (finished / "checkpoints" / "last.ckpt").unlink()
    assert run(f"resume={finished}", task=never).err == (
        f"error: {finished} has no checkpoints/last.ckpt to continue from. Pass the directory of a "
        "run that finished an epoch, or start a new run.\n"
    )


def test_resume_null_starts_a_new_run(run: Run) -> None:
    assert run("resume=null").status == 0
    assert run("resume=[", task=never).err.startswith("error: cannot parse 'resume=['")


# Resuming a sweep


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of four jobs: one finished, one failed, one was killed, one never started."""

    def killed(cfg: DictConfig) -> float:
        if (cfg.seed, cfg.optim.lr) == (0, 0.25):
            raise DataError("no images in x. Look there.")
        if cfg.seed == 1:
            (Path(cfg.paths.run) / "half.txt").touch()
            raise KeyboardInterrupt
        return work(cfg)

    folder = tmp_path_factory.mktemp("cut_off")
    with outputs_in(folder):
        assert call(["-m", "seed=0,1", "optim.lr=0.125,0.25", "tag=a"], killed) == 130
    return folder


@pytest.fixture
def cut(run: Run, cut_off: Path, root: Path) -> Path:
    """A copy of the interrupted sweep in the outputs of this test."""

    def moved(source: str, target: str) -> None:
        Path(target).write_text(Path(source).read_text().replace(str(cut_off), str(root)))

    shutil.copytree(cut_off / "outputs", root / "outputs", copy_function=moved)
    return only(root / "outputs" / "multirun")


def files(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_resumed_sweep_runs_unfinished_jobs(
    run: Run, cut: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, ran, values = files(cut / "0"), [], []

    def watched(*arguments: Any) -> Callable[[DictConfig], Any]:
        job = guarded(*arguments)

        def record(cfg: DictConfig) -> Any:
            values.append(job(cfg))
            return values[-1]

        return record

    def recorded(cfg: DictConfig) -> float:
        ran.append((cfg.seed, cfg.optim.lr))
        return work(cfg)

    monkeypatch.setattr("xray.cli.job.guarded", watched)
    outcome = run("-m", "optim.lr=25e-2,125e-3", "resume=true", "tag=a", "seed=1,0", task=recorded)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith(f"resuming {cut}; finished jobs: 0\n")
    assert ran == [(0, 0.25), (1, 0.125), (1, 0.25)]
    assert values == [0.875, 0.75, 0.875, 0.75]
    assert files(cut / "0") == before
    assert not (cut / "1" / "error.txt").exists()
    assert not (cut / "2" / "half.txt").exists()
    assert OmegaConf.load(cut / "3" / ".hydra" / "overrides.yaml") == [
        "seed=1", "optim.lr=0.25", "tag=a",
    ]  # fmt: skip
    assert "4 of 4 jobs finished" in outcome.out
    outcome = run("-m", f"resume={cut}", task=never)
    assert (outcome.status, outcome.err) == (0, "")
    assert "finished jobs: 0, 1, 2, 3" in outcome.out
    assert files(cut / "0") == before


def test_resumed_sweep_runs_in_its_original_working_directory(
    run: Run, cut: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "elsewhere").mkdir()
    monkeypatch.chdir(root / "elsewhere")
    seen = set()

    def recorded(cfg: DictConfig) -> float:
        seen.add(Path.cwd())
        return work(cfg)

    assert run("-m", f"resume=../outputs/multirun/{cut.name}", task=recorded).status == 0
    assert seen == {root}
    assert Path.cwd() == root / "elsewhere"


def test_resume_true_finds_the_latest_sweep_of_the_overrides(run: Run, cut: Path) -> None:
    (cut.parent / "damaged").mkdir()
    (cut.parent / "damaged" / "multirun.yaml").write_text("[")
    assert run("-m", "seed=0,1", "model=glob(vgg*)", "tag=other").status == 0
    gone = shutil.copytree(cut, cut.parent / "gone")
    record = gone / "multirun.yaml"
    record.write_text(record.read_text().replace("- seed=0,1", "- model=lenet"))
    outcome = run("-m", "seed=0,1", "optim.lr=0.125,0.25", "tag=a", "resume=true")
    assert outcome.out.startswith(f"resuming {cut}; ")
    outcome = run("-m", "seed=0,1,2", "resume=true", task=never)
    expected = outcome.err.splitlines()
    assert expected[0].endswith("was started with seed=0,1,2. Sweeps, newest first:")
    assert f"error:   {cut}: seed=0,1 optim.lr=0.125,0.25 tag=a" in expected
    assert len(expected) == 4


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("seed=2,3 resume={cut}", "was started with other overrides: seed=0,1 optim.lr=0.125,0.25"),
        (
            "resume={cut}/0",
            "{cut}/0 is not a sweep: it has no multirun.yaml. Pass the directory of",
        ),
        ("resume={cut} hydra/sweeper=basic", "{cut} cannot be resumed as a search"),
        ("resume=true hydra.sweep.dir=x seed=0,1", "Remove hydra.sweep.dir, or pass resume="),
        (
            "resume=true seed=0,1 paths.outputs=none",
            "was started with seed=0,1 paths.outputs=none.",
        ),
        ("resume=true seed=0,1 optim.lrr=1", "there is no key 'optim.lrr'"),
    ],
)
def test_errors_of_a_resumed_sweep(run: Run, cut: Path, arguments: str, expected: str) -> None:
    before = files(cut)
    outcome = run("-m", *arguments.format(cut=cut).split(), task=never)
    assert outcome.status == 1
    assert expected.format(cut=cut) in outcome.err
    assert files(cut) == before


def test_search_cannot_be_resumed(run: Run, cut: Path) -> None:
    record = cut / "multirun.yaml"
    record.write_text(record.read_text().replace("BasicSweeper", "OptunaSweeper"))
    assert "cannot be resumed as a search" in run("-m", f"resume={cut}", task=never).err


def test_finished_job_with_another_configuration_is_an_error(run: Run, cut: Path) -> None:
    config = cut / "0" / ".hydra" / "config.yaml"
    config.write_text(config.read_text().replace("weight_decay: ", "weight_decay: 1"))
    outcome = run("-m", f"resume={cut}", task=never)
    assert "error: optim.weight_decay was 1" in outcome.err
    assert "the configuration changed in between" in outcome.err
    (cut / "0" / ".hydra" / "overrides.yaml").write_text("[seed=5]")
    outcome = run("-m", f"resume={cut}", task=never)
    assert "ran with seed=5, but would now run with seed=0 optim.lr=0.125 tag=a" in outcome.err
    (cut / "0").rename(cut / "7")
    assert "but would now run with none" in run("-m", f"resume={cut}", task=never).err
    assert (cut / "2" / "half.txt").exists()


def test_job_that_cannot_be_composed_is_an_error(run: Run, cut: Path, root: Path) -> None:
    for path in (cut / "multirun.yaml", cut / "0" / ".hydra" / "overrides.yaml"):
        path.write_text(path.read_text().replace("tag=a", "tagg=a"))
    outcome = run("-m", f"resume={cut}", task=never)
    assert outcome.err == "error: there is no key 'tagg'. Did you mean 'tag'?\n"
    assert (cut / "2" / "half.txt").exists()


def test_job_that_cannot_be_deleted_is_an_error(
    run: Run, cut: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("shutil.rmtree", refused)
    outcome = run("-m", f"resume={cut}", task=never)
    assert "cannot be deleted (Permission denied). Delete it, and resume again." in outcome.err


def test_job_that_was_resumed_as_a_run_is_finished(run: Run, cut: Path) -> None:
    assert run(f"resume={cut / '0'}").status == 0
    outcome = run("-m", f"resume={cut}")
    assert (outcome.status, outcome.err) == (0, "")
    assert "finished jobs: 0\n" in outcome.out


def test_running_sweep_cannot_be_resumed(
    run: Run, cut: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xray.cli.sweep_state.PATIENCE", 0)
    with held(cut):
        outcome = run("-m", f"resume={cut}", task=never)
    assert outcome.err.startswith(f"error: {cut} belongs to a sweep that is still running.")
    assert (cut / "2" / "half.txt").exists()


def test_folder_that_cannot_be_locked_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    expected = r"Cannot write to .*/file/x .*paths\.outputs=<folder>"
    with pytest.raises(RunError, match=expected), held(tmp_path / "file" / "x"):
        raise AssertionError


# Help and other commands


COMMANDS = [
    "prepare",
    "audit",
    "train",
    "evaluate",
    "gradcam",
    "shortcuts",
    "report",
    "compare",
    "cache",
    "predict",
]


@pytest.mark.parametrize("verb", COMMANDS)
def test_help(run: Run, verb: str) -> None:
    outcome = run("optim.lr=abc", "--help", verb=verb, task=never)
    assert outcome.status == 0
    assert outcome.out.count(f"python -m xray.{verb}") >= 4
    assert "$" not in outcome.out
    assert len(outcome.out.splitlines()) < 60
    assert max(map(len, outcome.out.splitlines())) <= 120


def test_help_lists_the_groups(run: Run) -> None:
    lines = run("-h").out.splitlines()
    assert f"  model        {MODELS}" in lines
    assert "  data/groups  three_class, two_class" in lines
    # prepare has this group.
    assert not [line for line in lines if line.startswith("  source ")]


def test_flags_of_hydra(run: Run) -> None:
    outcome = run("--cfg", "job", "optim.lr=abc", task=never)
    assert OmegaConf.create(outcome.out).optim.lr == "abc"
    expected = "error: there is no key 'optim.lrr'. Did you mean 'optim.lr'?\n"
    assert run("--cfg", "job", "optim.lrr=1").err == expected
    assert "== Flags ==" in run("--hydra-help").out


def test_command_without_a_run_directory_writes_nothing(run: Run, root: Path) -> None:
    seen: list[Any] = []
    outcome = run("n=3", "method=layercam", verb="gradcam", task=seen.append)
    assert (outcome.status, outcome.err) == (0, "")
    assert (seen[0].n, seen[0].method, seen[0].split) == (3, "layercam", "test")
    assert list(root.iterdir()) == []


def fail(cfg: DictConfig) -> None:
    raise RunError("no run yet. Train first.")


@pytest.mark.parametrize(
    ("verb", "typed", "expected"),
    [
        ("gradcam", "n=0", "n is 0, but must be a whole number, 1 or greater"),
        ("gradcam", "-m n=1,2", "gradcam cannot be run as a sweep; remove -m"),
        ("gradcam", "seed=0", "no run yet. Train first."),
        (
            "gradcam",
            "resume=x",
            "there is no key 'resume'. Keys of this group: paths, run, images, trust, split, "
            "method, n, only, target, scorecard, faithfulness, faithfulness_n, seed",
        ),
        (
            "evaluate",
            "split=tset",
            "split is 'tset', but must be one of: train, val, test. Did you mean 'test'?",
        ),
        ("evaluate", "gpus=0 batch_size=8", "no run yet. Train first."),
        (
            "evaluate",
            "threshold=sens95",
            "threshold is 'sens95', but must be a number between 0 and 1 (0.5), youden, sens@0.95 "
            "or spec@0.90",
        ),
        (
            "compare",
            "sweep=null",
            "compare needs either runs=[<run>,<run>...] or sweep=<directory>",
        ),
        (
            "compare",
            "sweep=a runs=[b,c]",
            "compare needs either runs=[<run>,<run>...] or sweep=<directory>",
        ),
        ("compare", "runs=[a,a]", "runs needs at least two different run directories"),
        ("compare", "runs=a", "runs is 'a', but must be a list of run directories: [<run>,<run>]"),
    ],
)
def test_errors_of_other_commands(
    run: Run, root: Path, verb: str, typed: str, expected: str
) -> None:
    outcome = run(*typed.split(" "), verb=verb, task=fail)
    assert (outcome.status, outcome.err) == (1, f"error: {expected}\n")
    assert list(root.iterdir()) == []


SCRIPT = """
import sys
from xray.cli import launch
from xray.errors import DataError
def train(cfg):
    raise DataError("none")
try:
    launch("train", train)
finally:
    print(*sorted({"hydra", "torch", "pydantic", "albumentations"} & set(sys.modules)))
"""


@pytest.mark.parametrize(
    ("typed", "status", "expected", "imported"),
    [
        ("--help", 0, "", ""),
        ("optim.lr=abc", 1, f"error: {POSITIVE}\n", "hydra pydantic"),
        ("optim.lr=0.1", 1, "error: none\n", "hydra pydantic"),
    ],
)
def test_errors_are_reported_before_heavy_imports(
    root: Path, typed: str, status: int, expected: str, imported: str
) -> None:
    (root / "verb.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "verb.py", typed],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "XRAY_ROOT": str(root)},
    )
    assert (done.returncode, done.stderr) == (status, expected)
    assert done.stdout.splitlines()[-1] == imported
