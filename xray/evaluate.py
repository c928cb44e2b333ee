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
    from hashlib import sha256

    from rich.console import Console

    from xray import build
    from xray.results import store, testing
    from xray.results.decisions import check_rule
    from xray.stats.rule import parse_rule

    run = store.find_run(Path(cfg.paths.outputs), cfg.run)
    run_cfg, data, model = build.restore(run)
    own = run_cfg.get("threshold", 0.5)
    rule = parse_rule(str(own if cfg.threshold is None else cfg.threshold))
    check_rule(rule, model.classes)
    val = None if cfg.split == "val" else testing.read_val(run, rule)
    if cfg.root:
        root = Path(cfg.root).resolve()
        dataset, verdict = data.external(root, cfg.split), "another dataset"
        # Two folders of one name are two results.
        folder = run / "external" / f"{root.name}_{sha256(str(root).encode()).hexdigest()[:6]}"
    else:
        data.prepare_data()
        build.check_data(run, data.describe())
        build.build_pixels(run_cfg).attach(data, [cfg.split])
        dataset, folder = data.dataset(cfg.split), run
        verdict = data.certificate().verdict
    compute = build.build_compute(run_cfg, cfg.gpus, run=run, memory=Path(cfg.paths.cache))
    compute.apply(model)
    trainer, collector = build.build_tester(cfg.gpus, compute)
    build.pace_workers(data, model, trainer)
    data.batch_size = cfg.batch_size
    trainer.test(model, dataloaders=data.loader(dataset), verbose=False)
    predicted, console = collector.predictions(dataset.samples, model.classes, verdict), Console()
    if cfg.prior == "em":
        predicted = testing.correct_prior(predicted, rule, val, console)
        # The thresholds of validation images are for another prior; the run's own results stay.
        name = folder.name if cfg.root else cfg.split
        val, folder = None, run / "external" / f"{name}_prior_em"
    testing.write_results(folder, {cfg.split: predicted}, console, rule=rule, val=val)


def main() -> None:
    """Compose the configuration from the command line and evaluate."""
    launch("evaluate", evaluate)


if __name__ == "__main__":
    main()
