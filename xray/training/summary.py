"""What is trained and what is frozen, as a table."""

from typing import Any

import torch
from rich.table import Table

from xray.data.extraneous import describe_unread
from xray.model.classifier import XrayClassifier


def model_table(model: XrayClassifier, size: int) -> Table:
    """Show each part's output, parameters and state.

    Args:
        model: The classifier.
        size: Side of its input, pixels.
    """
    source, (mean, std) = (
        model.hparams["weights_source"],
        (model.normalize.mean, model.normalize.std),
    )
    scale = f"mean {mean.mean():.3f}, std {std.mean():.3f}"
    title = f"{model.backbone.name}, weights: {source}, input normalised by {scale}"
    table = Table(title=title, title_justify="left")
    for column, justify in (
        ("part", "left"),
        ("output", "right"),
        ("parameters", "right"),
        ("state", "left"),
    ):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    activations = model.normalize(torch.zeros(1, 1, size, size, device=model.device))
    for i, (name, block) in enumerate(model.backbone.named_children()):
        with torch.no_grad():
            activations = block.eval()(activations)
        state = f"trained, lr {model.optim['backbone_lr']:g}" if i >= model.frozen else "frozen"
        if model.unfreezing and model.cut <= i < model.frozen:
            state = f"frozen, trained from epoch {model.unfreezing['epoch']}"
        table.add_row(
            name, " x ".join(map(str, activations.shape[1:])), f"{_count(block):,}", state
        )
    model.train(model.training)
    table.add_row(
        "head",
        str(len(model.classes)),
        f"{_count(model.head):,}",
        f"trained, lr {model.optim['lr']:g}",
    )
    return table


def _count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def data_table(description: dict[str, Any]) -> Table:
    """Show how many images and patients each split has.

    Args:
        description: As `XrayDataModule.describe` gives it.
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
