"""The keys of `prepare` and of its sources."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from xray.schema.data import GroupNames, Patients, distinct_folders
from xray.schema.fields import (
    Count,
    CountOrAuto,
    Flag,
    Fraction,
    Pattern,
    Seed,
    Side,
    Strict,
    Text,
    wants,
)
from xray.schema.targets import by_target
from xray.sources.splitting import Splitting, current_splitting


def _given(value: Any) -> Any:
    if value is None:
        raise PydanticCustomError(
            "problem",
            "path is not set. Pass the location of your images: path=<archive, folder or CSV file>",
        )
    return value


def _current(value: Any) -> Any:
    return current_splitting(value) if isinstance(value, str) else value


def _one_or_more(value: Any) -> Any:
    if value == {}:
        raise PydanticCustomError(
            "problem",
            "source is not set. Pass one, such as source=kermany; --help lists the options",
        )
    return value


class Download(Strict):
    """A public dataset (conf/source)."""

    target: Annotated[str, Field(alias="_target_")]
    path: Text | None


class CovidChestxray(Download):
    """The source covid_chestxray (conf/source/covid_chestxray.yaml)."""

    views: Annotated[list[Text], Field(min_length=1), wants("a list of views, such as [PA, AP]")]


class PneumoniaMnist(Download):
    """The source pneumonia_mnist (conf/source/pneumonia_mnist.yaml)."""

    resolution: Literal[28, 64, 128, 224]


class Local(Strict):
    """The user's own images (conf/source/manifest.yaml)."""

    target: Annotated[str, Field(alias="_target_")]
    path: Annotated[Text, BeforeValidator(_given)]


class Folder(Local):
    """A folder of the user's own images (conf/source/folder.yaml)."""

    patient_pattern: Pattern | None


class Phantom(Strict):
    """Drawn radiographs (conf/source/phantom.yaml)."""

    target: Annotated[str, Field(alias="_target_")]
    patients: Patients
    views: Count
    size: Side
    drawing_seed: Seed


Source: Any = by_target(
    {
        "xray.sources.kermany.Kermany": Download,
        "xray.sources.covid19_radiography.Covid19Radiography": Download,
        "xray.sources.covid19_image.Covid19Image": Download,
        "xray.sources.covid_chestxray.CovidChestxray": CovidChestxray,
        "xray.sources.pneumonia_mnist.PneumoniaMnist": PneumoniaMnist,
        "xray.sources.nih.Nih": Download,
        "xray.sources.rsna.Rsna": Download,
        "xray.sources.folder.Folder": Folder,
        "xray.sources.manifest.Manifest": Local,
        "xray.sources.phantom.Phantom": Phantom,
    }
)

Name = Annotated[
    Annotated[str, Field(pattern=r"^\w[\w.-]*$")], wants("letters, digits, '_', '-' and '.'")
]


class PrepareKeys(Strict):
    """Keys of conf/prepare.yaml, except paths."""

    source: Annotated[dict[Name, Source], BeforeValidator(_one_or_more)]
    path: Text | None
    out: Text | None
    groups: Annotated[GroupNames, AfterValidator(distinct_folders("groups"))]
    leave_out: Annotated[list[Text], wants("a list of labels")]
    split: Annotated[Splitting, BeforeValidator(_current)]
    test_fraction: Fraction
    limit: Count | None
    size: Annotated[
        Annotated[int, Field(ge=32)] | None, wants("a whole number, 32 or greater, or null")
    ]
    keep_aspect: Flag
    upscale: Flag
    verify: Flag
    certify: Flag
    link: Flag
    workers: CountOrAuto
    seed: Seed

    @model_validator(mode="after")
    def _keys_fit(self) -> Self:
        if self.path is not None and len(self.source) > 1:
            names = " ".join(f"source.{name}.path=..." for name in self.source)
            raise PydanticCustomError(
                "problem",
                "path can only be used with one source; for several sources, pass {names}",
                {"names": names},
            )
        if self.path is not None and any(isinstance(s, Phantom) for s in self.source.values()):
            raise PydanticCustomError(
                "problem",
                "path cannot be used with source=phantom, which draws its images; remove it",
            )
        if self.link and self.size is not None:
            raise PydanticCustomError(
                "problem",
                "link=true cannot be combined with size, because linked files are not changed; "
                "remove one of the two",
            )
        if self.size is None and (self.upscale or not self.keep_aspect):
            raise PydanticCustomError(
                "problem",
                "upscale and keep_aspect only apply to images that are resized; pass size as well",
            )
        return self
