"""Fine-tune, test and explain: `python -m xray.train model=vgg16 trainer.gpus=1`."""

from pathlib import Path
from typing import TYPE_CHECKING

from xray.cli import launch

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from rich.console import Console

    from xray.data.datamodule import XrayDataModule
    from xray.model.classifier import XrayClassifier


def train(cfg: "DictConfig") -> float:
    """Run the main job into the run directory `cfg.paths.run`.

    Returns:
        The best value of the monitored metric, which a sweep goes by.
    """
    # Imported here, so that --help and a mistyped key answer at once.
    from rich.console import Console

    from xray import build, restore
    from xray.evaluation import testing
    from xray.files import write_json
    from xray.integrity.findings import write_findings
    from xray.reporting.results import write_results
    from xray.runs import layout, store
    from xray.stats.rule import parse_rule
    from xray.training.fit import fit
    from xray.training.summary import data_table, model_table
    from xray.types import SPLITS

    run, console = Path(cfg.paths.run), Console()
    last = run / layout.LAST if cfg.resume else None
    data = build.build_data(cfg)
    data.prepare_data()
    data.setup("fit")
    description = data.describe()
    compute = build.build_compute(cfg, cfg.trainer.gpus, run=run)
    trainer, collector = build.build_trainer(cfg, compute)
    # The further processes of a distributed run write nothing.
    first = trainer.is_global_zero
    if last:
        restore.check_data(run, description)
    elif first:
        store.write_environment(run, cfg.seed)
        write_json(run / layout.DATA, description)
        write_findings(run / layout.FINDINGS, data.certificate().findings)
    model = restore.resume_model(cfg, data, last) if last else build.build_model(cfg, data)
    compute.apply(model)
    if first:
        store.record_facts(run, weights=model.hparams["weights_source"], compute=compute.record())
    if first:
        console.print(data_table(description), model_table(model, cfg.data.size))
    splits = SPLITS if cfg.test else SPLITS[:2]
    build.build_cache(cfg, trainer).attach(model, data, splits)
    build.build_pixels(cfg).attach(data, splits)
    best, score, ended = fit(trainer, model, data, run, last)
    if cfg.test:
        # Runs of before there was a choice go on with 0.5.
        rule = parse_rule(str(cfg.get("threshold", 0.5)))
        predictions = testing.test_best(trainer, model, data, collector, best, rule=rule)
        if first:
            write_results(run, predictions, console, rule=rule)
    if first:
        console.print(f"training ended: {ended}", soft_wrap=True, markup=False)
        tell(cfg, data, model, console)
    return score


def tell(
    cfg: "DictConfig", data: "XrayDataModule", model: "XrayClassifier", console: "Console"
) -> None:
    """Draw the heatmaps of the most confident errors of a finished run, and write its report."""
    # Templates and pictures, which training does without.
    from xray.reporting.failures import explain_failures
    from xray.reporting.html import write_report
    from xray.runs import store
    from xray.runs.environment import now

    run, shown = Path(cfg.paths.run), cfg.callbacks.get("gradcam")
    if cfg.test and shown and shown.n:
        test = data.dataset("test")
        explain_failures(run, "test", model, test, method=shown.method, device=model.device)
    store.record_facts(run, finished=now())
    console.print(f"report:        {write_report(run)}", soft_wrap=True)


def main() -> None:
    """Compose the configuration from the command line and train."""
    launch("train", train)


if __name__ == "__main__":
    main()
