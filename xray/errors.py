"""Named errors: each message says what was sought, where, and the next move.

The command line prints the message of an `XrayError` alone, without a stack trace, and ends with
status 1.
"""

from pathlib import Path


class XrayError(Exception):
    """Something the user can put right; its message says how."""


class ConfigError(XrayError):
    """A key, an option or a value of the configuration is wrong."""


class DataError(XrayError):
    """A dataset is missing, empty, or not laid out as expected."""


class ImageError(DataError):
    """One image file cannot be used.

    Args:
        path: The file.
        reason: What is wrong with it, as a clause ("is empty (0 bytes)").
        advice: The next move, as a sentence.
    """

    def __init__(self, path: Path, reason: str, advice: str) -> None:
        super().__init__(f"{path} {reason}. {advice}")
        self.path = path
        self.reason = reason
        self.advice = advice

    def __reduce__(self) -> tuple[type["ImageError"], tuple[Path, str, str]]:
        # A loader process sends its errors by pickle, which would call __init__ with the message
        # alone.
        return type(self), (self.path, self.reason, self.advice)


class FetchError(XrayError):
    """A file cannot be downloaded, or is not the one expected."""


class ArchiveError(XrayError):
    """An archive is damaged, or holds what is not unpacked."""


class WeightsError(XrayError):
    """Pretrained weights cannot be had, or do not fit the network."""


class RunError(XrayError):
    """A run directory is missing, incomplete, or does not fit what is asked of it."""


class TrainingError(XrayError):
    """Training cannot go on (a loss that is not a number, an output that cannot be written)."""
