"""Test a run again, or elsewhere: `python -m xray.evaluate run=<dir> root=<folder>`."""

from pathlib import Path
from typing import TYPE_CHECKING

from xray.cli import launch

if TYPE_CHECKING:
    from omegaconf import DictConfig


def evaluate(cfg: "DictConfig") -> None:
    """Predict a split of a run's data, or another folder of the same classes; write the results.

    The run's own split goes where training put it, another folder's to `external/<name>/`.
    """
    # Imported here, so that --help and a mistyped key answer at once.
    from rich.console import Console

    from xray import build, restore
    from xray.evaluation import testing
    from xray.evaluation.thresholds import check_rule
    from xray.reporting.html import write_report
    from xray.reporting.results import write_results
    from xray.runs import layout
    from xray.runs.find import find_run
    from xray.runs.run import RunFiles
    from xray.stats.rule import parse_rule

    run = find_run(Path(cfg.paths.outputs), cfg.run)
    run_cfg, data, model = restore.restore(run)
    compute = build.build_compute(run_cfg, cfg.gpus, run=run, memory=Path(cfg.paths.cache))
    compute.apply(model)
    trainer, collector = restore.build_tester(cfg.gpus, compute)
    build.pace_workers(data, model, trainer)
    own = run_cfg.get("threshold", 0.5)
    rule = parse_rule(str(own if cfg.threshold is None else cfg.threshold))
    check_rule(rule, model.classes)
    if cfg.prior == "em":
        testing.check_prior(rule)
    # The run's own validation images are what is predicted; another folder's are not.
    own_val = cfg.split == "val" and not cfg.root and cfg.prior is None
    val = None if own_val else testing.read_val(run, rule)
    if cfg.root:
        root = Path(cfg.root).resolve()
        dataset, verdict = data.external(root, cfg.split), "another dataset"
        folder = run / layout.external(root)
    else:
        data.prepare_data()
        restore.check_data(run, data.describe())
        build.build_pixels(run_cfg).attach(data, [cfg.split])
        dataset, folder = data.dataset(cfg.split), run
        verdict = data.certificate().verdict
    data.batch_size = cfg.batch_size
    trainer.test(model, dataloaders=data.loader(dataset), verbose=False)
    predicted, console = collector.predictions(dataset.samples, model.classes, verdict), Console()
    if cfg.prior == "em":
        predicted = testing.correct_prior(predicted, val, console)
        # The thresholds of validation images are for another prior; the run's own results stay.
        name = folder.name if cfg.root else cfg.split
        val, folder = None, run / layout.EXTERNAL / f"{name}{layout.PRIOR_CORRECTED}"
    own_test = RunFiles(run).metrics.get("test") if cfg.root else None
    beside = {"own test": own_test} if own_test else {}
    found = {cfg.split: predicted}
    write_results(folder, found, console, rule=rule, val=val, beside=beside)
    console.print(f"report:        {write_report(run)}", soft_wrap=True)


def main() -> None:
    """Compose the configuration from the command line and evaluate."""
    launch("evaluate", evaluate)


if __name__ == "__main__":
    main()
