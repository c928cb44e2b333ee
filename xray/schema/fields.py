"""Types of values, without conversion between text and numbers, and with readable messages."""

import re
from collections.abc import Collection
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from xray.errors import ConfigError
from xray.saliency.methods import METHODS
from xray.stats.rule import FORMS, parse_rule

MISSING = "???"
"""OmegaConf's mark for a mandatory value that is not set."""


class Strict(BaseModel):
    """A group of keys; other keys are errors, and so are conversions, except from int to float."""

    model_config = ConfigDict(extra="forbid", strict=True, protected_namespaces=())


def wants(expected: str) -> WrapValidator:
    """Return a validator that describes the expected value instead of pydantic's own errors.

    Args:
        expected: Phrase that follows "must be", such as "a number greater than 0".
    """

    def check(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValidationError:
            raise PydanticCustomError("wants", "{expected}", {"expected": expected}) from None

    return WrapValidator(check)


def must_be_given(advice: str) -> BeforeValidator:
    """Return a validator that rejects `???`.

    Args:
        advice: How to set the value, as a sentence.
    """

    def check(value: Any) -> Any:
        if value == MISSING:
            raise PydanticCustomError("unset", "{advice}", {"advice": advice})
        return value

    return BeforeValidator(check)


def one_of(options: Collection[str]) -> BeforeValidator:
    """Return a validator that accepts the names in a table of the code.

    Args:
        options: The names, in the order in which a message lists them.
    """

    def check(value: Any) -> Any:
        # A row may be added to the table after this module is imported.
        names = tuple(options)
        if not isinstance(value, str) or value not in names:
            raise PydanticCustomError("option", "{options}", {"options": names})
        return value

    return BeforeValidator(check)


def _compiles(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise PydanticCustomError(
            "wants",
            "{expected}",
            {"expected": f"a valid regular expression ({error})"},
        ) from None
    return value


Positive = Annotated[FiniteFloat, Field(gt=0), wants("a number greater than 0")]
NonNegative = Annotated[FiniteFloat, Field(ge=0), wants("a number, 0 or greater")]
Number = Annotated[FiniteFloat, wants("a number")]
Rate = Annotated[FiniteFloat, Field(ge=0, lt=1), wants("a number, at least 0 and less than 1")]
Fraction = Annotated[
    FiniteFloat, Field(gt=0, le=0.5), wants("a number, greater than 0 and at most 0.5")
]
Count = Annotated[int, Field(ge=1), wants("a whole number, 1 or greater")]
Natural = Annotated[int, Field(ge=0), wants("a whole number, 0 or greater")]
Seed = Annotated[int, Field(ge=0, lt=2**32), wants("a whole number from 0 to 4294967295")]
Flag = Annotated[bool, wants("true or false")]
Text = Annotated[str, Field(min_length=1), wants("text")]
Pattern = Annotated[str, AfterValidator(_compiles)]
Auto = Literal["auto"]
FlagOrAuto = Annotated[bool | Auto, wants("true, false or auto")]
NaturalOrAuto = Annotated[
    Annotated[int, Field(ge=0)] | Auto, wants("a whole number, 0 or greater, or auto")
]
CountOrAuto = Annotated[
    Annotated[int, Field(ge=1)] | Auto, wants("a whole number, 1 or greater, or auto")
]
Side = Annotated[int, Field(ge=32, multiple_of=32), wants("a multiple of 32, 32 or greater")]
Tag = Annotated[
    Annotated[str, Field(pattern=r"^[^/\\\s.][^/\\\n]*$")] | int | float,
    wants("a directory name: not empty, no slashes, no dot or space at the start"),
]


def _rule(value: float | str) -> float | str:
    try:
        parse_rule(str(value))
    except ConfigError:
        raise PydanticCustomError("wants", "{expected}", {"expected": FORMS}) from None
    return value


Threshold = Annotated[float | str, AfterValidator(_rule), wants(FORMS)]

Mode = Literal["min", "max"]
Split = Literal["train", "val", "test"]
CamMethod = Annotated[str, one_of(METHODS)]
