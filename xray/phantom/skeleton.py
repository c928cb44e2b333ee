"""Bones: ribs, clavicles, spine, scapulae, humeral heads."""

import numpy as np

from xray.phantom.canvas import Canvas, Map, Points, ribbon, spline
from xray.phantom.thorax import LEFT, RIGHT, Chest

_RIBS = 11
_TURN = np.linspace(0, np.pi, 9)


def draw_skeleton(canvas: Canvas, chest: Chest) -> Map:
    """Draw the attenuation of all bones, (H, W), about 0.1 for a single bone."""
    bones = _ribs(canvas, chest) + _girdle(canvas, chest) + _spine(canvas, chest)
    return np.asarray(chest.patient.bone * bones, np.float32)


def posterior_ribs(chest: Chest, side: int) -> Points:
    """Compute center lines of the posterior ribs, (R, K, 2), from the spine to the wall."""
    p = chest.patient
    index = np.arange(_RIBS)
    y = p.apex + 0.03 + p.rib_gap * index
    drop = p.rib_drop * np.linspace(0.13, 0.34, _RIBS)
    x = chest.wall_x(side, y + drop) + 0.012
    start = np.full(_RIBS, 0.05)
    across = np.stack([start, 0.28 * x, 0.58 * x, 0.84 * x, 0.97 * x, x], axis=-1)
    down = y[:, None] + drop[:, None] * np.array([0.10, -0.02, 0.10, 0.44, 0.80, 1.06])
    return spline(np.stack([side * across, down], axis=-1), 4)


def anterior_ribs(chest: Chest, side: int) -> Points:
    """Compute center lines of the anterior ribs, (R, K, 2), from the wall to the cartilage."""
    wall = posterior_ribs(chest, side)[:-3, -1]
    x, y = np.abs(wall[:, 0]), wall[:, 1]
    fall = chest.patient.rib_drop * np.linspace(0.17, 0.40, len(wall))
    end = np.linspace(0.30, 0.58, len(wall)) * x
    shares = np.array([0.0, 0.03, 0.22, 0.55, 1.0])
    across = x[:, None] + (end - x)[:, None] * shares
    down = y[:, None] + fall[:, None] * np.array([0.0, 0.14, 0.50, 0.86, 1.06])
    return spline(np.stack([side * across, down], axis=-1), 4)


def _ribs(canvas: Canvas, chest: Chest) -> Map:
    """Draw posterior and anterior ribs and the lateral wall, (H, W)."""
    back, front, wall = [], [], []
    for side in (RIGHT, LEFT):
        back += list(ribbon(posterior_ribs(chest, side), 0.054))
        lines = anterior_ribs(chest, side)
        front += list(ribbon(lines, np.linspace(0.045, 0.068, lines.shape[1])))
        wall.append(chest.lateral(side) * (1.01, 1.0))
    u, v = canvas.grid
    lateral = np.abs(u) / chest.patient.width
    posterior = 0.075 * canvas.fill(*back) + 0.055 * canvas.stroke(back, 0.009, closed=True)
    posterior *= 0.8 + 0.9 * np.clip(lateral - 0.45, 0, 0.6)
    anterior = 0.05 * canvas.fill(*front) + 0.035 * canvas.stroke(front, 0.009, closed=True)
    anterior *= np.clip(1.8 * lateral - 0.45, 0, 1.1)
    edge = 0.10 * canvas.blur(canvas.stroke(wall, 0.02), 0.012)
    # Below the diaphragm little radiation is left, and ribs are hardly visible.
    fade = np.clip(1 - 3 * (v - chest.dome(RIGHT) - 0.1), 0.3, 1)
    return np.asarray((posterior + anterior + edge) * fade, np.float32)


def _girdle(canvas: Canvas, chest: Chest) -> Map:
    """Draw clavicles, scapulae and humeral heads, (H, W)."""
    p = chest.patient
    clavicles, blades, ridges, heads = [], [], [], []
    for s in (RIGHT, LEFT):
        y = p.apex + 0.15 + p.shoulder * 0.6
        tilt = 0.09 - 0.5 * p.shoulder + s * chest.view.yaw
        line = [(0.055, y + 0.05), (0.16, y + 0.015), (0.34, y - 0.35 * tilt)]
        line += [(0.54, y - tilt), (0.74, y - tilt), (0.90, y - 0.6 * tilt)]
        curve = spline([(s * x + chest.view.yaw, level) for x, level in line])
        clavicles.append(
            ribbon(
                curve,
                np.interp(np.abs(curve[:, 0]), [0.05, 0.3, 0.75, 0.9], [0.08, 0.05, 0.06, 0.03]),
            )
        )
        spread = p.width + 0.03
        blade = [(0.95, y + 0.10), (spread + 0.1, y + 0.38), (spread + 0.03, y + 0.72)]
        ridge = [(spread - 0.04, y + 0.62), (spread - 0.06, y + 0.3), (spread + 0.02, y + 0.08)]
        edge = spline([(s * x, level) for x, level in blade])
        blades.append(np.vstack([edge, spline([(s * x, level) for x, level in ridge])]))
        ridges += [
            edge,
            spline([(s * (spread - 0.02), y + 0.14), (s * 0.8, y), (s * 0.97, y - 0.07)]),
        ]
        center = np.array([s * 1.03, y + 0.06])
        heads.append(center + 0.085 * np.stack([np.cos(2 * _TURN), np.sin(2 * _TURN)], axis=-1))
        arm = chest.view.arms
        shaft = [(1.05, y + 0.1), (1.16, y + 0.4 + 0.3 * arm), (1.4, y + 0.7 + arm)]
        heads.append(ribbon(spline([(s * x, level) for x, level in shaft]), 0.085))
    layer = 0.11 * canvas.fill(*clavicles) + 0.05 * canvas.stroke(clavicles, 0.010, closed=True)
    layer = canvas.blur(layer, 0.006)
    layer += canvas.blur(0.05 * canvas.fill(*blades) + 0.08 * canvas.stroke(ridges, 0.018), 0.012)
    return layer + 0.16 * canvas.blur(canvas.fill(*heads), 0.008)


def _spine(canvas: Canvas, chest: Chest) -> Map:
    """Draw vertebral bodies with end plates and spinous processes, (H, W)."""
    p = chest.patient
    gap = p.rib_gap * 0.86
    levels = np.arange(-1.15, 1.15, gap)
    bend = p.scoliosis * np.sin(2.5 * levels)
    width = 0.062 + 0.018 * np.clip((levels + 1) / 2, 0, 1)
    bodies, plates, processes = [], [], []
    for x, y, half in zip(bend, levels, width, strict=True):
        edge = np.array([(-1, -0.42), (-0.9, 0), (-1, 0.42), (1, 0.42), (0.9, 0), (1, -0.42)])
        body = edge * (half, gap) + (x, y)
        bodies.append(body)
        plates += [body[[0, 5]], body[[2, 3]]]
        ring = np.stack([0.012 * np.cos(2 * _TURN), 0.024 * np.sin(2 * _TURN)], axis=-1)
        processes.append(ring + (x + 0.6 * chest.view.yaw, y + 0.3 * gap))
    layer = 0.095 * canvas.fill(*bodies) + 0.06 * canvas.stroke(plates, 0.012)
    layer += 0.05 * canvas.fill(*processes)
    return canvas.blur(layer, 0.006)
