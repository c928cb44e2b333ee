"""Draw chest X-ray phantoms with lung and lesion masks."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from xray.phantom.anatomy import sample_patient, sample_view
from xray.phantom.canvas import Canvas
from xray.phantom.exposure import collimate, develop, draw_lines, draw_marker, quantize
from xray.phantom.lesions import Lesion, consolidation, ground_glass, no_lesion
from xray.phantom.skeleton import draw_skeleton
from xray.phantom.thorax import Chest, draw_breasts, draw_soft_tissue, draw_stomach
from xray.phantom.vessels import draw_airways, draw_vessels

Kind = Literal["normal", "pneumonia", "covid"]
KINDS: tuple[Kind, ...] = ("normal", "pneumonia", "covid")


@dataclass(frozen=True, slots=True)
class Phantom:
    """Phantom with its masks.

    Attributes:
        image: (H, W) uint8; air is dark, bone is bright.
        lung: (H, W) bool, visible lung fields including lesions.
        lesion: (H, W) bool, a subset of `lung`; empty for a normal phantom.
        kind: Class of the phantom.
    """

    image: NDArray[np.uint8]
    lung: NDArray[np.bool_]
    lesion: NDArray[np.bool_]
    kind: Kind


def draw_phantom(kind: Kind, *, patient: int, view: int, seed: int = 0, size: int = 224) -> Phantom:
    """Draw one view of one patient; equal arguments return equal pixels.

    Anatomy and lesion positions depend on (seed, patient). Pose, exposure, noise and small changes
    of the lesions also depend on the view. Everything except the lesions is independent of `kind`.

    Args:
        kind: "normal", "pneumonia" (lobar consolidation) or "covid" (bilateral ground glass).
        patient: Number of the patient, >= 0.
        view: Number of the image of this patient, >= 0.
        seed: Seed of the dataset, >= 0.
        size: Side in pixels.
    """
    anatomy, disease = _generators(2, seed, patient)
    exposure, change = _generators(2, seed, patient, view + 1)
    geometry = sample_view(exposure)
    chest = Chest(sample_patient(anatomy), geometry)
    canvas = Canvas(size, angle=geometry.angle, scale=geometry.scale, shift=geometry.shift)
    lesion = _lesion(kind, canvas, chest, disease, change)
    tissue = draw_soft_tissue(canvas, chest)
    attenuation = tissue.solid - 0.35 * tissue.depth * (1 - lesion.density)
    attenuation += draw_vessels(canvas, chest, anatomy) * tissue.lung * (1 - lesion.veil)
    attenuation += draw_skeleton(canvas, chest) + draw_breasts(canvas, chest)
    attenuation -= 0.10 * draw_airways(canvas, chest) + 0.16 * draw_stomach(canvas, chest)
    attenuation += 0.06 * canvas.clouds(exposure, 8) * tissue.solid
    attenuation += draw_lines(canvas, exposure)
    level = develop(canvas, attenuation, geometry, exposure)
    level = np.maximum(level, draw_marker(size, exposure))
    lung = tissue.lung > 0.5
    return Phantom(
        image=quantize(collimate(level, exposure)),
        lung=lung,
        lesion=lung & (lesion.extent > 0.4),
        kind=kind,
    )


def _generators(count: int, *entropy: int) -> list[Generator]:
    return [np.random.default_rng(s) for s in np.random.SeedSequence(entropy).spawn(count)]


def _lesion(kind: Kind, canvas: Canvas, chest: Chest, stable: Generator, view: Generator) -> Lesion:
    if kind == "pneumonia":
        return consolidation(canvas, chest, stable, view)
    if kind == "covid":
        return ground_glass(canvas, chest, stable, view)
    return no_lesion(canvas)
