"""`make bench`: complete trainings compared with plain loops and the limits of the machine.

Arguments, as key=value:

    root=<folder>     images as for data.root (its test/ is not used); default: phantoms
    data=<text>       name of the data in the table
    weights=random    or a file in torchvision's layout, used by all loops
    n=512 m=128       training and validation images, chosen at random by class and patient
    epochs=10         epochs of each complete training
    size=224          side of the images in pixels
    views=4           cached augmentations of an image, in the row with more than one
    pairs=1           repetitions of each comparison, of which medians are taken
    only=a,b          families: limits, head, lightning, block5, sweep, costs, gradcam, gpu
    again=true        measure finished families again

A finished family is stored in benchmarks/results/<machine>.json, so a long benchmark can be run in
parts. Rows of other settings or package versions are not mixed with it.
"""

import hashlib
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from benchmarks.cam import gradcam
from benchmarks.composed import groups
from benchmarks.costs import costs
from benchmarks.gpu import gpu
from benchmarks.limits import limits
from benchmarks.setting import BATCH, Setting
from benchmarks.subset import write_subset
from benchmarks.table import insert, markdown
from benchmarks.training import block5, head, lightning_head, sweep
from xray.phantom.tree import write_phantom_tree
from xray.runs.environment import describe_environment

FAMILIES: dict[str, Callable[[Setting], list[dict[str, Any]]]] = {
    "limits": limits,
    "head": head,
    "lightning": lightning_head,
    "block5": block5,
    "sweep": sweep,
    "costs": costs,
    "gradcam": gradcam,
    "gpu": gpu,
}
NUMBERS = {"n": 512, "m": 128, "epochs": 10, "size": 224, "views": 4, "pairs": 1}
WORDS = {"root": "", "data": "", "weights": "random", "only": "", "again": "false"}
SMALL = {"train": 64, "val": 32}
"""Number of images for rows of seconds per epoch."""
TEST = 8
"""Number of test images, which no row uses; without them the framework would hold some out."""
_PACKAGES = ("torch", "torchvision", "pytorch-lightning", "grad-cam")


def main(
    arguments: list[str],
    results: Path = Path(__file__).parent / "results",
    page: Path = Path(__file__).parents[1] / "docs" / "performance.md",
) -> Path:
    """Measure the requested families that are missing, and write the file after each of them."""
    words, numbers = _parse(arguments)
    wanted = words["only"].split(",") if words["only"] else list(FAMILIES)
    if wrong := [name for name in wanted if name not in FAMILIES]:
        raise SystemExit(f"only={','.join(wrong)} is unknown; choose from {', '.join(FAMILIES)}")
    found = describe_environment(0, [])
    name = machine(found)
    path = results / f"{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}.json"
    result = _begun(path, name, found, describe(words, numbers))
    kept = result["rows"] if words["again"] != "true" else {}
    missing = [family for family in wanted if family not in kept]
    if missing:
        with tempfile.TemporaryDirectory() as scratch:
            setting = _prepare(words, numbers, Path(scratch))
            for family in missing:
                _measure(family, setting, result)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(result, indent=2) + "\n")
    table = markdown(result)
    print(table)
    insert(page, table)
    return path


def machine(found: dict[str, Any]) -> str:
    """Return the kind of machine: CPU model, cores, GPUs."""
    cpu = found["cpu"]
    return ", ".join([f"{cpu['model']}, {cpu['cores']} cores", *(found["gpus"] or ["no GPU"])])


def describe(words: dict[str, str], numbers: dict[str, int]) -> dict[str, Any]:
    """Return the data and settings of the rows as plain values without paths."""
    file = Path(words["weights"])
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
    drawn = "X-rays of a folder" if words["root"] else "drawn phantoms"
    return {
        "data": words["data"] or drawn,
        **numbers,
        "small_n": min(SMALL["train"], numbers["n"]),
        "small_m": min(SMALL["val"], numbers["m"]),
        "batch": BATCH,
        "threads": torch.get_num_threads(),
        "weights": f"pretrained (SHA-256 {sha256[:8]})" if sha256 else "random",
    }


def _parse(arguments: list[str]) -> tuple[dict[str, str], dict[str, int]]:
    known = {**WORDS, **{key: str(value) for key, value in NUMBERS.items()}}
    given = dict(word.partition("=")[::2] for word in arguments)
    if unknown := set(given) - set(known):
        raise SystemExit(
            f"unknown argument: {', '.join(sorted(unknown))}; choose from {', '.join(known)}"
        )
    known |= given
    for key in NUMBERS:
        if not known[key].isdecimal() or int(known[key]) < 1:
            raise SystemExit(f"{key}={known[key]}; expected a whole number, 1 or greater")
    if known["weights"] != "random" and not Path(known["weights"]).is_file():
        raise SystemExit(f"weights={known['weights']} is not a file; pass a file or weights=random")
    return {key: known[key] for key in WORDS}, {key: int(known[key]) for key in NUMBERS}


def _measure(family: str, setting: Setting, result: dict[str, Any]) -> None:
    print(f"{family}: measuring", flush=True)
    begin = time.perf_counter()
    result["rows"][family] = FAMILIES[family](setting)
    result["measured"][family] = datetime.now(UTC).date().isoformat()
    print(f"{family}: took {time.perf_counter() - begin:.0f} s", flush=True)


def _begun(path: Path, name: str, found: dict[str, Any], setting: dict[str, Any]) -> dict[str, Any]:
    versions = {"Python": found["python"], **{key: found["packages"][key] for key in _PACKAGES}}
    new = {"machine": name, "versions": versions, "setting": setting}
    if path.exists():
        result: dict[str, Any] = json.loads(path.read_text())
        if all(result[key] == value for key, value in new.items()):
            return result
    return {**new, "measured": {}, "rows": {}}


def _prepare(words: dict[str, str], numbers: dict[str, int], scratch: Path) -> Setting:
    n, m, size = numbers["n"], numbers["m"], numbers["size"]
    root = Path(words["root"]).resolve()
    if not words["root"]:
        root = scratch / "phantoms"
        # A few more, because each split takes a whole number of images of each class.
        counts = n + m + TEST + 4
        write_phantom_tree(root, patients={"train": counts}, views=1, size=size, seed=0)
    small = {"train": min(n, SMALL["train"]), "val": min(m, SMALL["val"])}
    for name, counts_of in (("images", {"train": n, "val": m}), ("small", small)):
        write_subset(root, scratch / name, {"test": TEST, **counts_of}, groups())
    outputs = scratch / "outputs"
    outputs.mkdir()
    weights = words["weights"]
    return Setting(
        root=scratch / "images",
        small=scratch / "small",
        outputs=outputs,
        epochs=numbers["epochs"],
        size=size,
        weights=weights if weights == "random" else str(Path(weights).resolve()),
        pairs=numbers["pairs"],
        views=numbers["views"],
    )


if __name__ == "__main__":
    main(sys.argv[1:])
