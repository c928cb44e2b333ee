"""Convert attenuation to gray values: scatter, detector and display; draw markers and tubes."""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from xray.phantom.anatomy import View
from xray.phantom.canvas import Canvas, Map, spline

_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX)


def develop(canvas: Canvas, attenuation: Map, view: View, rng: Generator) -> Map:
    """Convert attenuation to brightness.

    Args:
        canvas: Canvas of the drawing.
        attenuation: (H, W), 0 in air, about 1 behind the heart.
        view: Geometry and exposure of the image.
        rng: Generator of the quantum noise.

    Returns:
        (H, W) brightness in [0, 1].
    """
    broad = canvas.blur(attenuation, 0.16)
    signal = attenuation + view.scatter * (broad - attenuation)
    signal = canvas.blur(signal, view.blur)
    signal += view.sharpening * (signal - canvas.blur(signal, 0.035))
    noise = rng.standard_normal(signal.shape, dtype=np.float32)
    # Quantum noise in the logarithm of the exposure grows with the attenuation.
    signal += view.grain * canvas.blur(noise, 0.003) * np.exp(np.clip(signal, 0, 1.2))
    level = np.clip((signal - view.offset) * view.gain, 0, None)
    # Shoulder of the characteristic curve of film: full white is a limit that is not reached.
    level = (1 - np.exp(-2.0 * level * level - 0.6 * level)) ** np.float32(view.gamma)
    return np.asarray(level, np.float32)


def draw_lines(canvas: Canvas, rng: Generator) -> Map:
    """Draw the attenuation of electrodes, wires and tubes, (H, W); most patients have none."""
    layer = np.zeros((canvas.size, canvas.size), np.float32)
    if rng.random() < 0.09:
        spots = np.stack([rng.uniform(-0.6, 0.6, 3), rng.uniform(-0.5, 0.6, 3)], axis=-1)
        turn = np.linspace(0, 2 * np.pi, 12)
        ring = 0.028 * np.stack([np.cos(turn), np.sin(turn)], axis=-1)
        layer += 0.12 * canvas.fill(*(spot + ring for spot in spots))
        layer += 0.2 * canvas.fill(*(spot + 0.4 * ring for spot in spots))
        ways = [
            spline(np.stack([spot, spot + rng.normal(0, 0.2, 2), _drop(rng), np.array([0.0, 1.4])]))
            for spot in spots
        ]
        layer += 0.12 * canvas.stroke(ways, 0.010)
    if rng.random() < 0.06:
        sway = rng.normal(0, 0.02, 4)
        tube = spline([(sway[0], -1.3), (sway[1], -0.8), (sway[2], -0.3), (sway[3], 0.9)])
        layer += 0.14 * canvas.stroke([tube], 0.014)
    return layer


def draw_marker(size: int, rng: Generator) -> Map:
    """Draw a laterality marker (R or L) near the upper corner of its side, (H, W) in [0, 1]."""
    layer = np.zeros((size, size), np.uint8)
    letter = "RL"[int(rng.integers(2))]
    height = rng.uniform(0.04, 0.065) * size
    x = rng.uniform(0.02, 0.10) if letter == "R" else rng.uniform(0.84, 0.92)
    corner = (round(x * size), round(rng.uniform(0.10, 0.24) * size))
    font = _FONTS[int(rng.integers(len(_FONTS)))]
    cv2.putText(layer, letter, corner, font, height / 22, 255, max(1, size // 130), cv2.LINE_AA)
    return np.multiply(layer, np.float32(rng.uniform(0.65, 0.9) / 255), dtype=np.float32)


def collimate(level: Map, rng: Generator) -> Map:
    """Blacken the collimated area: in a few images, a strip along each edge."""
    if rng.random() < 0.93:
        return level
    shown = np.zeros_like(level)
    left, right, top, bottom = (rng.uniform(0, 0.03, 4) * len(level)).astype(int)
    inside = np.s_[top : len(level) - bottom, left : len(level) - right]
    shown[inside] = level[inside]
    return shown


def quantize(level: Map) -> NDArray[np.uint8]:
    """Convert brightness in [0, 1] to gray values, (H, W) uint8."""
    return np.asarray(np.clip(level * 255 + 0.5, 0, 255), np.uint8)


def _drop(rng: Generator) -> NDArray[np.float64]:
    """Sample a point on a hanging wire, (x, y) in half sides."""
    return np.array([0.0, 0.8]) + rng.uniform(-0.4, 0.4, 2)
