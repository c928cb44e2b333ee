"""Check the overrides in the record of a sweep, which may come from someone else."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf, open_dict

from xray.cli.compose import Composer, job_lines
from xray.cli.confined import TRUST, check_confined, has_resolver
from xray.cli.sweep_state import Started
from xray.errors import RunError
from xray.runs import layout
from xray.schema.trusted import PHANTOMS, is_phantom_folder


def check_recorded(
    composer: Composer,
    sweep: Started,
    overrides: Sequence[Override],
    repeated: Sequence[Override] = (),
) -> None:
    """Check that recorded overrides set plain values, and write only to the sweep's directory.

    Args:
        composer: Composes the jobs.
        sweep: The sweep.
        overrides: Its recorded overrides, parsed.
        repeated: Recorded overrides that the user typed again, which need no check.

    Raises:
        RunError: An override does more than that.
    """
    path = sweep.directory / layout.SWEEP_RECORD
    for override in overrides:
        text = str(override.input_line)
        if override.is_hydra_override():
            raise RunError(
                f"{path} records '{text}', which changes how Hydra runs. xray does not write such "
                "an override there. Start a new sweep."
            )
        problem = _problem(override, text)
        if problem:
            raise RunError(f"{path} records '{text}', which {problem}. {TRUST}")
    for lines in job_lines([*repeated, *overrides]) if overrides else ():
        job, _ = composer.compose(composer.parse(lines))
        if job is not None:
            _check_job(path, sweep.directory, job)


def _problem(override: Override, text: str) -> str | None:
    if override.type not in {OverrideType.CHANGE, OverrideType.DEL}:
        return "adds a key"
    if override.package is not None:
        return "moves a group to another key"
    if "_target_" in text:
        return "names a class to call"
    return "calls a resolver" if has_resolver(text) else None


def _check_job(path: Path, directory: Path, job: DictConfig) -> None:
    with open_dict(job):
        job.paths.run = str(directory)
    values: dict[str, Any] = {
        group: OmegaConf.to_container(job[group], resolve=True) for group in ("callbacks", "logger")
    }
    check_confined(path, directory, values)
    root = Path(str(OmegaConf.select(job, "data.root")))
    own = directory.parent.parent.resolve()
    if (
        OmegaConf.select(job, "data._target_") == PHANTOMS
        and not is_phantom_folder(root)
        and not root.resolve().is_relative_to(own)
    ):
        raise RunError(
            f"{path}: data.root is '{root}', which is not inside {own}. xray would draw phantoms "
            f"there. {TRUST}"
        )
