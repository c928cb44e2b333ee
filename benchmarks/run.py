"""`make bench`: whole processes beside the plain loop and the machine's limits.

Arguments, as key=value:

    root=<folder>     X-rays as for data.root (its test/ is left alone); none: phantoms are drawn
    data=<text>       what the table calls them
    weights=random    or a file in torchvision's layout: all loops start from it
    n=512 m=128       training and validation images, drawn by seed, by class and by patient
    epochs=10         of each whole training
    size=224          side of the images, pixels
    views=4           of the row with several cached draws of an image
    pairs=1           how often each comparison is repeated; medians are kept
    only=a,b          families: limits, head, lightning, block5, sweep, costs, gradcam, gpu
    again=true        measure what the file has already

A finished family is kept in benchmarks/results/<machine>.json, so a long bench can be run in parts;
rows of another setting or other versions are not mixed with it.
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
"""Images of the rows of seconds per epoch."""
TEST = 8
"""Images of the test split, which no row uses: without one the framework would carve it."""
_PACKAGES = ("torch", "torchvision", "pytorch-lightning", "grad-cam")


def main(
    arguments: list[str],
    results: Path = Path(__file__).parent / "results",
    page: Path = Path(__file__).parents[1] / "docs" / "performance.md",
) -> Path:
    """Measure what is asked for and not there yet, and write it after every family of rows."""
    words, numbers = _parse(arguments)
    wanted = words["only"].split(",") if words["only"] else list(FAMILIES)
    if wrong := [name for name in wanted if name not in FAMILIES]:
        raise SystemExit(f"only={','.join(wrong)}: choose of {', '.join(FAMILIES)}")
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
    """Name the kind of machine, and nothing else of it: CPU model, cores, GPUs."""
    cpu = found["cpu"]
    return ", ".join([f"{cpu['model']}, {cpu['cores']} cores", *(found["gpus"] or ["no GPU"])])


def describe(words: dict[str, str], numbers: dict[str, int]) -> dict[str, Any]:
    """Say on what the rows are measured, in plain values without any path."""
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
        raise SystemExit(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    known |= given
    for key in NUMBERS:
        if not known[key].isdecimal() or int(known[key]) < 1:
            raise SystemExit(f"{key}={known[key]}: a whole number, 1 or greater, is expected")
    if known["weights"] != "random" and not Path(known["weights"]).is_file():
        raise SystemExit(f"weights={known['weights']}: there is no such file; or weights=random")
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
        # A few to spare, since each split takes whole images of each class.
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
