import numpy as np
import pytest
import torch
from conftest import write_image

from xray.data.datamodule import XrayDataModule
from xray.features.store import FeatureDataset, FeatureWriter, open_features


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_what_is_written_is_read_bit_for_bit(tmp_path, dtype):
    path = tmp_path / "x.npy"
    writer = FeatureWriter(path, (1, 3, 2, 1, 1), dtype)
    values = torch.randn(3, 2, 1, 1).to(dtype)
    writer.write(0, 0, values[:2])
    writer.write(0, 2, values[2:])
    assert open_features(path, dtype, (1, 3, 2, 1, 1)) is None
    writer.close({"cut": 5})
    writer.discard()
    array = open_features(path, dtype, (1, 3, 2, 1, 1))
    bits = torch.from_numpy(np.array(array[0]))
    assert torch.equal(bits.view(dtype) if dtype == torch.bfloat16 else bits, values)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.json", "x.npy"]


def test_an_interrupted_fill_leaves_nothing(tmp_path):
    writer = FeatureWriter(tmp_path / "x.npy", (1, 3, 2, 1, 1), torch.float32)
    writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_shape_or_a_damaged_one_is_not_used(tmp_path):
    path = tmp_path / "x.npy"
    FeatureWriter(path, (1, 3, 2, 1, 1), torch.float32).close({})
    assert open_features(path, torch.float32, (1, 4, 2, 1, 1)) is None
    assert open_features(path, torch.bfloat16, (1, 3, 2, 1, 1)) is None
    path.write_bytes(b"not an array")
    assert open_features(path, torch.float32, (1, 3, 2, 1, 1)) is None


def test_epochs_go_round_the_views(tmp_path, transforms):
    for i in range(4):
        for split in ("train", "test"):
            for label in ("normal", "covid"):
                write_image(tmp_path / "set" / split / label / f"patient{i:04d}_0.png", seed=i)
    data = XrayDataModule(
        tmp_path / "set", {"normal": [], "covid": []}, transforms, size=32, workers=0
    )
    split = data.dataset("test")
    array = np.arange(16, dtype=np.float32).reshape(2, 8, 1, 1, 1)
    dataset = FeatureDataset(split, array, torch.float32)
    batch = dataset.__getitems__([(0, 5), (1, 5), (2, 0), 7])
    assert batch["features"].flatten().tolist() == [5.0, 13.0, 0.0, 7.0]
    assert batch["index"].tolist() == [5, 5, 0, 7]
    assert batch["target"].tolist() == [split.samples[i].target for i in (5, 5, 0, 7)]
    assert len(dataset) == 8
