"""Pictures of a saliency map: overlay on the radiograph, and panel with a caption."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]

SIDE = 320  # Minimum height and width of one picture in a panel, in pixels.
GAP = 12
SCALE = 46  # Width of the color scale.
TITLE, TEXT = 19, 16  # Font sizes, in pixels.
PAPER, INK, FAINT = (250, 250, 248), (25, 25, 28), (105, 105, 112)
RIGHT, WRONG = (0, 112, 60), (190, 30, 30)
OUTLINE = (255, 0, 255)  # Magenta is neither gray nor a color of the map.


@dataclass(frozen=True, slots=True)
class Caption:
    """Text of one picture.

    Attributes:
        title: Name of the file.
        truth: True class of the image.
        label: Name of its folder if it is more specific than `truth` ("COVID-19"), else "".
        predicted: Predicted class.
        probability: Probability of the predicted class, in [0, 1].
        explained: Class whose evidence the map shows; "" for a class-agnostic method.
        method: Name of the method.
    """

    title: str
    truth: str
    label: str
    predicted: str
    probability: float
    explained: str
    method: str

    @property
    def correct(self) -> bool:
        """Whether the predicted class is the true class."""
        return self.predicted == self.truth


def colorize(heat: NDArray[np.floating]) -> Picture:
    """Color a map with the Turbo colormap, from dark blue (0) through green to dark red (1).

    Args:
        heat: (H, W) in [0, 1]; other values are clipped, NaN counts as 0.

    Returns:
        (H, W, 3) uint8, RGB.
    """
    levels = np.rint(np.clip(np.nan_to_num(heat), 0, 1) * 255).astype(np.uint8)
    colored: Picture = cv2.cvtColor(
        cv2.applyColorMap(levels, cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB
    )
    return colored


def overlay(image: Picture, heat: NDArray[np.floating], alpha: float = 0.55) -> Picture:
    """Blend a map with its radiograph; the opacity grows with the map and is 0 where the map is 0.

    Args:
        image: (H, W) uint8.
        heat: (H, W) in [0, 1].
        alpha: Opacity where the map is 1, in [0, 1].

    Returns:
        (H, W, 3) uint8, RGB.
    """
    strength = np.clip(np.nan_to_num(heat), 0, 1).astype(np.float32)
    # A steep rise keeps the colors saturated: at 0.5 the opacity is four fifths of the maximum.
    opacity = (alpha * (1 - (1 - strength) ** 2.3))[..., None]
    mixed = (1 - opacity) * image[..., None] + opacity * colorize(heat)
    blended: Picture = np.rint(mixed).astype(np.uint8)
    return blended


def panel(
    image: Picture, heat: NDArray[np.floating], caption: Caption, mask: Mask | None = None
) -> Picture:
    """Draw original, heatmap with its color scale, and overlay side by side, with a caption.

    Args:
        image: (H, W) uint8; enlarged if it is smaller than `SIDE`.
        heat: (H, W) in [0, 1].
        caption: Text of the panel.
        mask: (H, W), True on the lesion, which is outlined on the original and the overlay.

    Returns:
        (H', W', 3) uint8, RGB.
    """
    factor = max(1.0, SIDE / min(image.shape))
    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    large = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    hot = np.asarray(cv2.resize(heat.astype(np.float32), size), np.float32)
    plain, mixed = np.repeat(large[..., None], 3, axis=2), overlay(large, hot)
    if mask is None or not mask.any():
        return _lay_out([plain, colorize(hot), mixed], caption)
    lesion = np.asarray(cv2.resize(mask.astype(np.uint8), size), np.uint8)
    outlined = [_outlined(plain, lesion), colorize(hot), _outlined(mixed, lesion)]
    return _lay_out(outlined, caption, ", lesion outlined")


def _outlined(picture: Picture, mask: Picture) -> Picture:
    """Draw the outline of a mask of zeros and ones."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    drawn = picture.copy()
    cv2.drawContours(drawn, contours, -1, OUTLINE, 1, cv2.LINE_AA)
    return drawn


def _lay_out(pictures: list[Picture], caption: Caption, note: str = "") -> Picture:
    """Arrange three (H, W, 3) pictures with two lines of text above and one line below each."""
    height, width = pictures[0].shape[:2]
    top = GAP + TITLE + 10 + TEXT + 14
    lefts = [GAP, 2 * GAP + width, 3 * GAP + 2 * width + SCALE]
    paper = Image.new("RGB", (lefts[2] + width + GAP, top + height + 8 + TEXT + GAP), PAPER)
    draw = ImageDraw.Draw(paper)
    _headline(draw, caption, paper.width)
    evidence = (
        f"evidence for {caption.explained}" if caption.explained else "independent of the class"
    )
    names = [f"original{note}", f"{caption.method}: {evidence}", f"overlay{note}"]
    widths = [width, width + SCALE, width]
    for picture, left, name, room in zip(pictures, lefts, names, widths, strict=True):
        paper.paste(Image.fromarray(picture), (left, top))
        _text(draw, (left, top + height + 7), name, room, color=FAINT)
    _color_scale(paper, draw, (lefts[1] + width + 6, top), height)
    return np.asarray(paper)


def _headline(draw: ImageDraw.ImageDraw, caption: Caption, width: int) -> None:
    """Draw the file name and whether it is correct; the true and the predicted class."""
    verdict, color = ("correct", RIGHT) if caption.correct else ("wrong", WRONG)
    room = round(ImageFont.load_default(TITLE).getlength(verdict)) + TITLE + 8
    left = width - GAP - room
    _mark(draw, (left, GAP + 3), caption.correct, color)
    _text(draw, (left + TITLE + 4, GAP), verdict, room, size=TITLE, color=color)
    _text(draw, (GAP, GAP), caption.title, left - 2 * GAP, size=TITLE)
    truth = f"{caption.truth} ({caption.label})" if caption.label else caption.truth
    line = f"truth: {truth}  |  predicted: {caption.predicted}, {caption.probability:.3f}"
    _text(draw, (GAP, GAP + TITLE + 10), line, width - 2 * GAP)


def _mark(
    draw: ImageDraw.ImageDraw, corner: tuple[int, int], correct: bool, color: tuple[int, int, int]
) -> None:
    """Draw a tick or a cross, so that the color is not the only sign."""
    x, y = corner
    if correct:
        draw.line([(x, y + 8), (x + 5, y + 14), (x + 15, y + 1)], fill=color, width=3)
    else:
        draw.line([(x + 1, y + 1), (x + 14, y + 14)], fill=color, width=3)
        draw.line([(x + 1, y + 14), (x + 14, y + 1)], fill=color, width=3)


def _color_scale(
    paper: Image.Image, draw: ImageDraw.ImageDraw, corner: tuple[int, int], height: int
) -> None:
    """Draw the color scale from 1 (top) to 0."""
    x, y = corner
    bar = np.repeat(np.linspace(1, 0, height, dtype=np.float32)[:, None], 12, axis=1)
    paper.paste(Image.fromarray(colorize(bar)), (x, y))
    for value in (1.0, 0.5, 0.0):
        _text(draw, (x + 16, y + round((1 - value) * (height - TEXT))), f"{value:g}", SCALE - 16)


def _text(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    text: str,
    room: float,
    *,
    size: int = TEXT,
    color: tuple[int, int, int] = INK,
) -> None:
    """Draw one line of text; if it is longer than `room` pixels, its middle is left out."""
    font = ImageFont.load_default(size)
    whole = line = " ".join(text.split())
    kept = len(whole)
    while font.getlength(line) > room and kept > 0:
        kept -= 1
        line = f"{whole[: (kept + 1) // 2]}...{whole[len(whole) - kept // 2 :]}"
    draw.text(corner, line, font=font, fill=color)
