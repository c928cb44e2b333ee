"""Run a command and record its wall time and peak memory.

This is a separate process without torch, because Linux includes the memory of the parent process at
its start in the peak of a process. Started by the benchmark itself, every loop would have the
benchmark's memory as minimum.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path


def main(report: str, command: list[str]) -> int:
    """Run a command and write its measurements.

    Args:
        report: JSON file to write: {"seconds": wall time, "peak": bytes}. The peak is the largest
            resident set among the command and the processes it waited for, such as data loaders.
        command: The command and its arguments.

    Returns:
        Exit status of the command.
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
