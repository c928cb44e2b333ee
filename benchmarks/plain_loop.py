"""The loop that everyone writes: ImageFolder, float32, frozen features, a DataLoader, no cache."""

import sys
import time

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, models, transforms


def main(root: str, epochs: int) -> None:
    """Train a head on a frozen VGG16, validating after every epoch.

    Args:
        root: Holds train/ and val/, each with class folders.
        epochs: How many.
    """
    torch.manual_seed(0)
    normalize = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    to_tensor = [transforms.Resize((224, 224)), transforms.ToTensor(), normalize]
    augment = [transforms.RandomRotation(10), transforms.RandomHorizontalFlip()]
    train = datasets.ImageFolder(f"{root}/train", transforms.Compose(augment + to_tensor))
    val = datasets.ImageFolder(f"{root}/val", transforms.Compose(to_tensor))
    model = models.vgg16(weights=None)
    model.features.requires_grad_(False)
    model.classifier = nn.Sequential(
        nn.Linear(25088, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, len(train.classes))
    )
    optimizer = torch.optim.AdamW(model.classifier.parameters(), lr=1e-3)
    loss_of = nn.CrossEntropyLoss()
    loader = DataLoader(train, 32, shuffle=True, num_workers=2)
    val_loader = DataLoader(val, 32, num_workers=2)
    for epoch in range(epochs):
        begin, right = time.perf_counter(), 0
        model.train()
        for image, target in loader:
            optimizer.zero_grad()
            loss_of(model(image), target).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            for image, target in val_loader:
                right += int((model(image).argmax(1) == target).sum())
        seconds = time.perf_counter() - begin
        print(f"epoch {epoch}: accuracy {right / len(val):.3f}, {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
