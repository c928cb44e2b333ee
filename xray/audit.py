"""Audit a dataset: `python -m xray.audit data=folder data.root=<folder>`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xray.cli import launch

if TYPE_CHECKING:
    from omegaconf import DictConfig

LEAKS = 3
"""Exit status if leaks or contradictions were found."""


def audit(cfg: "DictConfig") -> int:
    """Audit the original splits of a dataset and write the results to `cfg.paths.run`.

    Returns:
        Exit status: 0, or 3 if leaks or contradictions were found.
    """
    # Imported here so that --help and configuration errors are fast.
    from omegaconf import OmegaConf
    from rich.console import Console

    from xray.reporting.audit_memo import AuditMemo
    from xray.reporting.audit_tables import passed, show_audit
    from xray.runs.store import write_environment

    run, console = Path(cfg.paths.run), Console()
    write_environment(run, cfg.seed)
    settings = {"data": OmegaConf.to_container(cfg.data, resolve=True), "seed": cfg.seed}
    record = None
    if cfg.data.audit_dir and not cfg.fresh and Path(cfg.data.root).is_dir():
        memo = AuditMemo(Path(cfg.data.root), settings, Path(cfg.data.audit_dir))
        record = memo.recall(run)
    if record:
        console.print("nothing changed since the last audit (fresh=true repeats it)")
    else:
        record = _audit_images(cfg, run)
        if cfg.data.audit_dir:
            # With data=phantom the folder exists only now.
            AuditMemo(Path(cfg.data.root), settings, Path(cfg.data.audit_dir)).store(run)
    show_audit(record, console)
    console.print(f"run directory: {run}", soft_wrap=True)
    return 0 if passed(record) else LEAKS


def _audit_images(cfg: "DictConfig", run: Path) -> dict[str, Any]:
    """Read the images and write findings and montages."""
    from xray import build
    from xray.data.audit import audit as audit_images
    from xray.reporting.audit_tables import write_audit
    from xray.reporting.montage import write_montages

    data = build.build_data(cfg)
    data.prepare_data()
    found = audit_images(data.root, data.groups, data.patient, seed=cfg.seed, folder=data.audit_dir)
    write_audit(run, found)
    write_montages(run, found)
    return found.as_dict()


def main() -> None:
    """Compose the configuration from the command line and audit."""
    statuses: list[int] = []
    launch("audit", lambda cfg: statuses.append(audit(cfg)))
    sys.exit(max(statuses, default=0))


if __name__ == "__main__":
    main()
