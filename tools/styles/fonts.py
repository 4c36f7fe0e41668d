"""Draw characters with the handwriting fonts of `fonts.txt`, which are under open licences."""

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from digits import paths
from tools.styles.pen import in_frame

VERSION = "5.3.0"
# By name, whether a font is held out.
FONTS = {
    name: part == "held-out"
    for line in Path(__file__).with_name("fonts.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
    for name, part, _ in [line.split()]
}
# Glyphs are drawn at this size, in pixels, on a picture of this side.
SIZE, SIDE = 110, 330


def fetch(name: str) -> list[Path]:
    """The files of a font, one for each weight, light to bold; downloaded by npm into the user's cache folder once.

    Raises:
        OSError: npm is missing or fails.
    """
    folder = paths.cache_folder() / "fonts" / f"{name}-{VERSION}"
    if not folder.is_dir():
        if not (npm := shutil.which("npm")):
            raise OSError("expected npm, which fetches the fonts; install Node.js")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            command = [npm, "pack", "--silent", f"@fontsource/{name}@{VERSION}"]
            process = subprocess.run(command, cwd=temporary, capture_output=True, text=True, check=False)
            if process.returncode:
                raise OSError(f"npm can't fetch @fontsource/{name}: {process.stderr.strip()[-200:]}")
            with tarfile.open(next(Path(temporary).glob("*.tgz"))) as archive:
                archive.extractall(temporary, filter="data")
            (Path(temporary) / "package").replace(folder)
    return sorted((folder / "files").glob(f"{name}-latin-[0-9]*-normal.woff"))


def drawn(name: str, character: str, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a character in a font's weights, other stroke widths, slants and proportions: uint8 (count, 28, 28).

    The first one is as the font has it. There are none if the font lacks the character.
    """
    weights = [ImageFont.truetype(path, SIZE, layout_engine=ImageFont.Layout.BASIC) for path in fetch(name)]
    missing = _glyph(weights[0], "\uffff")
    if not (plain := _glyph(weights[0], character)).any() or np.array_equal(plain, missing):
        return np.empty((0, 28, 28), np.uint8)
    others = [_varied(_glyph(weights[index % len(weights)], character), rng) for index in range(1, count)]
    return np.array([in_frame(ink) for ink in (plain, *others)])


def _glyph(font: ImageFont.FreeTypeFont, character: str) -> np.ndarray:
    picture = Image.new("L", (SIDE, SIDE), 0)
    ImageDraw.Draw(picture).text((SIDE / 2, SIDE / 2), character, 255, font, anchor="mm")
    return np.asarray(picture)


def _varied(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    slant, aspect, angle = rng.uniform(-0.15, 0.3), rng.uniform(0.8, 1.2), np.radians(rng.uniform(-7, 7))
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = rotation @ np.array([[aspect, -slant], [0, 1]])
    centre = np.array([SIDE / 2, SIDE / 2])
    ink = cv2.warpAffine(ink, np.column_stack([matrix, centre - matrix @ centre]), (SIDE, SIDE))
    solid = (ink > 127).astype(np.uint8)
    distance = cv2.distanceTransform(solid, cv2.DIST_L2, 5) - cv2.distanceTransform(1 - solid, cv2.DIST_L2, 5)
    # A stroke that is up to 7 pixels wider or 4 narrower, unless parts would merge or break.
    redrawn = np.clip((distance + rng.uniform(-2, 3.5)) * 255 + 127, 0, 255).astype(np.uint8)
    return redrawn if _topology(redrawn > 127) == _topology(ink > 127) else ink


def _topology(solid: np.ndarray) -> tuple[int, int]:
    """The numbers of connected areas of ink and of paper."""
    ink = cv2.connectedComponents(solid.astype(np.uint8))[0]
    return ink, cv2.connectedComponents((~solid).astype(np.uint8), connectivity=4)[0]
