"""Runs a command, and notes its wall time and its peak of memory.

A process of its own, without torch: Linux counts towards a process's peak what the one that started
it held at that moment. Started from the bench itself, every loop would have the bench's.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path


def main(report: str, command: list[str]) -> int:
    """Run a command to its end.

    Args:
        report: Where to write {"seconds": wall time, "peak": bytes}. The peak is that of the
            largest resident set among the command and those it waited for, such as its loaders.
        command: What to run.

    Returns:
        Its exit status.
    """
    begin = time.perf_counter()
    child = subprocess.Popen(command)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    # macOS counts bytes, others kilobytes.
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    Path(report).write_text(json.dumps({"seconds": seconds, "peak": peak}))
    return child.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]) & 0xFF)
