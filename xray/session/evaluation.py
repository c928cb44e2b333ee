"""Evaluate a finished run on its own images or on another dataset."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from xray.evaluation import testing
from xray.evaluation.thresholds import check_rule
from xray.reporting.html import write_report
from xray.reporting.results import write_results
from xray.runs import layout
from xray.runs.predictions import Predictions
from xray.runs.run import RunFiles
from xray.session.session import Session
from xray.stats.rule import Rule, parse_rule
from xray.types import Split

EXTERNAL_VERDICT = "another dataset"


@dataclass(frozen=True)
class Evaluation:
    """An evaluation of a finished run.

    Args:
        split: The split; of another dataset with splits, too.
        root: Another dataset with the same classes; None: the run's own images.
        threshold: A probability or a rule, see `xray.stats.rule`; None: that of training.
        prior: "em" corrects the probabilities for other class shares, estimated without labels.
        batch_size: Images per batch.
    """

    split: Split = "test"
    root: Path | None = None
    threshold: float | str | None = None
    prior: Literal["em"] | None = None
    batch_size: int = 32

    def run(self, session: Session, console: Console) -> Mapping[str, Any]:
        """Predict the images and write the results and the report into the run directory.

        Returns:
            The metrics, as in metrics.json.

        Raises:
            ConfigError: The threshold needs two classes, or does not fit `prior`.
            DataError: The images are missing, or their classes are not those of the network.
            RunError: The run is incomplete, or its images have changed.
        """
        rule = session.rule if self.threshold is None else parse_rule(str(self.threshold))
        check_rule(rule, session.model.classes)
        if self.prior == "em":
            testing.check_prior(rule)
        val = self._validation(session.path, rule)
        predicted, folder = self._predict(session)
        if self.prior == "em":
            predicted = testing.correct_prior(predicted, val, console)
            # Thresholds fitted on validation images hold for the class shares of validation.
            name = folder.name if self.root else self.split
            val, folder = None, session.path / layout.EXTERNAL / f"{name}{layout.PRIOR_CORRECTED}"
        own = RunFiles(session.path).metrics.get("test") if self.root else None
        beside = {"own test": own} if own else {}
        found = {self.split: predicted}
        write_results(folder, found, console, rule=rule, val=val, beside=beside)
        console.print(f"report:        {write_report(session.path)}", soft_wrap=True)
        metrics: Mapping[str, Any] = RunFiles(folder).metrics[self.split]
        return metrics

    def _validation(self, run: Path, rule: Rule) -> Predictions | None:
        """Read the validation predictions that thresholds are fitted on, unless they are new."""
        own = self.split == "val" and self.root is None and self.prior is None
        return None if own else testing.read_val(run, rule)

    def _predict(self, session: Session) -> tuple[Predictions, Path]:
        """Predict the images; returns the predictions and the folder of the results."""
        if self.root is None:
            dataset = session.dataset(self.split)
            return session.predict(dataset, batch_size=self.batch_size), session.path
        root = self.root.resolve()
        dataset = session.data.external(root, self.split)
        predicted = session.predict(dataset, batch_size=self.batch_size, verdict=EXTERNAL_VERDICT)
        return predicted, session.path / layout.external(root)
