"""What this process may use of the machine."""

import os
import platform
from pathlib import Path

_CPU_INFO = Path("/proc/cpuinfo")


def cpu_model() -> str | None:
    """Name the processor, as its maker does; None where the system does not tell."""
    if _CPU_INFO.is_file():
        for line in _CPU_INFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or None


def core_count() -> int:
    """Count the cores at this process's disposal, which may be fewer than the machine's."""
    # Only Linux knows which cores a process may use.
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def busy() -> bool:
    """Tell whether others have had more than half of the cores in the last minute."""
    # Windows has no such figure.
    load = getattr(os, "getloadavg", None)
    return load is not None and load()[0] > core_count() / 2
