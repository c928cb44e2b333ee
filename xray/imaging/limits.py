"""Limits of the image size, checked in the header before any pixel is decoded."""

from pathlib import Path

from xray.errors import ImageError

MIN_SIDE = 32
"""Shortest side of an image that is read, in pixels."""

MAX_PIXELS = 100_000_000
"""Largest width x height of an image that is read, in pixels."""


def check_size(path: Path, width: int, height: int, max_pixels: int) -> None:
    """Check that an image is neither too small to be useful nor too large to be safe.

    Args:
        path: The file, for the message.
        width: Width in pixels.
        height: Height in pixels.
        max_pixels: Largest allowed width x height.

    Raises:
        ImageError: The image has more than `max_pixels` pixels or a side under 32 pixels.
    """
    size = f"{width} x {height} pixels"
    if width * height > max_pixels:
        advice = "Downsample it, or raise max_pixels if you trust the file."
        raise ImageError(path, f"has {size}, more than the {max_pixels:,} allowed", advice)
    if min(width, height) < MIN_SIDE:
        advice = "Replace it with the full-size image, or remove it."
        raise ImageError(path, f"has {size}, fewer than {MIN_SIDE} on a side", advice)


def check_frames(path: Path, frames: int) -> None:
    """Check that a file contains a single image.

    Raises:
        ImageError: The file has several frames or pages.
    """
    if frames > 1:
        advice = "Save the frame you need as a single image."
        raise ImageError(path, f"is animated or contains several images ({frames})", advice)
