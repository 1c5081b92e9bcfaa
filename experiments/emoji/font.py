"""The emoji of a colour font with bitmaps: each picture once, with the characters that it stands for."""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fontTools.ttLib import TTFont, TTLibError
from PIL import Image

from experiments.emoji.names import JOINER, LETTERS, SELECTORS, TAGS, is_backwards
from search_spaces.files.user_error import UserError

PACKAGE: Final = "fonts-noto-color-emoji"
FONT: Final = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")  # where Debian puts it
_LIGATURES: Final = 4  # the type of GSUB's lookups that make one glyph of several
_ALONE: Final = frozenset("0123456789#* \0\r\u200d\u20e3") | {chr(each) for each in (*SELECTORS, *LETTERS, *TAGS)}
_PRIVATE: Final = range(0xF0000, 0x110000)
_LEGAL: Final = {"copyright": 0, "version": 5, "license": 13, "license_url": 14}  # by number in the table of names


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Emoji:
    """One picture of a font.

    Attributes:
        characters: That it stands for.
        png: Its bytes.
    """

    characters: tuple[int, ...]
    png: bytes

    @property
    def name(self) -> str:
        """Of a file: the characters' numbers, as emoji files are called everywhere."""
        return "_".join(f"{each:04x}" for each in self.characters)

    def on_white(self, size_px: int, /) -> Image.Image:
        """The picture in a square of white, its proportions kept."""
        with Image.open(io.BytesIO(self.png), formats=("PNG",)) as image:
            shown = image.convert("RGBA")
        side = max(shown.size)
        square = Image.new("RGBA", (side, side), "white")
        square.alpha_composite(shown, ((side - shown.width) // 2, (side - shown.height) // 2))
        return square.convert("RGB").resize((size_px, size_px), Image.Resampling.LANCZOS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EmojiFont:
    """A font of colour emoji.

    Attributes:
        legal: Copyright, version and licence, in the font's own words.
        emoji: Its pictures, in the order of their characters.
    """

    legal: Mapping[str, str]
    emoji: tuple[Emoji, ...]


def read_font(path: Path = FONT, /) -> EmojiFont:
    """The pictures of a font.

    Raises:
        UserError: There is no such font, or it has no bitmaps in colour.
    """
    if not path.is_file():
        raise UserError(f"there is no font {path}; `apt-get install {PACKAGE}` on Debian, or give another by --font")
    try:
        with path.open("rb") as file, TTFont(file, lazy=True) as font:
            if "CBDT" not in font:
                raise UserError(f"{path} must be a font with bitmaps in colour (table CBDT), but has none")
            names = font["name"]
            legal = {word: str(names.getDebugName(number) or "") for word, number in _LEGAL.items()}
            return EmojiFont(legal=legal, emoji=tuple(_emoji(font)))
    except TTLibError as error:
        raise UserError(f"{path} must be a font, but is not ({error})") from error


def _emoji(font: Any) -> Iterator[Emoji]:
    """One of each picture, by the shortest sequence that makes it."""
    bitmaps, seen = font["CBDT"].strikeData[0], set[bytes]()
    sequences = _sequences(font)
    for characters in sorted(sequences, key=lambda each: (len(each), is_backwards(each), each)):
        bitmap = bitmaps.get(sequences[characters])
        data = bytes(bitmap.imageData) if bitmap is not None else b""
        if data and data not in seen:
            seen.add(data)
            yield Emoji(characters=characters, png=data)


def _sequences(font: Any) -> dict[tuple[int, ...], str]:
    """Glyphs by the characters that they stand for, alone and together."""
    glyphs: dict[int, str] = font.getBestCmap()
    numbers = {glyph: number for number, glyph in glyphs.items()}
    found: dict[tuple[int, ...], str] = {
        (number,): glyph for number, glyph in glyphs.items() if chr(number) not in _ALONE and number not in _PRIVATE
    }
    for lookup in font["GSUB"].table.LookupList.Lookup if "GSUB" in font else ():
        for table in lookup.SubTable if lookup.LookupType == _LIGATURES else ():
            for first, ligatures in table.ligatures.items():
                for ligature in ligatures:
                    characters = [numbers.get(glyph) for glyph in (first, *ligature.Component)]
                    if None not in characters and characters != [JOINER]:
                        found.setdefault(tuple(each for each in characters if each is not None), ligature.LigGlyph)
    return found
