"""Look for shortcuts: `python -m xray.shortcuts run=<dir>`."""

from pathlib import Path
from typing import TYPE_CHECKING

from xray.cli import launch

if TYPE_CHECKING:
    from omegaconf import DictConfig


def shortcuts(cfg: "DictConfig") -> None:
    """Test a run on images with parts hidden; write what is lost into its directory."""
    # Imported here, so that --help and a mistyped key answer at once.
    from rich.console import Console

    from xray import build, restore
    from xray.evaluation import testing
    from xray.evaluation.shortcuts import AS_IS, conclude, shortcut_rows
    from xray.evaluation.thresholds import decide
    from xray.reporting.html import write_report
    from xray.reporting.terminal import write_rows
    from xray.runs import layout
    from xray.runs.find import find_run
    from xray.saliency.masks import read_mask
    from xray.saliency.occlusion import BOX, OCCLUSIONS, OccludedDataset
    from xray.stats.rule import parse_rule

    run = find_run(Path(cfg.paths.outputs), cfg.run)
    run_cfg, data, model = restore.restore(run)
    rule = parse_rule(str(run_cfg.get("threshold", 0.5)))
    val = testing.read_val(run, rule)
    compute = build.build_compute(run_cfg, cfg.gpus, run=run, memory=Path(cfg.paths.cache))
    compute.apply(model)
    trainer, collector = restore.build_tester(cfg.gpus, compute)
    build.pace_workers(data, model, trainer)
    data.prepare_data()
    restore.check_data(run, data.describe())
    build.build_pixels(run_cfg).attach(data, [cfg.split])
    dataset = data.dataset(cfg.split)
    n = len(dataset.samples)
    found = sum(read_mask(s, dataset.root, "lung") is not None for s in dataset.samples)
    masked = found == n
    occluded = {
        name: OccludedDataset(dataset, occlude, masked=masked)
        for name, occlude in OCCLUSIONS.items()
        # Of a box it would be the same in every image.
        if masked or name != "silhouette"
    }
    data.batch_size = cfg.batch_size
    predictions = {}
    for name, images in {AS_IS: dataset, **occluded}.items():
        trainer.test(model, dataloaders=data.loader(images), verbose=False)
        predicted = collector.predictions(dataset.samples, model.classes)
        predictions[name] = decide(predicted, rule, val)
    rows = shortcut_rows(predictions)
    lungs = "masks beside the images" if masked else f"masks of {found} of {n} images: a box {BOX}"
    fill = "Hidden: filled with the mean grey of what stays visible; the shape of it is still seen"
    console, said = Console(), conclude(rows)
    note = f"{said} {fill}. Lungs: {lungs}. 95 % intervals: bootstrap over patients."
    write_rows(run / layout.SHORTCUTS, f"Shortcuts, {cfg.split}", note, rows, console)
    console.print(said, soft_wrap=True, markup=False, highlight=False)
    console.print(f"report: {write_report(run)}", soft_wrap=True)


def main() -> None:
    """Compose the configuration from the command line and audit."""
    launch("shortcuts", shortcuts)


if __name__ == "__main__":
    main()
