"""Pictures of a class-activation map: laid over its X-ray, and as a captioned panel."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]

SIDE = 320  # Least height and width of one picture in a panel, in pixels.
GAP = 12
SCALE = 46  # Width kept for the colour scale.
TITLE, TEXT = 19, 16  # Font sizes, in pixels.
PAPER, INK, FAINT = (250, 250, 248), (25, 25, 28), (105, 105, 112)
RIGHT, WRONG = (0, 112, 60), (190, 30, 30)
OUTLINE = (255, 0, 255)  # Magenta: neither a grey of the X-ray nor a colour of the map.


@dataclass(frozen=True, slots=True)
class Caption:
    """What is said about one picture.

    Attributes:
        title: The file's name.
        truth: The image's class.
        label: Name of the folder it lies in, told where it says more than `truth` ("COVID-19").
        predicted: The class called.
        probability: Of `predicted`, in [0, 1].
        explained: The class whose evidence the map shows; empty where the method knows no class.
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
        """Whether the prediction is the truth."""
        return self.predicted == self.truth


def colours(heat: NDArray[np.floating]) -> Picture:
    """Colour a map: dark blue (0) over green to dark red (1), Google's Turbo.

    Args:
        heat: (H, W) in [0, 1]; what lies outside is clipped, NaN counts as 0.

    Returns:
        (H, W, 3) uint8, RGB.
    """
    levels = np.rint(np.clip(np.nan_to_num(heat), 0, 1) * 255).astype(np.uint8)
    coloured: Picture = cv2.cvtColor(
        cv2.applyColorMap(levels, cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB
    )
    return coloured


def overlay(image: Picture, heat: NDArray[np.floating], alpha: float = 0.55) -> Picture:
    """Lay a map over its X-ray: the hotter, the more opaque, so that cold parts stay plain X-ray.

    Args:
        image: (H, W) uint8.
        heat: (H, W) in [0, 1].
        alpha: Opacity of the hottest point, in [0, 1].

    Returns:
        (H, W, 3) uint8, RGB.
    """
    strength = np.clip(np.nan_to_num(heat), 0, 1).astype(np.float32)
    # Rises steeply, so that colours are not washed out: 0.5 has four fifths of the opacity.
    opacity = (alpha * (1 - (1 - strength) ** 2.3))[..., None]
    mixed = (1 - opacity) * image[..., None] + opacity * colours(heat)
    blended: Picture = np.rint(mixed).astype(np.uint8)
    return blended


def panel(
    image: Picture, heat: NDArray[np.floating], caption: Caption, mask: Mask | None = None
) -> Picture:
    """Original, heatmap with its colour scale, and overlay, side by side and captioned.

    Args:
        image: (H, W) uint8; enlarged where it is smaller than `SIDE`.
        heat: (H, W) in [0, 1].
        caption: What is told of them.
        mask: (H, W), True on the lesion: drawn as a thin line on the original and the overlay.

    Returns:
        (H', W', 3) uint8, RGB.
    """
    factor = max(1.0, SIDE / min(image.shape))
    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    large = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    hot = np.asarray(cv2.resize(heat.astype(np.float32), size), np.float32)
    plain, mixed = np.repeat(large[..., None], 3, axis=2), overlay(large, hot)
    if mask is None or not mask.any():
        return _lay_out([plain, colours(hot), mixed], caption)
    lesion = np.asarray(cv2.resize(mask.astype(np.uint8), size), np.uint8)
    outlined = [_outlined(plain, lesion), colours(hot), _outlined(mixed, lesion)]
    return _lay_out(outlined, caption, ", lesion outlined")


def _outlined(picture: Picture, mask: Picture) -> Picture:
    """Draw the border of a mask of zeros and ones."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    drawn = picture.copy()
    cv2.drawContours(drawn, contours, -1, OUTLINE, 1, cv2.LINE_AA)
    return drawn


def _lay_out(pictures: list[Picture], caption: Caption, note: str = "") -> Picture:
    """Set three (H, W, 3) pictures on paper: two lines of text above, one line below each."""
    height, width = pictures[0].shape[:2]
    top = GAP + TITLE + 10 + TEXT + 14
    lefts = [GAP, 2 * GAP + width, 3 * GAP + 2 * width + SCALE]
    paper = Image.new("RGB", (lefts[2] + width + GAP, top + height + 8 + TEXT + GAP), PAPER)
    draw = ImageDraw.Draw(paper)
    _headline(draw, caption, paper.width)
    evidence = (
        f"evidence for {caption.explained}" if caption.explained else "no class in particular"
    )
    names = [f"original{note}", f"{caption.method}: {evidence}", f"overlay{note}"]
    widths = [width, width + SCALE, width]
    for picture, left, name, room in zip(pictures, lefts, names, widths, strict=True):
        paper.paste(Image.fromarray(picture), (left, top))
        _text(draw, (left, top + height + 7), name, room, colour=FAINT)
    _colour_scale(paper, draw, (lefts[1] + width + 6, top), height)
    return np.asarray(paper)


def _headline(draw: ImageDraw.ImageDraw, caption: Caption, width: int) -> None:
    """File name and verdict; truth and prediction."""
    verdict, colour = ("correct", RIGHT) if caption.correct else ("wrong", WRONG)
    room = round(ImageFont.load_default(TITLE).getlength(verdict)) + TITLE + 8
    left = width - GAP - room
    _mark(draw, (left, GAP + 3), caption.correct, colour)
    _text(draw, (left + TITLE + 4, GAP), verdict, room, size=TITLE, colour=colour)
    _text(draw, (GAP, GAP), caption.title, left - 2 * GAP, size=TITLE)
    truth = f"{caption.truth} ({caption.label})" if caption.label else caption.truth
    line = f"truth: {truth}  |  predicted: {caption.predicted}, {caption.probability:.3f}"
    _text(draw, (GAP, GAP + TITLE + 10), line, width - 2 * GAP)


def _mark(
    draw: ImageDraw.ImageDraw, corner: tuple[int, int], correct: bool, colour: tuple[int, int, int]
) -> None:
    """A tick or a cross: the shape says what the colour says."""
    x, y = corner
    if correct:
        draw.line([(x, y + 8), (x + 5, y + 14), (x + 15, y + 1)], fill=colour, width=3)
    else:
        draw.line([(x + 1, y + 1), (x + 14, y + 14)], fill=colour, width=3)
        draw.line([(x + 1, y + 14), (x + 14, y + 1)], fill=colour, width=3)


def _colour_scale(
    paper: Image.Image, draw: ImageDraw.ImageDraw, corner: tuple[int, int], height: int
) -> None:
    """A bar from 1 (top) to 0, with its numbers."""
    x, y = corner
    bar = np.repeat(np.linspace(1, 0, height, dtype=np.float32)[:, None], 12, axis=1)
    paper.paste(Image.fromarray(colours(bar)), (x, y))
    for value in (1.0, 0.5, 0.0):
        _text(draw, (x + 16, y + round((1 - value) * (height - TEXT))), f"{value:g}", SCALE - 16)


def _text(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    text: str,
    room: float,
    *,
    size: int = TEXT,
    colour: tuple[int, int, int] = INK,
) -> None:
    """One line; where it is longer than `room` pixels its middle gives way."""
    font = ImageFont.load_default(size)
    whole = line = " ".join(text.split())
    kept = len(whole)
    while font.getlength(line) > room and kept > 0:
        kept -= 1
        line = f"{whole[: (kept + 1) // 2]}...{whole[len(whole) - kept // 2 :]}"
    draw.text(corner, line, font=font, fill=colour)
