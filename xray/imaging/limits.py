"""Which sizes are taken for a radiograph; told from a header, before anything is decoded."""

from pathlib import Path

from xray.errors import ImageError

MIN_SIDE = 32
MAX_PIXELS = 100_000_000


def check_size(path: Path, width: int, height: int, max_pixels: int) -> None:
    """Refuse an image that is too small to show anything, or too large to be safe.

    Raises:
        ImageError: Of more than `max_pixels` pixels, or fewer than 32 on a side.
    """
    size = f"{width} x {height} pixels"
    if width * height > max_pixels:
        advice = "Downsample it, or raise max_pixels if the file is to be trusted."
        raise ImageError(path, f"has {size}, more than the {max_pixels:,} allowed", advice)
    if min(width, height) < MIN_SIDE:
        advice = "Replace it with the full-size image, or remove it."
        raise ImageError(path, f"has {size}, fewer than {MIN_SIDE} on a side", advice)


def check_frames(path: Path, frames: int) -> None:
    """Refuse what holds more than one image.

    Raises:
        ImageError: There are several frames.
    """
    if frames > 1:
        advice = "Save the frame that you mean as a still image."
        raise ImageError(path, f"is animated or holds several images ({frames})", advice)
