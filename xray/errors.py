"""Exceptions of xray.

Each message names the file, key or value, what was expected, and how to correct it. The command
line prints the message of an `XrayError` without a stack trace and exits with status 1.
"""

from pathlib import Path


class XrayError(Exception):
    """An error that the user can correct as described in its message."""


class ConfigError(XrayError):
    """A key, an option or a value of the configuration is invalid."""


class DataError(XrayError):
    """A dataset is missing, empty, or not arranged as expected."""


class ImageError(DataError):
    """One image file cannot be used.

    Args:
        path: The file.
        reason: The problem, as a clause such as "is empty (0 bytes)".
        advice: How to correct it, as a sentence.
    """

    def __init__(self, path: Path, reason: str, advice: str) -> None:
        super().__init__(f"{path} {reason}. {advice}")
        self.path = path
        self.reason = reason
        self.advice = advice

    def __reduce__(self) -> tuple[type["ImageError"], tuple[Path, str, str]]:
        # Loader processes send errors by pickle, which by default calls __init__ with the message.
        return type(self), (self.path, self.reason, self.advice)


class FetchError(XrayError):
    """A file cannot be downloaded, or is not the expected file."""


class ArchiveError(XrayError):
    """An archive is damaged, or contains members that are not safe to unpack."""


class WeightsError(XrayError):
    """Pretrained weights are not available, or do not fit the network."""


class RunError(XrayError):
    """A run directory is missing, incomplete, or not suitable for the command."""


class TrainingError(XrayError):
    """Training cannot continue, for example because of a NaN loss or a full disk."""
