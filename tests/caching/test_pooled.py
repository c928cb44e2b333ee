import albumentations as A
import pytest
import torch
from small_cache import TREE, arrays, build, cache, classifier

from xray.caching.key import is_pooled


@pytest.fixture(scope="module")
def heads():
    """The same network with each pooling."""
    return {pooling: classifier("head", pooling) for pooling in ("avg", "max", "avgmax", "flatten")}


@pytest.fixture
def data(make_tree):
    resize = [A.Resize(96, 96)]
    return build(make_tree(TREE), {"train": resize, "eval": resize}, size=96)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_pooled_activations_have_the_logits_of_an_uncached_run(tmp_path, heads, data, dtype):
    def context():
        return torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32)

    for pooling, model in heads.items():
        data.serve_images()
        pixels = next(iter(data.val_dataloader()))
        cache(tmp_path / "cache", context=context).attach(model, data, ["val"])
        cached = next(iter(data.val_dataloader()))
        assert cached["features"].shape == ((4, 512, 3, 3) if pooling == "flatten" else (4, 1024))
        with torch.no_grad(), context():
            # Batches of the uncached run and blocks of the fill have the same size.
            logits = model.from_cut(model.to_cut(pixels["image"]))
            assert torch.allclose(model.from_cut(cached["features"]), logits, atol=1e-5, rtol=1e-5)
    # One entry serves avg, max and avgmax; flatten stores maps.
    sizes = sorted(map(len, arrays(tmp_path / "cache").values()))
    assert sizes == [128 + 8 * 1024 * 4, 128 + 8 * 512 * 9 * dtype.itemsize]


def test_pooled_only_if_exact_and_smaller(heads):
    maps = torch.zeros(1, 512, 7, 7)
    assert is_pooled(heads["avg"], maps)
    assert not is_pooled(heads["flatten"], maps)
    assert not is_pooled(heads["max"], maps[..., :1, :2])
    assert not is_pooled(heads["max"], maps[..., :2, :2].bfloat16())
    assert is_pooled(heads["max"], maps[..., :2, :3].bfloat16())
    assert not is_pooled(classifier("block5"), maps)


def test_flatten_is_advised_that_pooling_would_fit(tmp_path, heads, data, caplog):
    cache(tmp_path / "cache", max_gb=0.1 / 1024).attach(heads["flatten"], data, ["val"])
    assert "these would fit: model.head.pooling=avg (0.0 MiB)" in caplog.text
