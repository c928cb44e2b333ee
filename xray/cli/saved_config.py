"""Load the configuration that a finished run saved.

A run directory may come from someone else. Its configuration is therefore parsed as plain data and
not composed by Hydra, checked by the schema, and may name only classes that xray trusts. Caches and
phantoms are written to the directories of the caller, never to saved ones.
"""

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from xray.cli.confined import check_links, check_references, check_values
from xray.config import USER_PATHS, prepare_environment
from xray.errors import RunError
from xray.runs import layout
from xray.runs.reading import read_yaml_text
from xray.schema.messages import interpolated_keys
from xray.schema.trusted import PHANTOMS, current_name, is_phantom_folder
from xray.schema.verbs import problems

OWN_PATHS = {
    "root": "${oc.env:XRAY_ROOT}",
    "outputs": "${paths.root}/outputs",
    "data": "${paths.outputs}/data",
    "cache": "${paths.outputs}/cache",
    "run": "${hydra:runtime.output_dir}",
}
"""The group `paths` as conf/paths/default.yaml defines it."""

_ERRORS = (OmegaConfBaseException, yaml.YAMLError, OSError, ValueError, RecursionError)


def load_run_config(
    run: Path, *, paths: Mapping[str, Any] | None = None, trust: bool = False
) -> DictConfig:
    """Read the configuration of a run from its directory alone.

    Args:
        run: A run directory.
        paths: Directories "data" and "cache" to write to, in place of the saved ones; None: the
            directories of the default configuration.
        trust: Whether to accept classes, paths and interpolations that xray does not trust.

    Returns:
        The configuration of the run, interpolations resolved. `paths.run` is the directory as it is
        now. Relative paths are relative to the directory in which the run was started.

    Raises:
        RunError: The directory is missing or is not a run, or its configuration is damaged, does
            not fit the schema, or would run code or write outside the run directory.
    """
    prepare_environment()
    config: DictConfig = OmegaConf.create(_resolve(run, _read(run, trust=trust), trust=trust))
    outputs = Path(os.environ["XRAY_ROOT"]) / "outputs"
    paths = paths or {"data": outputs / "data", "cache": outputs / "cache"}
    config.paths.cache = str(paths["cache"])
    _redirect(config, data=str(paths["data"]), cache=str(paths["cache"]))
    OmegaConf.set_struct(config, True)
    return config


def resumable_config(run: Path, *, trust: bool = False) -> DictConfig:
    """Return the configuration of a run that is resumed, for Hydra to compose from.

    Args:
        run: A run directory.
        trust: See `load_run_config`.

    Returns:
        The configuration of the run, with interpolations. The group `paths` is today's; references
        to the saved one are resolved, except for the run directory.

    Raises:
        RunError: See `load_run_config`.
    """
    prepare_environment()
    saved = _read(run, trust=trust)
    values = _resolve(run, saved, trust=trust)
    config: DictConfig = OmegaConf.create(_fix_places(saved, values))
    config.paths = OWN_PATHS
    _redirect(config, data="${paths.data}", cache="${paths.cache}")
    config.resume, config.images, config.trust = None, None, False
    return config


def find_config(run: Path) -> Path:
    """Return the path of a run's saved configuration.

    Raises:
        RunError: The directory is missing, or has no configuration.
    """
    if not run.is_dir():
        raise RunError(f"There is no run directory {run}. Pass one that a training run printed.")
    path = run / layout.CONFIG
    if path.is_file():
        return path
    jobs = sorted(p.parent.parent.name for p in run.glob(f"*/{layout.CONFIG}"))
    advice = (
        f"It is a sweep: add -m to resume all its jobs, or pass one of them: {run / jobs[0]}."
        if jobs
        else "Pass a run directory, such as outputs/train/<time>_<tag>."
    )
    raise RunError(f"{run} is not a run directory: it has no {layout.CONFIG}. {advice}")


def _read(run: Path, *, trust: bool) -> dict[str, Any]:
    """Parse the configuration of a run; with current class names and unresolved interpolations."""
    path = find_config(run)
    saved: Any = OmegaConf.to_container(read_config(path), resolve=False)
    if not isinstance(saved, dict) or not isinstance(saved.get("paths"), dict):
        raise RunError(f"{path} is not the configuration of a run. Choose another run directory.")
    for key in ("hydra", "defaults"):
        if key in saved:
            raise RunError(
                f"{path} has a key '{key}', which xray does not write. It would change how Hydra "
                "runs. Delete the key, or choose another run directory."
            )
    saved = _rename({k: v for k, v in saved.items() if k not in {"images", "trust"}})
    settings = _settings(run)
    saved["paths"].update(_anchored_paths(run, saved["paths"], settings))
    for parent, leaf in USER_PATHS:
        _anchor(saved.get(parent), leaf, Path(_text(settings, "runtime", "cwd") or run))
    if not trust:
        check_links(run)
        check_references(path, saved)
    return dict(saved)


def read_config(path: Path) -> Any:
    """Read a saved configuration as plain data, with its interpolations.

    Raises:
        RunError: The file is damaged, too large, or has objects or aliases.
    """
    try:
        return OmegaConf.load(io.StringIO(read_yaml_text(path)))
    except _ERRORS as error:
        raise _unreadable(path, error) from error


def _resolve(run: Path, saved: dict[str, Any], *, trust: bool) -> dict[str, Any]:
    """Resolve interpolations and check the values."""
    path = run / layout.CONFIG
    try:
        config = OmegaConf.create(saved)
        values: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except _ERRORS as error:
        raise _unreadable(path, error) from error
    if not trust:
        check_values(path, run, values)
    # The checkpoint holds the weights, so the file that they were loaded from may be missing.
    found = problems("train", {**values, "resume": str(run)}, frozenset(interpolated_keys(saved)))
    if found:
        raise RunError(f"{path}: {found[0]}. Choose another run directory.")
    return dict(values)


def _redirect(config: DictConfig, *, data: str, cache: str) -> None:
    """Let a run write its phantoms below `data`, and its caches below `cache`."""
    config.cache.dir = f"{cache}/features"
    if config.data.get("audit_dir"):
        config.data.audit_dir = f"{cache}/audit"
    root = Path(str(config.data.get("root")))
    if config.data.get("_target_") == PHANTOMS and not is_phantom_folder(root):
        config.data.root = data


def _unreadable(path: Path, error: Exception) -> RunError:
    reason = " ".join(str(error).split())
    return RunError(f"{path} cannot be read: {reason}. Choose another run directory.")


def _rename(value: Any) -> Any:
    """Replace class names of older versions by the current ones."""
    if isinstance(value, list):
        return [_rename(item) for item in value]
    if not isinstance(value, dict):
        return value
    renamed = {key: _rename(item) for key, item in value.items()}
    if isinstance(renamed.get("_target_"), str):
        renamed["_target_"] = current_name(renamed["_target_"])
    return renamed


def _settings(run: Path) -> Mapping[str, Any]:
    """Read Hydra's settings of a run as plain data; empty if missing or damaged."""
    try:
        found = yaml.safe_load(read_yaml_text(run / layout.SETTINGS))
        return dict(found["hydra"])
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError, RecursionError):
        return {}


def _text(settings: Any, *keys: str) -> str:
    for key in keys:
        settings = settings.get(key) if isinstance(settings, dict) else None
    return settings if isinstance(settings, str) else ""


def _anchored_paths(run: Path, saved: Any, settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the present `paths.run`, and the saved `paths.root` if it exists on this machine."""
    anchored = {"run": str(run.resolve())}
    if "${" in str(saved.get("root", "")):
        root = _text(settings, "job", "env_set", "XRAY_ROOT")
        anchored["root"] = root if root and Path(root).is_dir() else os.environ["XRAY_ROOT"]
    return anchored


def _anchor(group: Any, leaf: str, started_in: Path) -> None:
    """Make a path absolute if it exists relative to the directory in which the run was started."""
    value = group.get(leaf) if isinstance(group, dict) else None
    if isinstance(value, str) and "${" not in value and (started_in / value).exists():
        group[leaf] = str((started_in / value).resolve())


def _fix_places(saved: Any, values: Any) -> Any:
    """Resolve references to the saved group `paths`, except for the run directory."""
    if isinstance(saved, dict):
        return {key: _fix_places(item, values[key]) for key, item in saved.items()}
    if isinstance(saved, list):
        return [_fix_places(item, values[i]) for i, item in enumerate(saved)]
    refers = isinstance(saved, str) and "${paths." in saved.replace("${paths.run}", "")
    return values if refers else saved
