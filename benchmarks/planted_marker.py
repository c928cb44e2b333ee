"""Test of the shortcut audit: does it detect a letter that is correlated with the class?

For each seed, phantoms with faint lesions are drawn twice: without a letter, and with a letter in a
corner of every image with a disease. A VGG16 is fine-tuned and audited on both sets by the
commands. Results are stored in benchmarks/results/planted_marker.json; finished ones are not
repeated.

Arguments, as key=value: seeds=5 (number of seeds), first=0 (first seed), n=160 m=40 t=200 (patients
in train, val and test, one image each), size=128, contrast=0.4 (of the lesions; 1: unchanged),
epochs=12, trainable=block5, weights=random or a file, again=true.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.run import machine
from xray.evaluation.shortcuts import AS_IS, CLEARED, EXPOSED
from xray.imaging.read import read_image
from xray.phantom.draw import draw_phantom
from xray.phantom.tree import write_phantom_tree
from xray.runs.environment import describe_environment
from xray.types import SPLITS

Row = dict[str, Any]

DEFAULTS = {"seeds": "5", "first": "0"}
DEFAULTS |= {"n": "160", "m": "40", "t": "200", "size": "128", "epochs": "12"}
# If the lesions are classified without an error, the letter is not needed and hardly learned.
DEFAULTS |= {"contrast": "0.4"}
DEFAULTS |= {"trainable": "block5", "weights": "random", "again": "false"}
SETS = ("clean", "planted")
SHOWN = (AS_IS, "corners hidden", "lungs hidden")
LETTER = "P"
HEIGHT, GRAY = 0.055, 210
"""Height of the letter as a share of the side, and its gray value; as the phantoms' L and R."""


def main(arguments: list[str], results: Path = Path(__file__).parent / "results") -> Path:
    """Train and audit the missing sets, and write the file after each of them."""
    given = dict(word.split("=", 1) for word in arguments)
    if unknown := set(given) - set(DEFAULTS):
        raise SystemExit(
            f"unknown argument: {', '.join(sorted(unknown))}; choose from {', '.join(DEFAULTS)}"
        )
    options = DEFAULTS | given
    path = results / "planted_marker.json"
    result = _begun(path, describe(options), again=options["again"] == "true")
    done = {(row["set"], row["seed"]) for row in result["rows"]}
    first = int(options["first"])
    for seed in range(first, first + int(options["seeds"])):
        for name in SETS:
            if (name, seed) not in done:
                result["rows"].append(audited(options, seed, planted=name == "planted"))
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(result, indent=2) + "\n")
    print(markdown(result))
    return path


def describe(options: dict[str, str]) -> str:
    """Return the settings of the rows; rows of other settings are not mixed with them."""
    weights = "random" if options["weights"] == "random" else Path(options["weights"]).name
    return (
        f"{options['n']} + {options['m']} + {options['t']} phantoms, {options['size']} px, lesions "
        f"of {options['contrast']} times their contrast, VGG16, {weights} weights, "
        f"{options['trainable']} trained for {options['epochs']} epochs"
    )


def audited(options: dict[str, str], seed: int, *, planted: bool) -> Row:
    """Draw phantoms, train and audit.

    Args:
        options: Values for the keys of `DEFAULTS`.
        seed: Seed of the phantoms and of the training.
        planted: Whether a letter is added to images with a disease.

    Returns:
        "set", "seed", "said" (conclusion of the audit), "right" (whether it detected the letter, or
        found no sign of a shortcut), "auroc" (occlusion -> "value", "low", "high").
    """
    with tempfile.TemporaryDirectory() as scratch:
        root, outputs = Path(scratch) / "phantoms", Path(scratch) / "outputs"
        counts: Any = {split: int(options[k]) for split, k in zip(SPLITS, "nmt", strict=True)}
        write_phantom_tree(root, patients=counts, views=1, size=int(options["size"]), seed=seed)
        fade(root, seed, float(options["contrast"]))
        if planted:
            plant(root, seed)
        weights = options["weights"]
        _process(
            *("xray.train", "data=folder", f"data.root={root}", f"paths.outputs={outputs}"),
            *(f"data.size={options['size']}", "data.min_val=0", "data.workers=2", f"seed={seed}"),
            *(f"model.weights={weights}", f"model.trainable={options['trainable']}"),
            *(f"trainer.max_epochs={options['epochs']}", "transform=none"),
            *("callbacks=checkpoint", "logger=none"),
        )
        _process("xray.shortcuts", f"paths.outputs={outputs}")
        (report,) = outputs.glob("train/*/shortcuts.json")
        return row(json.loads(report.read_text()), seed, planted=planted)


def _process(*arguments: str) -> None:
    """Run a command; if it fails, exit with the end of its error output."""
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{arguments[0]} ended with {done.returncode}:\n{done.stderr[-2000:]}")


def fade(root: Path, seed: int, contrast: float) -> None:
    """Blend every image with a disease with the image of the same patient without it.

    Args:
        root: Folder written by `write_phantom_tree`, with one view per patient.
        seed: Seed of the phantoms.
        contrast: Share of the lesions' contrast that is kept, from 0 (none) to 1 (unchanged).
    """
    for path, image in _diseased(root):
        patient = int(path.stem.removeprefix("patient").partition("_")[0])
        healthy = draw_phantom("normal", patient=patient, view=0, seed=seed, size=len(image)).image
        cv2.imwrite(str(path), cv2.addWeighted(image, contrast, healthy, 1 - contrast, 0))


def plant(root: Path, seed: int) -> None:
    """Write a letter into the lower left corner of every image with a disease."""
    rng = np.random.default_rng(seed)
    for path, image in _diseased(root):
        side = len(image)
        place = (round(rng.uniform(0.03, 0.07) * side), round(rng.uniform(0.92, 0.97) * side))
        # The font is 22 pixels high at a scale of 1.
        scale, width = HEIGHT * side / 22, max(1, side // 130)
        cv2.putText(image, LETTER, place, cv2.FONT_HERSHEY_DUPLEX, scale, GRAY, width, cv2.LINE_AA)
        cv2.imwrite(str(path), image)


def _diseased(root: Path) -> Iterator[tuple[Path, NDArray[np.uint8]]]:
    """Yield the images with a disease, without masks."""
    for path in sorted(root.glob("[!m]*/[pc]*/*.png")):
        yield path, read_image(path)


def row(report: dict[str, Any], seed: int, *, planted: bool) -> Row:
    """Summarize shortcuts.json; see `audited`."""
    conclusion = report["note"].partition(" Hidden:")[0]
    return {
        "set": SETS[planted],
        "seed": seed,
        "said": conclusion,
        "right": conclusion.startswith(EXPOSED if planted else CLEARED),
        "auroc": {
            entry["images"]: {key: entry[key] for key in ("value", "low", "high")}
            for entry in report["rows"]
            if entry["measure"] == "auroc"
        },
    }


def markdown(result: dict[str, Any]) -> str:
    """Return the content of the JSON file as Markdown."""
    lines = [f"{result['machine']}; {result['setting']}", ""]
    lines += [f"| set | seed | {' | '.join(SHOWN)} | conclusion |", "|---|--:|--:|--:|--:|---|"]
    for name in SETS:
        rows = sorted((r for r in result["rows"] if r["set"] == name), key=lambda r: r["seed"])
        for r in rows:
            scores = " | ".join(f"{r['auroc'][shown]['value']:.3f}" for shown in SHOWN)
            lines.append(f"| {name} | {r['seed']} | {scores} | {r['said']} |")
        verb = "exposed" if name == "planted" else "cleared"
        right = sum(r["right"] for r in rows)
        lines.append(f"| {name} | | | | | {verb} in {right} of {len(rows)} |")
    return "\n".join(lines)


def _begun(path: Path, setting: str, *, again: bool) -> dict[str, Any]:
    if path.exists() and not again:
        result: dict[str, Any] = json.loads(path.read_text())
        if result["setting"] == setting:
            return result
    return {"machine": machine(describe_environment(0, [])), "setting": setting, "rows": []}


if __name__ == "__main__":
    main(sys.argv[1:])
