"""The front door of the command line: `launch` a verb on what its arguments compose."""

from xray.cli.launch import launch

__all__ = ["launch"]
