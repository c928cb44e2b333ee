"""The loop that everyone writes: ImageFolder, float32, frozen features, a DataLoader, no cache."""

import json
import sys

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchmetrics.functional.classification import binary_auroc
from torchvision import datasets, models, transforms


def main(root: str, epochs: int, size: int, trainable: str) -> None:
    """Train a head (and block 5) of a random VGG16, validating after every epoch.

    Args:
        root: Holds train/ and val/, each with class folders.
        epochs: How many.
        size: Side of the images, pixels.
        trainable: "head" or "block5".
    """
    torch.manual_seed(0)
    normalize = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    to_tensor = [transforms.Resize((size, size)), transforms.ToTensor(), normalize]
    augment = [transforms.RandomRotation(10), transforms.RandomHorizontalFlip()]
    train = datasets.ImageFolder(f"{root}/train", transforms.Compose(augment + to_tensor))
    val = datasets.ImageFolder(f"{root}/val", transforms.Compose(to_tensor))
    positive = next(i for i, name in enumerate(train.classes) if name.lower() == "normal")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = models.vgg16(weights=None).to(device)
    model.features[: 24 if trainable == "block5" else None].requires_grad_(False)
    model.classifier = nn.Sequential(
        nn.Linear(25088, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, len(train.classes))
    ).to(device)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3 if trainable == "head" else 1e-4)
    loss_of = nn.CrossEntropyLoss()
    loader = DataLoader(train, 32, shuffle=True, num_workers=2)
    val_loader = DataLoader(val, 32, num_workers=2)
    auroc = 0.0
    for _ in range(epochs):
        model.train()
        for image, target in loader:
            optimizer.zero_grad()
            loss_of(model(image.to(device)), target.to(device)).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            parts = [
                (model(image.to(device)).softmax(1).cpu(), target) for image, target in val_loader
            ]
        scores, targets = (torch.cat(part) for part in zip(*parts, strict=True))
        auroc = float(binary_auroc(scores[:, positive], (targets == positive).long()))
    print(json.dumps({"auroc": auroc}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
