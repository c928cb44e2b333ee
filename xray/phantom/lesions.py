"""Lesions: lobar consolidation and bilateral peripheral ground-glass opacities."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from xray.phantom.canvas import Canvas, Map, Points, spline
from xray.phantom.thorax import LEFT, RIGHT, Chest
from xray.phantom.vessels import branches

# Corners of the lobes in a frontal view: (across, down) as shares of a lung.
_LOBES: dict[tuple[int, str], tuple[tuple[float, float], ...]] = {
    (RIGHT, "upper"): (
        (0.0, 0.10),
        (0.35, 0.02),
        (1.0, 0.2),
        (1.02, 0.50),
        (0.5, 0.50),
        (0.0, 0.53),
    ),
    (RIGHT, "middle"): (
        (-0.1, 0.56),
        (0.5, 0.54),
        (0.85, 0.60),
        (0.6, 0.85),
        (0.1, 1.0),
        (-0.1, 0.9),
    ),
    (RIGHT, "lower"): (
        (0.15, 0.62),
        (0.6, 0.60),
        (1.02, 0.70),
        (1.02, 1.2),
        (0.5, 1.1),
        (0.1, 1.05),
    ),
    (LEFT, "upper"): ((0.0, 0.12), (0.35, 0.03), (1.0, 0.22), (1.0, 0.5), (0.5, 0.58), (0.0, 0.5)),
    (LEFT, "lingula"): (
        (-0.1, 0.55),
        (0.4, 0.52),
        (0.8, 0.62),
        (0.6, 0.9),
        (0.1, 1.02),
        (-0.1, 0.9),
    ),
    (LEFT, "lower"): (
        (0.05, 0.62),
        (0.6, 0.58),
        (1.02, 0.70),
        (1.02, 1.2),
        (0.5, 1.1),
        (0.0, 1.08),
    ),
}


@dataclass(frozen=True, slots=True)
class Lesion:
    """Maps (H, W) of a lesion.

    Attributes:
        extent: Membership of the lesion, in [0, 1].
        density: Share of the air that is replaced, in [0, 1].
        veil: Share of the vessel contrast that is lost, in [0, 1].
    """

    extent: Map
    density: Map
    veil: Map


def no_lesion(canvas: Canvas) -> Lesion:
    """Return empty maps, for a normal lung."""
    nothing = np.zeros((canvas.size, canvas.size), np.float32)
    return Lesion(extent=nothing, density=nothing, veil=nothing)


def consolidation(canvas: Canvas, chest: Chest, stable: Generator, view: Generator) -> Lesion:
    """Draw lobar pneumonia: one or two dense lobes with air bronchograms, sometimes an effusion.

    Args:
        canvas: Canvas of the drawing.
        chest: Chest of the patient in this view.
        stable: Generator of the properties that all views of a patient share.
        view: Generator of the properties of this view.
    """
    names = list(_LOBES)
    first = names[stable.integers(len(names))]
    chosen = [first]
    if stable.random() < 0.55:
        chosen.append(names[stable.integers(len(names))])
    size = stable.uniform(0.88, 1.08, len(chosen))
    outlines = []
    for (side, lobe), share in zip(chosen, size, strict=True):
        corners = np.array(_LOBES[side, lobe])
        center = corners[stable.integers(len(corners))] * 0.45 + corners.mean(axis=0) * 0.55
        corners = center + share * (corners - center) + stable.normal(0, 0.03, corners.shape)
        outlines.append(_closed(chest.place(side, corners[:, 0], corners[:, 1])))
    region = canvas.blur(canvas.fill(*outlines), stable.uniform(0.018, 0.04))
    clumps = 0.85 + 0.14 * canvas.clouds(stable, 9) + 1.0 * (_acini(canvas, view) - 0.4)
    strength = stable.uniform(0.75, 1.0) * view.uniform(0.94, 1.06)
    density = region * np.clip(strength * clumps, 0, 1.3)
    density *= 1 - 0.5 * _bronchograms(canvas, chest, chosen[0][0], stable)
    if stable.random() < 0.3:
        fluid = _effusion(canvas, chest, chosen[0][0], stable.uniform(0.75, 0.95))
        region, density = np.maximum(region, fluid), np.maximum(density, 0.9 * fluid)
    return Lesion(extent=region, density=density, veil=density)


def ground_glass(canvas: Canvas, chest: Chest, stable: Generator, view: Generator) -> Lesion:
    """Draw COVID-19 pneumonia: patchy opacities in both lungs, mostly peripheral and basal.

    Args:
        canvas: Canvas of the drawing.
        chest: Chest of the patient in this view.
        stable: Generator of the properties that all views of a patient share.
        view: Generator of the properties of this view.
    """
    outlines, levels = [], []
    for side in (RIGHT, LEFT):
        count = int(stable.integers(6, 10))
        across = 1 - 0.45 * stable.beta(1.2, 2.0, count)
        down = 0.25 + 0.80 * stable.beta(2.6, 1.5, count)
        radius = stable.uniform(0.075, 0.155, count)
        middle = chest.place(side, across, down) + view.normal(0, 0.008, (count, 2))
        turn = np.linspace(0, 2 * np.pi, 9)[:-1]
        reach = radius[:, None] * stable.uniform(0.65, 1.25, (count, 8))
        ring = np.stack([0.8 * np.cos(turn), 1.15 * np.sin(turn)], axis=-1) * reach[..., None]
        outlines += [_closed(points) for points in ring + middle[:, None]]
        levels += list(stable.uniform(0.7, 1.0, count))
    region = canvas.blur(canvas.fill(*outlines, level=levels), 0.03)
    texture = 1 + 0.15 * canvas.clouds(stable, 16) + 1.7 * (_acini(canvas, view) - 0.5)
    strength = stable.uniform(0.55, 0.75) * view.uniform(0.94, 1.06)
    density = np.clip(region * strength * texture, 0, 1.3)
    return Lesion(extent=region, density=density, veil=0.3 * density)


def _acini(canvas: Canvas, rng: Generator) -> Map:
    """Draw a fine network of thickened septa, (H, W) in [0, 1]."""
    # The zero crossings of band-limited noise form thin closed lines.
    return np.asarray(np.clip(1 - np.abs(canvas.clouds(rng, 90)), 0, 1), np.float32)


def _closed(corners: Points) -> Points:
    # Repeating three corners closes an open spline smoothly.
    wrapped = np.vstack([corners[-1:], corners, corners[:2]])
    return spline(wrapped, 4)[4:-4]


def _bronchograms(canvas: Canvas, chest: Chest, side: int, rng: Generator) -> Map:
    """Draw air-filled bronchi, which are dark within a consolidation, (H, W) in [0, 1]."""
    count = 10
    origin = chest.place(side, np.full(count, 0.1), rng.uniform(0.3, 0.7, count))
    fan = np.linspace(-1.1, 1.3, count) + rng.normal(0, 0.15, count)
    heading = fan if side == LEFT else np.pi - fan
    paths = branches(rng, origin, heading, 0.5 * chest.width(side) * rng.uniform(0.7, 1.1, count))
    return canvas.blur(canvas.stroke(list(paths), 0.016), 0.006)


def _effusion(canvas: Canvas, chest: Chest, side: int, level: float) -> Map:
    """Draw a pleural effusion that blunts the costophrenic angle, (H, W) in [0, 1]."""
    across = np.array([0.25, 0.5, 0.75, 0.92, 1.1, 1.3, 0.25])
    down = np.array([1.06, 1.03, 0.97, level + 0.06, level - 0.06, 1.5, 1.5])
    return canvas.blur(canvas.fill(chest.place(side, across, down)), 0.012)
