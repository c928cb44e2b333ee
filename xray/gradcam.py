"""Explain a finished run: `python -m xray.gradcam run=<dir> method=gradcam n=16 only=covid`."""

from pathlib import Path
from typing import TYPE_CHECKING

from xray.cli import launch

if TYPE_CHECKING:
    from omegaconf import DictConfig


def gradcam(cfg: "DictConfig") -> None:
    """Draw overlays of a run's images, COVID-positive ones first, into its gradcam/ folder."""
    # Imported here, so that --help and a mistyped key answer at once.
    from functools import partial

    import torch
    from rich.console import Console

    from xray import build, restore
    from xray.model.randomize import randomised
    from xray.reporting.failure_gallery import explain_failures
    from xray.reporting.html import write_report
    from xray.reporting.terminal import write_rows
    from xray.runs import layout
    from xray.runs.find import find_run
    from xray.runs.run import RunFiles
    from xray.saliency.gallery import explain_samples, lesion_mask, write_gallery
    from xray.saliency.scorecard import FaithfulnessPlan, score_maps, scorecard_title
    from xray.saliency.selection import choose

    run = find_run(Path(cfg.paths.outputs), cfg.run)
    run_cfg, data, model = restore.restore(run)
    data.prepare_data()
    restore.check_data(run, data.describe())
    # A few overlays are no reason to read the whole split.
    build.build_pixels(run_cfg).attach(data, [cfg.split], fill=cfg.scorecard)
    dataset = data.dataset(cfg.split)
    threshold = RunFiles(run).threshold
    device = "cuda" if torch.cuda.is_available() else "cpu"
    chosen = choose(dataset.samples, cfg.n, cfg.seed, classes=model.classes, only=cfg.only)
    drawn = explain_samples(
        model.to(device),
        dataset.samples,
        dataset.pixels,
        chosen,
        method=cfg.method,
        target=cfg.target,
        device=device,
        mask=partial(lesion_mask, root=dataset.root),
        threshold=threshold,
    )
    folder = write_gallery(run / layout.gallery(cfg.split), drawn, len(chosen))
    console = Console()
    console.print(f"{len(chosen)} overlays: {folder}", soft_wrap=True)
    if wrong := explain_failures(run, cfg.split, model, dataset, method=cfg.method, device=device):
        console.print(
            f"{wrong} of the surest mistakes: {run / layout.failures(cfg.split)}", soft_wrap=True
        )
    if cfg.scorecard:
        n = len(dataset)
        card = score_maps(
            model,
            randomised(model, cfg.seed),
            dataset,
            range(n),
            method=cfg.method,
            seed=cfg.seed,
            faithfulness=FaithfulnessPlan(
                cfg.faithfulness_n if cfg.faithfulness else 0,
                with_masks=cfg.faithfulness is True,
            ),
            device=device,
            threshold=threshold,
        )
        title = scorecard_title(cfg.method, cfg.split, n, n)
        write_rows(folder / layout.SCORECARD, title, card.note, card.rows, console)
    console.print(f"report: {write_report(run)}", soft_wrap=True)


def main() -> None:
    """Compose the configuration from the command line and explain."""
    launch("gradcam", gradcam)


if __name__ == "__main__":
    main()
