"""Precision, layout and threads of a run: asked for, recorded, or chosen by a measurement."""

import logging
import os
import shutil
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from filelock import FileLock
from pydantic import Field, TypeAdapter, ValidationError
from pytorch_lightning.utilities import rank_zero_only

from xray.errors import ConfigError
from xray.files import replacing
from xray.model.classifier import XrayClassifier
from xray.training.measure import Timing, fastest, gain, machine_name, measure

log = logging.getLogger(__name__)

_KEPT: TypeAdapter[dict[str, list[Timing]]] = TypeAdapter(
    dict[str, Annotated[list[Timing], Field(min_length=1)]]
)
_COMPILERS = ("g++", "clang++", "c++", "cl")


@dataclass(frozen=True)
class Compute:
    """How a network is computed.

    Attributes:
        precision: Lightning's name: "bf16-mixed", "32-true" ... or "auto".
        channels_last: The layout of images and activations in memory; otherwise contiguous.
        threads: Of the CPU; None leaves them as they are.
        compile: Whether `torch.compile` rewrites the backbone.
        machine: What it holds for; empty until it is chosen.
    """

    precision: str = "auto"
    channels_last: bool | Literal["auto"] = "auto"
    threads: int | Literal["auto"] | None = "auto"
    compile: bool = False
    machine: str = ""

    def record(self) -> dict[str, Any]:
        """Give plain values for the run's environment.json."""
        return asdict(self)

    def apply(self, model: XrayClassifier) -> None:
        """Let this process, and a network, compute so; the weights keep their names and values.

        Raises:
            ConfigError: The network is to be compiled, but there is no C++ compiler.
        """
        if isinstance(self.threads, int):
            torch.set_num_threads(self.threads)
        model.lay_out(channels_last=bool(self.channels_last))
        if self.compile:
            _check_compiler()
            for block in model.backbone.children():
                block.compile()

    def __str__(self) -> str:
        layout = "channels_last" if self.channels_last else "contiguous"
        threads = f"{self.threads} threads" if self.threads != 1 else "1 thread"
        words = [self.precision, layout, *([threads] if self.threads else [])]
        return ", ".join([*words, *(["compiled"] if self.compile else [])])


def choose_compute(
    asked: Compute,
    device: torch.device,
    memory: Path,
    recorded: Mapping[str, Any] | None = None,
) -> Compute:
    """Settle what is "auto", and say how.

    A run's own record comes first: its precision anywhere, for that changes the numbers; layout and
    threads on the machine it is of. What is then still open goes by a measurement, which is made
    once and kept.

    Args:
        asked: What the configuration says.
        device: Where the network will run.
        memory: File of the measurements; one that is damaged is written anew, and one that cannot
            be written is done without.
        recorded: What `Compute.record` gave when the run began.

    Returns:
        The same, with nothing open.
    """
    machine = machine_name(device)
    settled = _from_record(asked, recorded or {}, machine)
    if device.type != "cpu" and settled.threads == "auto":
        settled = replace(settled, threads=None)
    fields = ("precision", "channels_last", "threads")
    closed = {f: getattr(settled, f) for f in fields if getattr(settled, f) != "auto"}
    chosen = replace(settled, machine=machine)
    if len(closed) == len(fields):
        _say(f"machine: {chosen}, as {'the run began' if settled != asked else 'asked for'}")
        return chosen
    timings = recall(device, memory)
    best = fastest(timings, **closed)
    chosen = replace(chosen, **{f: getattr(best, f) for f in fields if f not in closed})
    kept = f"once, kept in {memory}" if memory.is_file() else f"for now: {memory} cannot be written"
    _say(
        f"machine: {chosen} ({gain(timings, best):.1f}x plain float32), measured {kept}; "
        "trainer.precision=32-true overrides"
    )
    return chosen


def _from_record(asked: Compute, recorded: Mapping[str, Any], machine: str) -> Compute:
    same = recorded.get("machine") == machine
    fields = ("precision", "channels_last", "threads") if same else ("precision",)
    known = {f: recorded[f] for f in fields if getattr(asked, f) == "auto" and f in recorded}
    return replace(asked, **known)


def recall(device: torch.device, memory: Path) -> list[Timing]:
    """Give the timings of this machine, and measure them where the file has none.

    Of several processes that come at once one measures, and the others wait for it.
    """
    machine = machine_name(device)
    if machine in (kept := _read(memory)):
        return kept[machine]
    with ExitStack() as stack:
        # Where it cannot be written, each process measures for itself.
        with suppress(OSError):
            memory.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(memory.with_suffix(".lock")))
        kept = _read(memory)
        if machine not in kept:
            kept[machine] = measure(device)
            with suppress(OSError), replacing(memory) as part:
                part.write_bytes(_KEPT.dump_json(kept, indent=1))
        return kept[machine]


def _read(memory: Path) -> dict[str, list[Timing]]:
    try:
        return _KEPT.validate_json(memory.read_bytes())
    except (OSError, ValidationError):
        return {}


@rank_zero_only
def _say(message: str) -> None:
    log.info(message)


def _check_compiler() -> None:
    named = os.environ.get("CXX")
    if not any(shutil.which(name) for name in ([named] if named else _COMPILERS)):
        raise ConfigError(
            f"trainer.compile=true needs a C++ compiler, but there is no "
            f"{named or 'g++ or clang++'} on the PATH. Install one, or pass trainer.compile=false."
        )
