"""Fetch and lay out a dataset: `python -m xray.prepare source=kermany path=<folder>`."""

from pathlib import Path
from typing import TYPE_CHECKING

from xray.cli import launch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from omegaconf import DictConfig
    from rich.console import Console

UNRECORDED = ("paths", "path", "out", "workers", "certify")
"""Keys that do not change what a tree holds; each source has its own path."""


def prepare(cfg: "DictConfig") -> None:
    """Lay the sources out as a tree of images, and say what it holds and under which terms."""
    # Imported here, so that --help and a mistyped key answer at once.
    from hydra.utils import instantiate
    from omegaconf import OmegaConf
    from rich.console import Console

    from xray.machine import core_count
    from xray.sources.source_md import facts, findings, table
    from xray.sources.tree import Plan, prepare_tree
    from xray.sources.write import Treatment

    sources = {name: instantiate(part, _convert_="all") for name, part in cfg.source.items()}
    out = Path(cfg.out).expanduser() if cfg.out else Path(cfg.paths.data) / "-".join(sources)
    request = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(request, dict)
    plan = Plan(
        groups=request["groups"],
        leave_out=request["leave_out"],
        split=cfg.split,
        test_fraction=cfg.test_fraction,
        limit=cfg.limit,
        seed=cfg.seed,
        treatment=Treatment(cfg.size, cfg.keep_aspect, cfg.upscale, cfg.verify, cfg.link),
        workers=core_count() if cfg.workers == "auto" else cfg.workers,
    )
    report = prepare_tree(
        out.resolve(),
        sources,
        plan,
        downloads=Path(cfg.paths.cache) / "downloads",
        request={str(key): value for key, value in request.items() if key not in UNRECORDED},
    )
    console = Console()
    console.print(table(report), *findings(report), sep="\n", soft_wrap=True)
    for name, about in report.abouts.items():
        console.print(f"\n{name}: {about.title}", *facts(about), sep="\n", soft_wrap=True)
    if cfg.certify:
        _certify(out.resolve(), plan.groups, cfg, console)
    console.print(f"\n{out}\npython -m xray.train data=folder data.root={out}", soft_wrap=True)


def _certify(
    out: Path, groups: "Mapping[str, Sequence[str]]", cfg: "DictConfig", console: "Console"
) -> None:
    """Audit the tree; what is found stays beside it, and what was read is kept for training."""
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
    """Compose the configuration from the command line and prepare."""
    launch("prepare", prepare)


if __name__ == "__main__":
    main()
