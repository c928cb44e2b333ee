"""The command line: `launch` runs a command with the configuration that its arguments compose."""

from xray.cli.launch import launch

__all__ = ["launch"]
