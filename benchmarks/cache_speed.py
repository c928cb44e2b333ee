"""Speed of computing activations into the cache, and of reading them."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from benchmarks.composed import configuration
from benchmarks.setting import Setting
from xray.build import build_cache, build_compute, build_data, build_model, build_trainer
from xray.caching.activations import FeatureDataset


def fill_speed(setting: Setting) -> float:
    """Fill a new cache as a training of the head does, from image files to a checked entry.

    Returns:
        Training images per second, with one view each.
    """
    with TemporaryDirectory(dir=setting.outputs) as folder:
        cfg = configuration(setting, "model.trainable=head", f"cache.dir={folder}", "cache=only")
        data = build_data(cfg)
        images = len(data.dataset("train"))
        model = build_model(cfg, data)
        compute = build_compute(cfg, cfg.trainer.gpus, run=Path(folder))
        compute.apply(model)
        cache = build_cache(cfg, build_trainer(cfg, compute)[0])
        begin = time.perf_counter()
        cache.attach(model, data, ("train",))
        return images / (time.perf_counter() - begin)


def read_speed(setting: Setting) -> float:
    """Load shuffled batches of activations at the input of block 5, as its training does.

    Returns:
        GB/s; the file is in the page cache, as in all epochs but the first.
    """
    data = build_data(configuration(setting))
    side = setting.size // 16
    with TemporaryDirectory(dir=setting.outputs) as folder:
        shape = (1, len(data.dataset("train")), side, side, 512)
        path = Path(folder) / "activations.npy"
        np.save(path, np.zeros(shape, np.uint16))
        array = np.lib.format.open_memmap(path, "r")
        array.max()
        data.serve_features("train", FeatureDataset(data.dataset("train"), array, torch.bfloat16))
        loader = data.train_dataloader()
        begin, read = time.perf_counter(), 0
        for _ in range(3):
            for batch in loader:
                read += batch["features"].nbytes
        seconds = time.perf_counter() - begin
        # Some systems cannot remove a file while it is mapped.
        del loader, array, data
    return read / seconds / 1e9
