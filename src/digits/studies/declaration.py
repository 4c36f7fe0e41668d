"""The declaration of a study: variants of a trainer's recipe, each trained with several seeds, in a TOML file.

description = "What each family of augmentation buys"
scored_on = "validation"
seeds = [0, 1]

[shared]
epochs = 10

[variants.everything]
trainer = "train_advanced"

[variants.without_noise]
trainer = "train_advanced"
leave_out = ["noise"]
"""

import json
import runpy
import tomllib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from digits import errors, files, paths
from digits.training.recipe import FORMER_NAMES, Recipe, without_effect

TRAINERS = ("train_mlp", "train_cnn", "train_advanced")
# Options that the study sets itself for each run.
RESERVED = ("name", "data_dir", "output_dir", "report_dir", "random_seed", "resume", "score_test")

Options = dict[str, str | int | float | list]


@dataclass(frozen=True)
class StudyRun:
    """One training: a variant with one seed.

    Attributes:
        variant: the name of the variant and of its checkpoint.
        trainer: the script in `src` that trains it, without `.py`.
        options: the trainer's options that the variant sets, by their Python names.

    Raises:
        ValueError: the name of the variant isn't allowed.
    """

    variant: str
    seed: int
    trainer: str
    options: Options

    def __post_init__(self) -> None:
        _check_variant(self.variant)

    @property
    def name(self) -> str:
        """The name of the run's folder."""
        return f"{self.variant}-{self.seed}"

    def arguments(self) -> list[str]:
        """The trainer's command line for this variant and seed, without its folders."""
        given = ["--name", self.variant, "--random-seed", str(self.seed)]
        for option, value in self.options.items():
            # An empty list is the default of all that take one.
            if value != []:
                given += [f"--{option.replace('_', '-')}", *map(str, value if isinstance(value, list) else [value])]
        return given


@dataclass(frozen=True)
class Study:
    """A declared study.

    Attributes:
        name: the name of the file, without suffix.
        description: one line about the study.
        scored_on: `validation` to choose a variant, `test` for final scores.
        seeds: in ascending order.
        variants: by name, the trainer and the options; the others are compared with the first.
        ensembles: by name, the variant whose seeds form the ensemble.
    """

    name: str
    description: str
    scored_on: str
    seeds: tuple[int, ...]
    variants: dict[str, tuple[str, Options]]
    ensembles: dict[str, str]

    def runs(self) -> list[StudyRun]:
        """Every run, all variants of a seed before the next seed, so that an interrupted study can be compared."""
        return [
            StudyRun(variant, seed, trainer, options)
            for seed in self.seeds
            for variant, (trainer, options) in self.variants.items()
        ]


def read(path: Path) -> Study:
    """Read a study's declaration.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it isn't TOML, or something in it is missing, unknown or of the wrong type; or a variant sets an
            option that its trainer lacks or refuses, or that the study sets.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no study {path}; there are: {', '.join(map(str, known()))}")
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not TOML: {error}") from error
    try:
        declared = _Declaration.model_validate(written)
    except ValidationError as error:
        raise ValueError(f"{path} is not a study: {errors.sentence(error)}") from error
    variants = {}
    for name, given in declared.variants.items():
        try:
            variants[name] = _checked(declared.shared | given)
        except ValueError as error:
            raise ValueError(f"variant {name} in {path}: {errors.sentence(error)}") from error
    return Study(
        files.check_name(path.stem, "a study's name"),
        declared.description,
        declared.scored_on,
        tuple(sorted(declared.seeds)),
        variants,
        declared.ensembles,
    )


def known() -> list[Path]:
    """The declarations that come with the project."""
    return sorted(paths.STUDIES.glob("*.toml"))


def _checked(given: dict) -> tuple[str, Options]:
    """A variant's trainer and its options, checked against the trainer's recipe."""
    options = dict(given)
    trainer = options.pop("trainer", None)
    if trainer not in TRAINERS:
        raise ValueError(f"expected one of these as trainer: {', '.join(TRAINERS)}, got {trainer!r}")
    # The trainer is a script, not a module of the library.
    script = runpy.run_path(str(paths.ROOT / "src" / f"{trainer}.py"))
    recipe: Recipe = script.get("RECIPES", {}).get(str(options.get("architecture")), script["RECIPE"])
    if reserved := sorted(set(options) & set(RESERVED)):
        raise ValueError(f"sets {', '.join(reserved)}, which the study sets itself")
    if unknown := sorted(set(options) - {field.name for field in fields(recipe)}):
        raise ValueError(f"sets {', '.join(map(repr, unknown))}, which {trainer} doesn't have")
    # As JSON, because pydantic's strict mode accepts no Python dictionary for a dataclass.
    written = json.dumps(asdict(recipe) | options, default=str)
    checked = TypeAdapter(type(recipe)).validate_json(written, strict=True)
    for reason, names in without_effect(checked).items():
        if unused := [name for name in names if name in options]:
            raise ValueError(f"sets {', '.join(unused)}, without effect {reason}")
    return trainer, options


def _check_variant(name: str) -> str:
    if files.check_name(name, "a variant's name").lower() == "run":
        raise ValueError("expected a variant's name other than run, because each run has a file run.json")
    return name


def _with_underscores(options: dict) -> dict:
    """Options by their present Python names, given in either spelling of the command line or by a former name."""
    underscored = {option.replace("-", "_"): value for option, value in options.items()}
    renamed = {FORMER_NAMES.get(option, option): value for option, value in underscored.items()}
    if len(renamed) < len(options):
        raise ValueError(f"expected each option once, got {list(options)}")
    return renamed


Table = Annotated[dict[str, object], AfterValidator(_with_underscores)]
VariantName = Annotated[str, AfterValidator(_check_variant)]
EnsembleName = Annotated[str, AfterValidator(lambda name: files.check_name(name, "an ensemble's name"))]


class _Declaration(BaseModel):
    """The contents of the file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    description: Annotated[str, Field(min_length=1)]
    scored_on: Literal["validation", "test"]
    seeds: Annotated[list[Annotated[int, Field(ge=0, lt=2**32)]], Field(min_length=1)]
    shared: Table = {}
    variants: Annotated[dict[VariantName, Table], Field(min_length=1)]
    ensembles: dict[EnsembleName, str] = {}

    @model_validator(mode="after")
    def _fits(self) -> "_Declaration":
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"expected different seeds, got {self.seeds}")
        for ensemble, of in self.ensembles.items():
            if of not in self.variants or ensemble in self.variants:
                raise ValueError(f"expected ensemble {ensemble} to be of a variant and named unlike any, got {of!r}")
        names = [*self.variants, *self.ensembles]
        if len({name.lower() for name in names}) < len(names):
            # On many file systems they would share their files.
            raise ValueError(f"expected names that differ in more than case, got {', '.join(names)}")
        return self
