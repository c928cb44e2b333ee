import torch
from torch.utils.data import DistributedSampler

from xray.data.sampler import EpochSampler


def test_the_order_depends_only_on_seed_and_epoch():
    sampler = EpochSampler(6, seed=1)
    first = list(sampler)
    assert sorted(index for _, index in first) == list(range(6))
    assert {epoch for epoch, _ in first} == {0}
    sampler.set_epoch(3)
    third = list(sampler)
    assert {epoch for epoch, _ in third} == {3}
    assert [i for _, i in third] != [i for _, i in first]
    resumed = EpochSampler(6, seed=1)
    resumed.set_epoch(3)
    assert list(resumed) == third


def test_weights_draw_with_replacement():
    sampler = EpochSampler(1000, seed=0, weights=torch.tensor([0.0, 3.0, 1.0] + [0.0] * 997))
    counts = torch.bincount(torch.tensor([index for _, index in sampler]), minlength=3)
    assert counts[0] == 0
    assert 650 < counts[1] < 850
    assert counts.sum() == 1000


def test_processes_share_an_epoch(monkeypatch):
    monkeypatch.setattr("torch.distributed.is_initialized", lambda: True)
    monkeypatch.setattr("torch.distributed.get_world_size", lambda: 2)
    shares = []
    for rank in (0, 1):
        monkeypatch.setattr("torch.distributed.get_rank", lambda rank=rank: rank)
        shares.append([index for _, index in EpochSampler(5, seed=0)])
    assert [len(share) for share in shares] == [3, 3]
    assert set(shares[0] + shares[1]) == set(range(5))


def test_lightning_keeps_the_sampler_in_distributed_training():
    # Lightning replaces samplers that are not distributed by its own.
    assert isinstance(EpochSampler(4, seed=0), DistributedSampler)
