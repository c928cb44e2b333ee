"""`make bench`: whole processes, medians of pairs; kept in benchmarks/results/<machine>.json.

Arguments, as key=value: n=288 m=96 (images of train and val), epochs=10, size=224, pairs=3,
weights=random, root=<folder with train/ and val/> (default: phantoms drawn for it, n and m then
apply), only=limits,head,block5,sweep, again=true (measure what the file has already). A finished
row is kept, so a long bench can be run in parts.
"""

import json
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.limits import limits
from benchmarks.setting import Setting
from benchmarks.table import insert, markdown
from benchmarks.training import block5, head, sweep
from xray.imaging.phantom_tree import write_phantom_tree
from xray.results.environment import describe_environment
from xray.types import Split

FAMILIES: dict[str, Callable[[Setting], list[dict[str, Any]]]] = {
    "limits": limits,
    "head": head,
    "block5": block5,
    "sweep": sweep,
}
DEFAULTS = {"n": "288", "m": "96", "epochs": "10", "size": "224", "pairs": "3", "only": ""}
DEFAULTS |= {"root": "", "weights": "random", "again": "false"}


def main(
    arguments: list[str],
    results: Path = Path(__file__).parent / "results",
    readme: Path = Path(__file__).parents[1] / "README.md",
) -> Path:
    """Measure what is asked for and not there yet, and write it after every family of rows."""
    given = dict(word.split("=", 1) for word in arguments)
    if unknown := set(given) - set(DEFAULTS):
        raise SystemExit(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(DEFAULTS)}")
    options = DEFAULTS | given
    wanted = options["only"].split(",") if options["only"] else list(FAMILIES)
    if wrong := [name for name in wanted if name not in FAMILIES]:
        raise SystemExit(f"only={','.join(wrong)}: choose of {', '.join(FAMILIES)}")
    name = machine()
    path = results / f"{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}.json"
    result = _begun(path, name, describe(options))
    with tempfile.TemporaryDirectory() as scratch:
        setting = _setting(options, Path(scratch))
        for family in wanted:
            if family in result["rows"] and options["again"] != "true":
                continue
            result["rows"][family] = FAMILIES[family](setting)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(result, indent=2) + "\n")
    table = markdown(result)
    print(table)
    insert(readme, table)
    return path


def machine() -> str:
    """Name the kind of machine, and nothing else of it: CPU model, cores, GPUs."""
    found = describe_environment(0, [])
    cpu = found["cpu"]
    return ", ".join([f"{cpu['model']}, {cpu['cores']} cores", *found["gpus"]])


def describe(options: dict[str, str]) -> str:
    """Say on what the rows are measured; rows of another setting are not mixed with them."""
    images = (
        "images of a folder" if options["root"] else f"{options['n']} + {options['m']} phantoms"
    )
    return (
        f"{images}, {options['size']} px, {options['epochs']} epochs, "
        f"{options['weights']} weights, medians of {options['pairs']}"
    )


def _begun(path: Path, name: str, setting: str) -> dict[str, Any]:
    if path.exists():
        result: dict[str, Any] = json.loads(path.read_text())
        if result["setting"] == setting:
            return result
    return {"machine": name, "setting": setting, "rows": {}}


def _setting(options: dict[str, str], scratch: Path) -> Setting:
    root = Path(options["root"] or scratch / "phantoms")
    size = int(options["size"])
    if not options["root"]:
        n, m = int(options["n"]), int(options["m"])
        counts: dict[Split, int] = {"train": n, "val": m, "test": m}
        write_phantom_tree(root, patients=counts, views=1, size=size, seed=0)
    outputs = scratch / "outputs"
    outputs.mkdir()
    return Setting(
        root, outputs, int(options["epochs"]), size, options["weights"], int(options["pairs"])
    )


if __name__ == "__main__":
    main(sys.argv[1:])
