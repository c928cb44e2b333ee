"""The console command `xray <command> ...`, which is also `python -m xray <command> ...`."""

import runpy
import sys
from importlib.metadata import version

from xray.suggest import did_you_mean, nearest

COMMANDS = {
    "prepare": "download or convert a dataset, and check it",
    "audit": "look for duplicates, shared patients and bad files in a dataset",
    "train": "fine-tune a network, test it and explain its predictions",
    "evaluate": "test a finished run again, or on another dataset",
    "gradcam": "draw Grad-CAM heatmaps of a finished run",
    "shortcuts": "test a finished run with parts of the images hidden",
    "report": "write the report of a finished run",
    "compare": "compare finished runs on their test images",
    "predict": "predict new images with a finished run",
    "cache": "list or delete cached activations and images",
}
"""Name -> description."""


def main() -> None:
    """Run the command that the first argument names, as `python -m xray.<command>` does."""
    arguments = sys.argv[1:]
    first = arguments[0] if arguments else "--help"
    if first in {"--help", "-h"}:
        print(_help())  # noqa: T201
    elif first in {"--version", "-V"}:
        print(f"xray {version('xray')}")  # noqa: T201
    elif first not in COMMANDS:
        hint = did_you_mean(nearest(first, COMMANDS))
        problem = f"error: there is no command '{first}'.{hint} Commands: {', '.join(COMMANDS)}"
        print(problem, file=sys.stderr)  # noqa: T201
        sys.exit(1)
    else:
        sys.argv = [sys.argv[0], *arguments[1:]]
        # The other processes of a distributed run start with the module that is __main__.
        runpy.run_module(f"xray.{first}", run_name="__main__", alter_sys=True)


def _help() -> str:
    width = max(map(len, COMMANDS))
    listed = "\n".join(f"  {name:{width}}  {text}" for name, text in COMMANDS.items())
    return (
        "Fine-tune networks on chest X-rays and explain their predictions.\n\n"
        "xray <command> [group=option ...] [key=value ...]\n\n"
        f"Commands\n{listed}\n\n"
        "xray <command> --help shows examples and keys. xray --version shows the version."
    )
