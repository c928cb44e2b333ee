"""Prepare a dataset: `python -m xray.prepare source=kermany path=<folder>`."""

from pathlib import Path
from typing import TYPE_CHECKING

from xray.cli import launch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from omegaconf import DictConfig
    from rich.console import Console

    from xray.sources.tree import Plan

UNRECORDED = ("paths", "path", "out", "workers", "certify")
"""Keys that do not change the content of the prepared dataset; each source has its own path."""


def prepare(cfg: "DictConfig") -> None:
    """Write the sources as one folder of images, and print its content and terms."""
    # Imported here, so that --help and errors in keys are fast.
    from hydra.utils import instantiate
    from omegaconf import OmegaConf
    from rich.console import Console

    from xray.sources.source_md import facts, findings, table
    from xray.sources.splitting import current_splitting
    from xray.sources.tree import prepare_tree
    from xray.suggest import override

    sources = {name: instantiate(part, _convert_="all") for name, part in cfg.source.items()}
    out = Path(cfg.out).expanduser() if cfg.out else Path(cfg.paths.data) / "-".join(sources)
    cfg.split = current_splitting(cfg.split)
    request = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(request, dict)
    report = prepare_tree(
        out.resolve(),
        sources,
        _plan(cfg, request["groups"]),
        downloads=Path(cfg.paths.cache) / "downloads",
        request={str(key): value for key, value in request.items() if key not in UNRECORDED},
    )
    console = Console()
    console.print(table(report), *findings(report), sep="\n", soft_wrap=True)
    for name, about in report.abouts.items():
        console.print(f"\n{name}: {about.title}", *facts(about), sep="\n", soft_wrap=True)
    if cfg.certify:
        _certify(out.resolve(), request["groups"], cfg, console)
    command = f"python -m xray.train data=folder {override('data.root', str(out))}"
    console.print(f"\n{out}\n{command}", soft_wrap=True, markup=False, highlight=False)


def _plan(cfg: "DictConfig", groups: "Mapping[str, Sequence[str]]") -> "Plan":
    from xray.machine import core_count
    from xray.sources.images import Treatment
    from xray.sources.tree import Plan

    return Plan(
        groups=groups,
        leave_out=list(cfg.leave_out),
        split=cfg.split,
        test_fraction=cfg.test_fraction,
        limit=cfg.limit,
        seed=cfg.seed,
        treatment=Treatment(cfg.size, cfg.keep_aspect, cfg.upscale, cfg.verify, cfg.link),
        workers=core_count() if cfg.workers == "auto" else cfg.workers,
    )


def _certify(
    out: Path, groups: "Mapping[str, Sequence[str]]", cfg: "DictConfig", console: "Console"
) -> None:
    """Audit the dataset, and write the findings to it; fingerprints are cached for training."""
    from xray.data.audit import audit
    from xray.data.groups import Groups
    from xray.data.patients import compile_patient_pattern
    from xray.reporting.audit_tables import show_audit, write_audit

    folder = Path(cfg.paths.cache) / "audit"
    patient = compile_patient_pattern(None)
    found = audit(out, Groups(groups), patient, seed=cfg.seed, folder=folder)
    write_audit(out, found)
    console.print()
    show_audit(found.as_dict(), console)


def main() -> None:
    """Compose the configuration from the command line, and prepare."""
    launch("prepare", prepare)


if __name__ == "__main__":
    main()
