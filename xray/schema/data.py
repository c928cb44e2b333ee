"""The keys of `data` and `transform`."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from xray.data.names import fold_name
from xray.schema.fields import (
    Count,
    Flag,
    Fraction,
    Natural,
    NaturalOrAuto,
    Pattern,
    Seed,
    Side,
    Strict,
    Text,
    must_be_given,
    wants,
)
from xray.schema.targets import Foreign, by_target

CLASSES = 2


FolderNames = Annotated[
    list[Text | int],
    wants('a list of folder names; quote names such as "true": [normal,"true"]'),
]
"""Names of class folders; numbers are names as well, since Hydra parses the name 0 as a number."""

GroupNames = dict[str, FolderNames]


def distinct_folders(key: str) -> Callable[[GroupNames], GroupNames]:
    """Return a check that there are two classes, and that each folder name belongs to one class.

    Args:
        key: Dotted key of the groups, for the message.
    """

    def check(groups: GroupNames) -> GroupNames:
        if len(groups) < CLASSES:
            raise PydanticCustomError("problem", "{key} needs at least two classes", {"key": key})
        owner: dict[str, str] = {}
        for name, folders in groups.items():
            for folder in {fold_name(str(folder)) for folder in (name, *folders)}:
                if owner.setdefault(folder, name) != name:
                    raise PydanticCustomError(
                        "problem",
                        "{key} lists the folder name '{folder}' under both {one} and {other}; "
                        "remove one of the two",
                        {"key": key, "folder": folder, "one": owner[folder], "other": name},
                    )
        return groups

    return check


class Folder(Strict):
    """A folder of images (conf/data/folder.yaml)."""

    target: Annotated[str, Field(alias="_target_")]
    root: Annotated[
        Text,
        must_be_given(
            "Pass the folder of your images, which contains train/ and test/ or one folder per "
            "class: data.root=<folder>"
        ),
    ]
    groups: Annotated[GroupNames, AfterValidator(distinct_folders("data.groups"))]
    size: Side
    batch_size: Count
    workers: NaturalOrAuto
    patient_pattern: Pattern | None
    val_fraction: Fraction
    test_fraction: Fraction
    min_val: Natural
    balance: Literal["loss", "sampler", "none"]
    split_seed: Seed
    folds: Annotated[int, Field(ge=2)] | None
    fold: Natural
    leaks: Literal["drop", "keep", "error"]
    on_bad_file: Literal["error", "skip"]
    audit: Flag
    audit_dir: Text
    seed: Seed

    @model_validator(mode="after")
    def _fold_exists(self) -> Self:
        if self.fold and self.fold >= (self.folds or 0):
            raise PydanticCustomError(
                "problem",
                "data.fold ({fold}) must be less than data.folds ({folds}): folds are numbered "
                "from 0",
                {"fold": self.fold, "folds": "null" if self.folds is None else self.folds},
            )
        return self

    @model_validator(mode="after")
    def _audit_finds_them(self) -> Self:
        if not self.audit and (self.leaks == "error" or self.on_bad_file == "skip"):
            raise PydanticCustomError(
                "problem",
                "data.leaks=error and data.on_bad_file=skip have no effect with data.audit=false, "
                "which does not search for leaks and bad files; remove them, or pass "
                "data.audit=true",
            )
        return self


class Patients(Strict):
    """Number of patients to draw for each split."""

    train: Count
    val: Count
    test: Count


class Phantom(Folder):
    """Drawn radiographs (conf/data/phantom.yaml)."""

    patients: Patients
    views: Count
    drawing_seed: Seed


Data: Any = by_target(
    {
        "xray.data.datamodule.XrayDataModule": Folder,
        "xray.data.phantom.PhantomDataModule": Phantom,
    }
)

Steps = Annotated[list[Foreign], Field(min_length=1)]


class Transform(Strict):
    """Lists of albumentations transforms (conf/transform)."""

    train: Steps
    eval: Steps
