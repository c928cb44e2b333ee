"""Tables of the data and the model at the start of training."""

from typing import Any

import pytorch_lightning as pl
import torch
from rich.table import Table

from xray.data.extraneous import describe_unread
from xray.model.classifier import XrayClassifier


def weights_source(model: pl.LightningModule) -> str:
    """Return the name of the model's initial weights; "unknown" for other LightningModules."""
    return str(model.hparams.get("weights_source", "unknown"))


def model_table(model: pl.LightningModule, size: int) -> Table:
    """Describe each part of a model: output, number of parameters, and whether it is trained.

    Args:
        model: The classifier; of other LightningModules, the direct submodules are described.
        size: Side of its input images, pixels.
    """
    if not isinstance(model, XrayClassifier):
        return _foreign_table(model)
    mean, std = model.normalize.mean.mean(), model.normalize.std.mean()
    table = _table(
        f"{model.backbone.name}, weights: {weights_source(model)}, input normalized by mean "
        f"{mean:.3f}, std {std:.3f}",
        "output",
    )
    activations = model.normalize(
        torch.zeros(1, 1, size, size, dtype=torch.uint8, device=model.device)
    )
    for i, (name, block) in enumerate(model.backbone.named_children()):
        with torch.no_grad():
            activations = block.eval()(activations)
        shape = " x ".join(map(str, activations.shape[1:]))
        table.add_row(name, shape, f"{_count(block):,}", _state(model, i))
    model.train(model.training)
    state = f"trained, lr {model.optim['lr']:g}"
    table.add_row("head", str(len(model.classes)), f"{_count(model.head):,}", state)
    return table


def _state(model: XrayClassifier, block: int) -> str:
    if block >= model.frozen:
        return f"trained, lr {model.optim['backbone_lr']:g}"
    if model.unfreezing and block >= model.cut:
        return f"frozen, trained from epoch {model.unfreezing['epoch']}"
    return "frozen"


def _foreign_table(model: pl.LightningModule) -> Table:
    table = _table(type(model).__qualname__)
    for name, part in model.named_children():
        if count := _count(part):
            trained = any(parameter.requires_grad for parameter in part.parameters())
            table.add_row(name, f"{count:,}", "trained" if trained else "frozen")
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("part")
    for column in (*columns, "parameters"):
        table.add_column(column, justify="right")
    table.add_column("state")
    return table


def _count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def data_table(description: dict[str, Any]) -> Table:
    """Count the images and patients of each split.

    Args:
        description: The result of `XrayDataModule.describe`.
    """
    classes, audit = description["classes"], description["audit"]
    table = Table(
        title=f"data: {description['root']}",
        caption=f"split: {_verdict(audit)}",
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("split")
    for column in ("images", "patients", *classes, "folders"):
        table.add_column(column, justify="left" if column == "folders" else "right")
    for split, counts in description["splits"].items():
        folders = ", ".join(f"{label} {count}" for label, count in counts["labels"].items())
        numbers = [
            counts["images"],
            counts["patients"],
            *(counts["classes"][name] for name in classes),
        ]
        table.add_row(split, *(f"{number:,}" for number in numbers), folders)
    return table


def _verdict(audit: dict[str, Any]) -> str:
    """Return the verdict on the split, and the numbers of images and files that are not used."""
    details = [f"{count:,} removed from {split}" for split, count in audit["dropped"].items()]
    details.append(f"{audit['skipped']:,} bad files skipped")
    # Older runs did not count these files.
    extraneous = audit.get("extraneous", {"masks": 0, "outside": 0, "unread": {}})
    details.append(f"{extraneous['masks']:,} masks skipped")
    details.append(f"{extraneous['outside']:,} images outside the class folders")
    unread = extraneous["unread"]
    details.append(f"{sum(unread.values()):,} image files not read ({describe_unread(unread)})")
    details.append(f"{audit['unknown_patients']:,} images have no patient ID")
    shown = [text for text in details if not text.startswith("0 ")]
    return ", ".join([audit["verdict"], *shown])
