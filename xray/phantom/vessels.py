"""Airways and lung vessels: trachea, hila and branching arteries."""

import numpy as np
from numpy.random import Generator

from xray.phantom.canvas import Canvas, Map, Points, ribbon, spline
from xray.phantom.thorax import LEFT, RIGHT, Chest

_STEPS = 7


def hilum(chest: Chest, side: int) -> Points:
    """Compute the position of a hilum, (2,); the left hilum is higher than the right."""
    return chest.place(side, 0.06, 0.50 if side == RIGHT else 0.465)


def branches(rng: Generator, origin: Points, heading: Points, length: Points) -> Points:
    """Sample curved paths.

    Args:
        rng: Generator of the curvature.
        origin: (B, 2) starting points.
        heading: (B,) directions in radians, from x toward y.
        length: (B,) lengths.

    Returns:
        (B, 7, 2) points.
    """
    bend = rng.normal(0, 0.13, (len(heading), _STEPS - 1)) + rng.normal(0, 0.06, (len(heading), 1))
    angle = heading[:, None] + np.cumsum(bend, axis=1)
    step = (
        np.stack([np.cos(angle), np.sin(angle)], axis=-1) * (length / (_STEPS - 1))[:, None, None]
    )
    path = np.concatenate([np.zeros((len(heading), 1, 2)), np.cumsum(step, axis=1)], axis=1)
    return path + origin[:, None]


def draw_vessels(canvas: Canvas, chest: Chest, rng: Generator) -> Map:
    """Draw the attenuation of hila and vessels, (H, W), about 0.15 at the hila."""
    trunks, arteries, twigs, knots = [], [], [], []
    for side in (RIGHT, LEFT):
        root = hilum(chest, side)
        count = 9
        fan = np.linspace(-1.25, 1.45, count) + rng.normal(0, 0.10, count)
        heading = fan if side == LEFT else np.pi - fan
        reach = 0.62 * chest.width(side) * rng.uniform(0.75, 1.15, count)
        origin = root + np.stack([np.zeros(count), 0.07 * np.sin(fan)], axis=-1)
        first = branches(rng, origin, heading, reach)
        trunks += list(first[:, :4])
        arteries += list(first[:, 3:])
        for start, share in ((2, 0.6), (4, 0.5), (5, 0.45)):
            fork = heading + rng.choice([-1, 1], count) * rng.uniform(0.3, 0.75, count)
            second = branches(rng, first[:, start], fork, share * reach)
            arteries += list(second[:, :4])
            twigs += list(second[:, 3:])
        twigs += list(branches(rng, first[:, 6], heading, 0.3 * reach))
        knots.append(np.stack([first[1, 0], first[4, 1], first[7, 1]]))
    layer = 0.085 * canvas.stroke(trunks, 0.026) + 0.060 * canvas.stroke(arteries, 0.014)
    layer = canvas.blur(layer + 0.045 * canvas.stroke(twigs, 0.009), 0.004)
    layer += 0.11 * canvas.blur(canvas.stroke(knots, 0.085), 0.03)
    return np.asarray(chest.patient.vessels * layer, np.float32)


def draw_airways(canvas: Canvas, chest: Chest) -> Map:
    """Draw the air in the trachea and the main bronchi, (H, W) in [0, 1]."""
    shift = 0.5 * chest.view.yaw
    top = chest.patient.apex
    carina = top + 0.40 * (chest.dome(RIGHT) - top)
    trachea = ribbon(spline([(shift, -1.3), (shift, top + 0.1), (shift - 0.01, carina)]), 0.075)
    right = ribbon(
        spline([(-0.01, carina - 0.02), (-0.08, carina + 0.08), (-0.14, carina + 0.13)]), 0.05
    )
    left = ribbon(
        spline([(-0.01, carina - 0.02), (0.08, carina + 0.07), (0.17, carina + 0.10)]), 0.045
    )
    return canvas.blur(canvas.fill(trachea, right, left, level=(1.0, 0.7, 0.7)), 0.014)
