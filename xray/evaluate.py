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
    import pytorch_lightning as pl
    from rich.console import Console

    from xray import build
    from xray.results import store, testing
    from xray.results.collector import PredictionCollector
    from xray.training.trainer import build_trainer

    run = store.find_run(Path(cfg.paths.outputs), cfg.run)
    run_cfg, data, model = build.restore(run)
    if cfg.root is None:
        data.prepare_data()
    dataset = data.external(Path(cfg.root), cfg.split) if cfg.root else data.dataset(cfg.split)
    collector = PredictionCollector()
    trainer = build_trainer(
        gpus=cfg.gpus,
        require_gpu=False,
        precision=run_cfg.trainer.precision,
        callbacks=[pl.callbacks.RichProgressBar(), collector],
    )
    data.batch_size = cfg.batch_size
    trainer.test(model, dataloaders=data.loader(dataset), verbose=False)
    predictions = {cfg.split: collector.predictions(dataset.samples, model.classes)}
    folder = run / "external" / Path(cfg.root).name if cfg.root else run
    testing.write_results(folder, predictions, Console())


def main() -> None:
    """Compose the configuration from the command line and evaluate."""
    launch("evaluate", evaluate)


if __name__ == "__main__":
    main()
