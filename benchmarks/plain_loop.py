"""A simple training loop: ImageFolder, float32, frozen features, a DataLoader, no cache."""

import json
import sys
import time
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn
from torch.utils.data import DataLoader
from torchmetrics.functional.classification import binary_auroc
from torchvision import datasets, models, transforms


def images(root: str, size: int, weights: str) -> tuple[datasets.ImageFolder, datasets.ImageFolder]:
    """Read root/train with augmentation and root/val, normalized as the weights expect."""
    to_tensor = [transforms.ToTensor()]
    if weights == "random":
        to_tensor += [transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]
    resize = [transforms.Resize((size, size))]
    augment = [transforms.RandomRotation(10), transforms.RandomHorizontalFlip()]
    train = datasets.ImageFolder(f"{root}/train", transforms.Compose(resize + augment + to_tensor))
    val = datasets.ImageFolder(f"{root}/val", transforms.Compose(resize + to_tensor))
    return train, val


def network(weights: str, trainable: str) -> nn.Module:
    """Build a VGG16 with a new head and frozen features (except block 5 for "block5")."""
    model: nn.Module = models.vgg16(weights=None)
    model.classifier = nn.Sequential(
        nn.Linear(25088, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, 2)
    )
    if weights != "random":
        is_safe = weights.endswith(".safetensors")
        state = load_file(weights) if is_safe else torch.load(weights, weights_only=True)
        features = {key: value for key, value in state.items() if key.startswith("features.")}
        model.load_state_dict(features, strict=False)
    assert isinstance(model.features, nn.Sequential)
    model.features[: 24 if trainable == "block5" else 31].requires_grad_(False)
    return model


def validate(model: nn.Module, loader: DataLoader[Any], device: torch.device) -> float:
    """Compute the AUROC."""
    model.eval()
    scores, targets = [], []
    with torch.no_grad():
        for image, target in loader:
            scores.append(model(image.to(device)).softmax(1)[:, 1].cpu())
            targets.append(target)
    return float(binary_auroc(torch.cat(scores), torch.cat(targets)))


def main(root: str, epochs: int, size: int, weights: str, trainable: str) -> None:
    """Train and validate; print AUROC and seconds of each epoch.

    Args:
        root: Folder with train/ and val/, each with two class folders.
        epochs: Number of epochs.
        size: Side of the images in pixels.
        weights: "random" or a weights file.
        trainable: "head" or "block5".
    """
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train, val = images(root, size, weights)
    model = network(weights, trainable).to(device)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3 if trainable == "head" else 1e-4)
    loss_of = nn.CrossEntropyLoss()
    loader = DataLoader(train, 32, shuffle=True, num_workers=2)
    val_loader = DataLoader(val, 32, num_workers=2)
    aurocs, seconds = [], []
    for _ in range(epochs):
        begin = time.perf_counter()
        model.train()
        for image, target in loader:
            optimizer.zero_grad()
            loss_of(model(image.to(device)), target.to(device)).backward()
            optimizer.step()
        aurocs.append(validate(model, val_loader, device))
        seconds.append(time.perf_counter() - begin)
    print(json.dumps({"auroc": aurocs, "epochs": seconds}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5])
