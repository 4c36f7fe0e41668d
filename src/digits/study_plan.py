"""What a study is to do: variants of a trainer's recipe, each from several seeds, as a TOML file declares them.

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

import tomllib
from dataclasses import dataclass
from pathlib import Path

from digits import paths

TRAINERS = ("train_mlp", "train_cnn", "train_advanced")
SCORED_ON = ("validation", "test")
# What a study sets for each run itself.
RESERVED = ("name", "data_dir", "output_dir", "report_dir", "random_seed", "resume", "score_test")

Options = dict[str, str | int | float | bool | list]


@dataclass(frozen=True)
class Run:
    """One training: a variant from one seed.

    Attributes:
        variant: the variant's name, which the checkpoint gets too.
        trainer: the script in `src` that trains it, without `.py`.
        options: what the variant sets of the trainer's options, by their Python names.

    Raises:
        ValueError: the variant's name can't be that of a folder and of a checkpoint.
    """

    variant: str
    seed: int
    trainer: str
    options: Options

    def __post_init__(self) -> None:
        paths.check_name(self.variant, "a variant's name")

    @property
    def name(self) -> str:
        """Of the run's folder."""
        return f"{self.variant}-{self.seed}"

    def arguments(self) -> list[str]:
        """The trainer's command line for this variant and seed, but for the folders."""
        given = ["--name", self.variant, "--random-seed", str(self.seed)]
        for option, value in self.options.items():
            flag = option.replace("_", "-")
            if isinstance(value, bool):
                given.append(f"--{flag}" if value else f"--no-{flag}")
            else:
                given += [f"--{flag}", *map(str, value if isinstance(value, list) else [value])]
        return given


@dataclass(frozen=True)
class Study:
    """The declaration of a study.

    Attributes:
        name: the file's, without suffix.
        description: what it is about, in a line.
        scored_on: `validation` for choices, `test` for what is chosen.
        seeds: ascending.
        variants: by name the trainer and the options; the first is what the others are compared with.
        ensembles: by name the variant whose seeds make up the ensemble.
    """

    name: str
    description: str
    scored_on: str
    seeds: tuple[int, ...]
    variants: dict[str, tuple[str, Options]]
    ensembles: dict[str, str]

    def runs(self) -> list[Run]:
        """Every run, all variants of a seed before the next seed, so that a stopped study can compare what it has."""
        return [
            Run(variant, seed, trainer, options)
            for seed in self.seeds
            for variant, (trainer, options) in self.variants.items()
        ]


def read(path: Path) -> Study:
    """Read a study's declaration.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it isn't TOML, or something in it is missing, unknown or of another kind than expected.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no study {path}; there are: {', '.join(map(str, known()))}")
    try:
        declared = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not TOML: {error}") from error
    _check(declared, path)
    shared = declared.get("shared", {})
    variants = {}
    for name, given in declared["variants"].items():
        options = shared | given
        variants[name] = (options.pop("trainer"), options)
    return Study(
        path.stem,
        declared["description"],
        declared["scored_on"],
        tuple(sorted(declared["seeds"])),
        variants,
        declared.get("ensembles", {}),
    )


def known() -> list[Path]:
    """The declarations that come with the project."""
    return sorted(paths.STUDIES.glob("*.toml"))


def _check(declared: dict, path: Path) -> None:
    expected = {"description": str, "scored_on": str, "seeds": list, "variants": dict}
    if unknown := sorted(set(declared) - {*expected, "shared", "ensembles"}):
        raise ValueError(f"{path} declares {', '.join(unknown)}; expected {', '.join(expected)}, shared, ensembles")
    for key, kind in expected.items():
        if not isinstance(declared.get(key), kind) or not declared[key]:
            raise ValueError(f"expected {key} in {path}, and not empty, as {kind.__name__}")
    if declared["scored_on"] not in SCORED_ON:
        raise ValueError(f"expected scored_on in {path} to be {' or '.join(SCORED_ON)}, got {declared['scored_on']!r}")
    seeds = declared["seeds"]
    if not all(type(seed) is int and seed >= 0 for seed in seeds) or len(set(seeds)) < len(seeds):
        raise ValueError(f"expected seeds in {path} to be different whole numbers, got {seeds}")
    if not isinstance(declared.get("shared", {}), dict):
        raise ValueError(f"expected shared in {path} to be a table of options")
    for ensemble, of in declared.get("ensembles", {}).items():
        if of not in declared["variants"]:
            raise ValueError(f"expected ensemble {ensemble} in {path} to name one of the variants, got {of}")
    for name, given in declared["variants"].items():
        options = declared.get("shared", {}) | given if isinstance(given, dict) else {}
        if options.get("trainer") not in TRAINERS:
            raise ValueError(f"expected variant {name} in {path} to have as trainer one of {', '.join(TRAINERS)}")
        if reserved := sorted(set(options) & set(RESERVED)):
            raise ValueError(f"variant {name} in {path} sets {', '.join(reserved)}, which the study does itself")
