"""Soft tissue of the chest: body outline, lungs, heart and mediastinum, diaphragm, breasts."""

from dataclasses import dataclass

import numpy as np

from xray.phantom.anatomy import Patient, View
from xray.phantom.canvas import Canvas, Map, Points, spline

# The right side of the patient is on the left side of the image.
RIGHT, LEFT = -1, 1
_BELOW = 1.8


@dataclass(frozen=True, slots=True)
class Chest:
    """Chest of a patient in one view: the curves that several parts of the drawing share.

    Attributes:
        patient: Anatomy of the patient.
        view: Geometry and exposure of the image.
    """

    patient: Patient
    view: View

    def dome(self, side: int) -> float:
        """Compute y of the dome of the diaphragm."""
        gap = self.patient.dome_gap if side == LEFT else 0.0
        return self.patient.base + self.view.inspiration + gap

    def width(self, side: int) -> float:
        """Compute the distance from the spine to the lateral wall."""
        return self.patient.width * (1 + side * 1.5 * self.view.yaw)

    def lateral(self, side: int) -> Points:
        """Compute the lateral border of a lung from the apex to below the diaphragm, (K, 2)."""
        w, top = self.width(side), self.patient.apex
        h = self.patient.base + 0.05 - top
        curve = [(0.22, 0.02), (0.36, 0.0), (0.56, 0.07), (0.75, 0.22), (0.89, 0.45), (0.97, 0.72)]
        curve += [(1.0, 0.95), (1.0, 1.15), (0.97, 1.4)]
        return spline([(side * w * x, top + h * y) for x, y in curve])

    def wall_x(self, side: int, y: Points | float) -> Points:
        """Compute |x| of the lateral border at the levels y, in the shape of y."""
        curve = self.lateral(side)
        beyond = int(np.argmin(curve[:, 1]))
        return np.asarray(np.interp(y, curve[beyond:, 1], np.abs(curve[beyond:, 0])))

    def border_x(self, side: int, y: Points | float) -> Points:
        """Compute |x| of the mediastinal border at the levels y, in the shape of y."""
        curve = self.mediastinum(side)
        return np.asarray(np.interp(y, curve[:, 1], side * curve[:, 0]))

    def mediastinum(self, side: int) -> Points:
        """Compute the border of mediastinum and heart from the neck downward, (K, 2)."""
        p, top = self.patient, self.patient.apex
        h, m, c = self.dome(RIGHT) - top, p.mediastinum, p.heart
        if side == LEFT:
            knob = 0.04 * p.aorta
            curve = [(m, -0.3), (m, 0.08), (m + 0.2 * knob, 0.18), (m + knob, 0.29)]
            curve += [(m + 0.5 * knob, 0.38), (m + 0.045, 0.46), (0.26 * c, 0.60), (0.38 * c, 0.77)]
            curve += [(0.425 * c, 0.92), (0.40 * c, 1.05), (0.34 * c, 1.2)]
        else:
            curve = [(m, -0.3), (m, 0.1), (m * 0.95, 0.3), (m + 0.01, 0.45), (0.165 * c, 0.58)]
            curve += [(0.205 * c, 0.75), (0.195 * c, 0.92), (0.15 * c, 1.04), (0.12, 1.2)]
        return spline([(side * x + self.view.yaw, top + h * y) for x, y in curve])

    def diaphragm(self, side: int) -> Points:
        """Compute the outline of the abdomen below one dome, (K, 2)."""
        d, w = self.dome(side), self.width(side)
        dome = [(0.0, 0.06), (0.18, 0.025), (0.40, 0.0), (0.62, 0.015), (0.82, 0.075)]
        dome += [(0.94, 0.155), (1.02, 0.25)]
        curve = spline([(side * w * x, d + y) for x, y in dome])
        return np.vstack([curve, [(side * 1.4, d + 0.4), (side * 1.4, _BELOW), (0, _BELOW)]])

    def place(self, side: int, across: Points | float, down: Points | float) -> Points:
        """Convert relative positions in a lung to body points.

        Args:
            side: RIGHT or LEFT.
            across: 0 at the mediastinum, 1 at the lateral wall.
            down: 0 at the apex, 1 at the dome, above 1 in the costophrenic angle.

        Returns:
            (..., 2) points.
        """
        top = self.patient.apex
        y = top + np.asarray(down) * (self.dome(side) - top)
        inner, outer = self.border_x(side, y), self.wall_x(side, y)
        return np.stack([side * (inner + np.asarray(across) * (outer - inner)), y], axis=-1)


@dataclass(frozen=True, slots=True)
class SoftTissue:
    """Maps (H, W) of the soft tissue.

    Attributes:
        solid: Attenuation of all soft tissue, as if the lungs were solid.
        lung: Visible lung fields, in [0, 1].
        depth: Depth of the air in the lung fields, in [0, 1].
    """

    solid: Map
    lung: Map
    depth: Map


def draw_soft_tissue(canvas: Canvas, chest: Chest) -> SoftTissue:
    """Draw body, lungs, heart and abdomen."""
    sides = (RIGHT, LEFT)
    hemithorax = canvas.fill(
        *(np.vstack([chest.lateral(s), [(s * 0.02, 1.2), (s * 0.02, -0.5)]]) for s in sides)
    )
    border = np.vstack([chest.mediastinum(RIGHT), chest.mediastinum(LEFT)[::-1]])
    center = canvas.blur(canvas.fill(border), 0.014)
    below = canvas.fill(*(chest.diaphragm(s) for s in sides))
    abdomen = canvas.blur(below, 0.008)
    lung = hemithorax * (1 - center) * (1 - abdomen)
    depth = lung * (0.30 + 0.70 * canvas.blur(lung, 0.09))
    outline = canvas.fill(*(_body(chest, s) for s in sides))
    body = 0.5 * canvas.blur(outline, 0.02) + 0.5 * canvas.blur(outline, 0.13)
    u, v = canvas.grid
    # The neck is thin; the mediastinum thickens from the thoracic inlet downward.
    inlet = np.clip((v - chest.patient.apex + 0.05) * 2.5, 0.0, 1.0)
    middle = inlet * (0.13 * center + 0.17 * canvas.blur(center, 0.06))
    lower = 0.14 * abdomen + 0.20 * canvas.blur(below, 0.10)
    core = np.maximum(middle, lower) + 0.35 * np.minimum(middle, lower)
    core *= 1.05 - 0.35 * np.abs(u)
    solid = chest.patient.build * body * (0.47 + core)
    return SoftTissue(solid=solid.astype(np.float32), lung=lung, depth=depth)


def draw_stomach(canvas: Canvas, chest: Chest) -> Map:
    """Draw the gastric bubble below the left dome, (H, W) in [0, 1]; it may be absent."""
    gas = chest.patient.stomach
    y = chest.dome(LEFT) + 0.05 + 0.6 * gas
    x = 0.5 * chest.width(LEFT)
    turn = np.linspace(0, 2 * np.pi, 16)
    ring = np.stack([x + 1.3 * gas * np.cos(turn), y + 0.6 * gas * np.sin(turn)], axis=-1)
    return canvas.blur(canvas.fill(ring), 0.015)


def draw_breasts(canvas: Canvas, chest: Chest) -> Map:
    """Draw breast shadows with a soft lower border, (H, W); zero without breasts."""
    patient = chest.patient
    if patient.breast == 0:
        return np.zeros((canvas.size, canvas.size), np.float32)
    y = patient.breast_level
    outlines = []
    for side in (RIGHT, LEFT):
        w = chest.width(side)
        curve = [(0.2, -0.42), (0.24, -0.12), (0.5, 0.0), (0.85, -0.03), (1.12, -0.2), (1.1, -0.5)]
        outlines.append(spline([(side * w * x, y + dy) for x, dy in curve]))
    shade = canvas.fill(*outlines)
    soft = 0.5 * canvas.blur(shade, 0.012) + 0.5 * canvas.blur(shade, 0.07)
    _, v = canvas.grid
    return np.asarray(patient.breast * soft * np.clip((v - y + 0.5) / 0.45, 0, 1), np.float32)


def _body(chest: Chest, side: int) -> Points:
    """Compute one half of the body outline with neck, shoulder and arm, (K, 2)."""
    p = chest.patient
    top, flank = p.apex, p.width + p.wall
    arm = chest.view.arms
    neck = 0.19 + 0.3 * p.wall
    upper = [(neck, -1.8), (neck + 0.01, top - 0.18), (neck + 0.12, top - 0.07)]
    upper += [(0.66, top - 0.02 + p.shoulder), (0.98, top + 0.06 + p.shoulder)]
    upper += [(1.14, top + 0.22 + 0.5 * arm), (1.45, top + 0.5 + arm)]
    lower = [(1.30, top + 0.95 + arm), (1.0, top + 0.72 + 0.3 * arm), (flank + 0.06, 0.0)]
    lower += [(flank + 0.01, 0.2), (flank, 0.6), (flank + 0.03, 1.1), (flank + 0.04, _BELOW)]
    half = np.vstack([spline(upper), spline(lower), [(0.0, _BELOW), (0.0, -1.8)]])
    return half * (side, 1.0)
