"""Grad-CAM by the framework and by the grad-cam package, alternating in one process."""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.composed import configuration
from benchmarks.setting import Setting
from xray.build import build_data, build_model
from xray.saliency.gradcam import saliency_maps

Maps = NDArray[np.float32]
BATCH = 8


def gradcam(setting: Setting, repeats: int = 5) -> list[dict[str, Any]]:
    """Explain one class in a batch of validation images, both ways, on the same network.

    The package receives the whole network in evaluation mode, with all parameters requiring
    gradients as in torchvision's models, and the same layer: the last ReLU before the last pooling.

    Args:
        setting: Images and weights.
        repeats: Number of measured pairs, after one that is not measured. Ratios are medians.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    cfg = configuration(setting, f"data.batch_size={BATCH}", "data.workers=0")
    data = build_data(cfg)
    model = build_model(cfg, data).eval().requires_grad_(True).to(device)
    images = next(iter(data.val_dataloader()))["image"].to(device)
    targets = [1] * len(images)
    theirs = _package(model, images, targets)

    def ours() -> Maps:
        return saliency_maps(*model.saliency_parts(), images, targets)[0]

    base_maps, maps = theirs(), ours()
    pairs = [(_timed(theirs), _timed(ours)) for _ in range(repeats)]
    return [
        {
            "name": f"Grad-CAM of {len(images)} images",
            "against": "the grad-cam package's own pass through the whole network",
            "base_seconds": median(base for base, _ in pairs),
            "seconds": median(own for _, own in pairs),
            "ratio": median(base / own for base, own in pairs),
            "difference": float(np.abs(base_maps - maps).max()),
        }
    ]


def _package(model: Any, images: torch.Tensor, targets: list[int]) -> Callable[[], Maps]:
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    last = list(model.backbone.block5)[-1 - model.backbone.pool_after_target]
    cam: Any = GradCAM(model=model, target_layers=[last])
    wanted = [ClassifierOutputTarget(target) for target in targets]

    def maps() -> Maps:
        result: Maps = cam(input_tensor=images, targets=wanted)
        return result

    return maps


def _timed(call: Callable[[], Maps]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin
