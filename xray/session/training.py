"""Train a network, test it and write its report."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig
from rich.console import Console

from xray import build, restore
from xray.data.datamodule import XrayDataModule
from xray.evaluation import testing
from xray.files import write_json
from xray.integrity.findings import write_findings
from xray.model.classifier import XrayClassifier
from xray.runs import layout, store
from xray.runs.predictions import Predictions
from xray.session.statistics import training_reference
from xray.stats.rule import parse_rule
from xray.training.checks import check_validation
from xray.training.compute import Compute
from xray.training.fit import fit
from xray.training.summary import data_table, model_table, weights_source
from xray.types import SPLITS, Split


class Training:
    """The training of a network, from the start or from the last checkpoint of a run.

    Args:
        cfg: Configuration of `xray.train`.
        console: The terminal.

    Attributes:
        path: The run directory.
    """

    def __init__(self, cfg: DictConfig, console: Console) -> None:
        self.path = Path(cfg.paths.run)
        self._cfg = cfg
        self._console = console
        self._last = self.path / layout.LAST if cfg.resume else None

    def run(self) -> float:
        """Train, test and write the results into the run directory.

        Returns:
            The best value of the monitored metric.
        """
        cfg, splits = self._cfg, SPLITS if self._cfg.test else SPLITS[:2]
        data = build.build_data(cfg)
        description = self._open_images(data)
        check_validation(description, cfg.monitor.metric)
        compute = build.build_compute(cfg, cfg.trainer.gpus, run=self.path)
        trainer, collector = build.build_trainer(cfg, compute)
        if trainer.is_global_zero and not self._last:
            self._write_record(data, description)
        model = self._build_model(data, compute)
        if trainer.is_global_zero:
            self._show(model, compute, description, data.evaluate.size)
        build.build_cache(cfg, trainer).attach(model, data, splits)
        build.build_pixels(cfg).attach(data, splits)
        best, score, ended = fit(trainer, model, data, self.path, self._last)
        self._test(trainer, model, data, collector, best)
        # The other processes of a distributed run write nothing.
        if trainer.is_global_zero:
            self._console.print(f"training ended: {ended}", soft_wrap=True, markup=False)
            self._finish(data, model)
        return score

    def _open_images(self, data: XrayDataModule) -> dict[str, Any]:
        """Find the images; those of a resumed run must be the images it began with."""
        if self._last:
            description = restore.open_images(self.path, data)
            data.setup("fit")
            return description
        data.prepare_data()
        data.setup("fit")
        return data.describe()

    def _write_record(self, data: XrayDataModule, description: dict[str, Any]) -> None:
        """Write environment.json, data.json and the findings of the audit."""
        store.write_environment(self.path, self._cfg.seed)
        found = training_reference(data)
        extra = {} if found is None else {"statistics": found.as_dict()}
        write_json(self.path / layout.DATA, {**description, **extra})
        write_findings(self.path / layout.FINDINGS, data.certificate().findings)

    def _build_model(self, data: XrayDataModule, compute: Compute) -> XrayClassifier:
        if self._last:
            model = restore.resume_model(self._cfg, data, self._last)
        else:
            model = build.build_model(self._cfg, data)
        compute.apply(model)
        return model

    def _show(
        self, model: XrayClassifier, compute: Compute, description: dict[str, Any], size: int
    ) -> None:
        """Record the source of the weights and the compute settings, and show data and model."""
        weights = weights_source(model)
        store.record_facts(self.path, weights=weights, compute=compute.record())
        self._console.print(data_table(description), model_table(model, size))

    def _test(
        self,
        trainer: pl.Trainer,
        model: XrayClassifier,
        data: XrayDataModule,
        collector: Any,
        best: Path,
    ) -> None:
        """Fit the operating point of the best checkpoint, and test it if that is configured."""
        # Imported here because training does not need it.
        from xray.reporting.results import write_results, write_validation

        # Older runs have no rule.
        rule = parse_rule(str(self._cfg.get("threshold", 0.5)))
        val = testing.fit_best(trainer, model, data, collector, best, rule=rule)
        if not self._cfg.test:
            if trainer.is_global_zero:
                write_validation(self.path, val, rule)
            return
        test = testing.test_best(trainer, model, data, collector, best)
        if trainer.is_global_zero:
            predictions: dict[Split, Predictions] = {"val": val, "test": test}
            write_results(self.path, predictions, self._console, rule=rule)

    def _finish(self, data: XrayDataModule, model: XrayClassifier) -> None:
        """Draw the heatmaps of the most confident errors, and write the report."""
        # Imported here because training does not need them.
        from xray.reporting.failures import explain_failures
        from xray.reporting.html import write_report
        from xray.runs.environment import now

        gradcam = self._cfg.callbacks.get("gradcam")
        if self._cfg.test and gradcam and gradcam.n:
            test, device = data.dataset("test"), model.device
            explain_failures(self.path, "test", model, test, method=gradcam.method, device=device)
        store.record_facts(self.path, finished=now())
        self._console.print(f"report:        {write_report(self.path)}", soft_wrap=True)
