"""Precision, memory format and threads of a run: configured, recorded, or chosen by a rule."""

import logging
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities import rank_zero_only

from xray.errors import ConfigError
from xray.machine import cpu_model
from xray.model.network import Network

log = logging.getLogger(__name__)

AVAILABLE = torch.get_num_threads()
"""Threads that PyTorch starts with: one per core, or the value of OMP_NUM_THREADS."""

_COMPILERS = ("g++", "clang++", "c++", "cl")
_X86 = {"x86_64", "AMD64", "i386", "i686"}


@dataclass(frozen=True)
class Compute:
    """Settings that determine how a network is computed.

    Attributes:
        precision: Lightning's name: "bf16-mixed", "32-true" ... or "auto".
        channels_last: Whether images and activations have the memory format channels_last; else
            they are contiguous.
        threads: Number of CPU threads; None leaves the number unchanged.
        compile: Whether `torch.compile` is applied to the backbone.
        machine: Description of the machine; empty until the settings are chosen.
    """

    precision: str = "auto"
    channels_last: bool | Literal["auto"] = "auto"
    threads: int | Literal["auto"] | None = "auto"
    compile: bool = False
    machine: str = ""

    def record(self) -> dict[str, Any]:
        """Return plain values for environment.json."""
        return asdict(self)

    def apply(self, model: pl.LightningModule) -> None:
        """Apply threads, memory format and compilation; weights keep their names and values.

        Memory format and compilation need an `XrayClassifier`; other models are not changed.

        Raises:
            ConfigError: Compilation is requested, but there is no C++ compiler.
        """
        if isinstance(self.threads, int):
            torch.set_num_threads(self.threads)
        if not isinstance(model, Network):
            return
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
    configured: Compute, device: torch.device, recorded: Mapping[str, Any] | None = None
) -> Compute:
    """Replace the settings "auto", and log the result.

    The record of a run comes first: its precision on every machine, because it changes the results;
    memory format and threads on the same machine. The remaining settings follow a rule, so
    identical machines always choose the same: bf16-mixed if the hardware has bfloat16 instructions,
    else 32-true; channels_last; and on the CPU all threads that PyTorch starts with.

    Args:
        configured: The settings of the configuration.
        device: The device of the network.
        recorded: The result of `Compute.record` when the run began.

    Returns:
        The settings without "auto".
    """
    machine = machine_name(device)
    settled = _from_record(configured, recorded or {}, machine)
    reasons = "as in the first part of the run" if settled != configured else "as configured"
    if settled.precision == "auto":
        fast = has_bfloat16(device)
        settled = replace(settled, precision="bf16-mixed" if fast else "32-true")
        reasons = f"{_kind(device)} {'with' if fast else 'without'} bfloat16 instructions"
    if settled.channels_last == "auto":
        settled = replace(settled, channels_last=True)
    if settled.threads == "auto":
        settled = replace(settled, threads=AVAILABLE if device.type == "cpu" else None)
    chosen = replace(settled, machine=machine)
    _log(f"compute: {chosen} ({reasons}); trainer.precision=<precision> overrides")
    return chosen


def has_bfloat16(device: torch.device) -> bool:
    """Check whether a device has bfloat16 instructions.

    Without them PyTorch emulates bfloat16, which is several times slower than float32.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    # On x86, oneDNN also accepts AVX-512 without bfloat16 instructions.
    return platform.machine() not in _X86 or bool(
        torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    )


def machine_name(device: torch.device) -> str:
    """Return processor or GPU, number of threads and PyTorch's version."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    threads = f"{AVAILABLE} thread{'s' if AVAILABLE > 1 else ''}"
    return f"{cpu_model() or 'CPU'}, {threads}, torch {torch.__version__}"


def _kind(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name()
    return f"{torch.backends.cpu.get_cpu_capability()} CPU"


def _from_record(configured: Compute, recorded: Mapping[str, Any], machine: str) -> Compute:
    same = recorded.get("machine") == machine
    fields = ("precision", "channels_last", "threads") if same else ("precision",)
    known = {f: recorded[f] for f in fields if getattr(configured, f) == "auto" and f in recorded}
    return replace(configured, **known)


@rank_zero_only
def _log(message: str) -> None:
    log.info(message)


def _check_compiler() -> None:
    named = os.environ.get("CXX")
    if not any(shutil.which(name) for name in ([named] if named else _COMPILERS)):
        raise ConfigError(
            f"trainer.compile=true needs a C++ compiler, but {named or 'g++ or clang++'} is not on "
            "the PATH. Install one, or pass trainer.compile=false."
        )
