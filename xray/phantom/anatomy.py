"""Random parameters of phantoms: the anatomy of a patient and the geometry of a view."""

from dataclasses import dataclass

from numpy.random import Generator


@dataclass(frozen=True, slots=True)
class Patient:
    """Anatomy of one patient. Lengths are in body units (half an image side); y points down.

    Attributes:
        width: From the spine to the lateral wall of a lung.
        apex: y of the lung apices.
        base: y of the right diaphragm dome at full inspiration.
        dome_gap: Distance by which the left dome is lower.
        heart: Size of the heart; 1 corresponds to a cardiothoracic ratio of about 0.47.
        aorta: Prominence of the aortic knob.
        mediastinum: Half width of the upper mediastinum.
        wall: Thickness of the lateral chest wall.
        shoulder: Slope of the shoulders.
        breast: Density of the breast shadows; 0 for none.
        breast_level: y of the lower border of the breast shadows.
        rib_gap: Distance between neighboring ribs at the spine.
        rib_drop: Slope of the ribs toward the lateral wall.
        bone: Mineral density, 1 on average.
        scoliosis: Lateral bend of the spine.
        vessels: Prominence of the vessels, 1 on average.
        build: Thickness of the body, 1 on average.
        stomach: Size of the gastric bubble.
    """

    width: float
    apex: float
    base: float
    dome_gap: float
    heart: float
    aorta: float
    mediastinum: float
    wall: float
    shoulder: float
    breast: float
    breast_level: float
    rib_gap: float
    rib_drop: float
    bone: float
    scoliosis: float
    vessels: float
    build: float
    stomach: float


@dataclass(frozen=True, slots=True)
class View:
    """Geometry and exposure of one image.

    Attributes:
        angle: Rotation in the image plane, in degrees.
        scale: Magnification.
        shift: (x, y) of the origin of the body, in half sides.
        yaw: Rotation about the long axis; shifts the mediastinum and narrows one lung.
        inspiration: Lowering of the diaphragm; negative for insufficient inspiration.
        arms: Distance by which the arms are lowered.
        offset: Attenuation displayed as black.
        gain: Contrast of the display.
        gamma: Exponent of the display.
        scatter: Share of scattered radiation.
        sharpening: Strength of the edge enhancement of the detector.
        grain: Standard deviation of the noise at the lowest detector signal.
        blur: Focal blur, in body units.
    """

    angle: float
    scale: float
    shift: tuple[float, float]
    yaw: float
    inspiration: float
    arms: float
    offset: float
    gain: float
    gamma: float
    scatter: float
    sharpening: float
    grain: float
    blur: float


def sample_patient(rng: Generator) -> Patient:
    """Sample the anatomy of one patient."""
    female = rng.random() < 0.5
    return Patient(
        width=rng.uniform(0.65, 0.745),
        apex=rng.uniform(-0.79, -0.73),
        base=rng.uniform(0.46, 0.59),
        dome_gap=rng.uniform(0.02, 0.08),
        heart=rng.normal(1.0, 0.09),
        aorta=rng.uniform(0.8, 1.35),
        mediastinum=rng.uniform(0.10, 0.145),
        wall=rng.uniform(0.06, 0.12),
        shoulder=rng.uniform(-0.06, 0.08),
        breast=rng.uniform(0.03, 0.11) if female else 0.0,
        breast_level=rng.uniform(0.30, 0.55),
        rib_gap=rng.uniform(0.138, 0.152),
        rib_drop=rng.uniform(0.8, 1.2),
        bone=rng.uniform(0.9, 1.12),
        scoliosis=rng.normal(0.0, 0.012),
        vessels=rng.uniform(0.8, 1.2),
        build=rng.normal(1.0, 0.03),
        stomach=max(0.0, rng.normal(0.05, 0.06)),
    )


def sample_view(rng: Generator) -> View:
    """Sample the geometry and exposure of one image."""
    return View(
        angle=rng.normal(0.0, 5.5),
        scale=rng.uniform(1.04, 1.28),
        shift=(rng.uniform(-0.18, 0.18), rng.uniform(-0.12, 0.20)),
        yaw=rng.normal(0.0, 0.03),
        inspiration=rng.normal(-0.01, 0.028),
        arms=rng.uniform(0.1, 0.4),
        offset=rng.uniform(0.0, 0.02),
        gain=rng.uniform(0.96, 1.07),
        gamma=rng.uniform(0.93, 1.08),
        scatter=rng.uniform(0.17, 0.23),
        sharpening=rng.uniform(0.55, 0.65),
        grain=rng.uniform(0.0060, 0.0075),
        blur=rng.uniform(0.004, 0.0055),
    )
