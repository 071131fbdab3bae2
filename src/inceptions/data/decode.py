"""One decoder for training, evaluation, prediction and serving: whatever comes in, an upright RGB image of 8 bits goes out.

Pillow reads; what is decided here is everything it leaves open. Only the first frame counts. EXIF orientation is applied;
embedded colour profiles are not, because no published network was trained on their colours. Transparent pixels show white
behind them. Greys of 16 bits are divided by 257. This is the only place that opens image files.
"""

from __future__ import annotations

import ctypes
import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError

from inceptions.errors import DataError

LIMIT_PIXELS = 89_478_485
"""Largest image that is decoded, in pixels: a quarter of a gigabyte at three bytes each (Pillow's own first limit)."""

# Nothing that starts another program (EPS) and nothing that cannot be told by its first bytes (TGA).
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "MPO", "PPM", "ICO", "DIB")

PLUGINS = ("Avif", "Bmp", "Gif", "Ico", "Jpeg", "Jpeg2K", "Mpo", "Png", "Ppm", "Tiff", "WebP")
"""Pillow's modules that read them; a file of another format is none of ours."""

# Those that libjpeg reads; an MPO is several JPEGs in a row, as some cameras write them.
JPEGS = ("JPEG", "MPO")

# What else people find under the name of an image: (offset, first bytes, what to say).
IMPOSTORS = (
    (0, b"<!doctype html", "a web page"),
    (0, b"<html", "a web page"),
    (0, b"<svg", "a vector drawing (SVG)"),
    (0, b"<?xml", "a text in XML, perhaps a vector drawing"),
    (0, b"%pdf", "a PDF document"),
    (0, b"pk\x03\x04", "a zip archive"),
    (4, b"ftyphei", "a HEIC photograph: export it as JPEG"),
    (4, b"ftypmif1", "a HEIC photograph: export it as JPEG"),
)

# Damaged EXIF blocks and the like: the pixels count, and what keeps them from being read is an exception.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

Source = Path | bytes | BinaryIO | Image.Image

AtLeast = int | Callable[[tuple[int, int]], int | None]
"""Pixels that the shorter side of an image must keep, or what says so of an image of (height, width); None: all."""


class ImageError(DataError):
    """An image that cannot be decoded.

    Attributes:
        name: the file, or "image" where there is none.
        reason: why, as a part of a sentence.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)  # both are arguments, so that it survives the way back from a worker process
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.name} cannot be read as an image: {self.reason}."


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file's header says of its image.

    Attributes:
        format: "JPEG", "PNG", ...: of the content, whatever the name.
        mode: how colours are kept, Pillow's name: "RGB", "L", "P", "CMYK", "I;16", ...
        width: of the upright image, in pixels.
        height: likewise.
        turned: whether its EXIF block says that it lies on a side or is mirrored.
        frames: images in the file; the first one counts.
    """

    format: str
    mode: str
    width: int
    height: int
    turned: bool
    frames: int


def facts(source: Path | bytes | BinaryIO) -> Facts:
    """What a file's header says, without decoding the image.

    Raises:
        ImageError: no format is recognised. That the rest can be decoded is not promised.
    """
    name = _name(source)
    try:
        with _opened(source) as image:
            orientation = _orientation(image)
            # 5 to 8 lie on a side; of a TIFF Pillow gives the upright size at once.
            width, height = image.size[::-1] if orientation > 4 and image.format != "TIFF" else image.size
            frames = int(getattr(image, "n_frames", 1))
            return Facts(image.format or "", image.mode, width, height, orientation != 1, frames)
    except UnidentifiedImageError as error:
        raise ImageError(name, f"it is {_impostor(source)}") from error
    except OSError as error:
        raise ImageError(name, _said(error)) from error
    except Exception as error:  # as in `decode`
        raise ImageError(name, f"its content is damaged ({error or type(error).__name__})") from error


def decode(source: Source, *, limit_pixels: int = LIMIT_PIXELS, at_least: AtLeast | None = None) -> Image.Image:
    """Decode an image.

    Args:
        source: a file, its content, an open binary file, or a Pillow image (which is left as it is).
        limit_pixels: more pixels than this are refused before any is decoded. Pillow refuses twice the default in any case.
        at_least: allow a JPEG to be decoded at a half, a quarter or an eighth of its size, as long as the shorter side keeps
            this many pixels. Much faster, and slightly different pixels: for training only.

    Returns:
        The image in mode RGB.

    Raises:
        ImageError: it is missing, no image, damaged, cut off or too large; says which.
    """
    with _explained(source, limit_pixels), _opened(source) as image:
        _check_pixels(_name(source), image, limit_pixels)
        _reduce(image, at_least)
        image.load()
        return _rgb(_upright(image))


def decode_pixels(source: Path | bytes, *, at_least: AtLeast | None = None) -> NDArray[np.uint8]:
    """Decode an image to the pixels that `decode` finds.

    A plain JPEG is decoded by torchvision: the same C library at work and the same bytes, but straight into an array, where
    Pillow takes four bytes a pixel, of which three must then be copied. What it refuses is for Pillow to judge, and all of them
    are for Pillow once torchvision gives its decoder up (announced in 0.29).

    Args:
        source: a file, or its content.
        at_least: as for `decode`.

    Returns:
        uint8, `[height, width, 3]`, RGB.

    Raises:
        ImageError: as `decode`.
    """
    with _explained(source, LIMIT_PIXELS), _stream(source) as stream, Image.open(stream, formats=_formats()) as image:
        _check_pixels(_name(source), image, LIMIT_PIXELS)
        size = image.size
        _reduce(image, at_least)
        plain = image.format in JPEGS and image.mode in ("RGB", "L") and image.size == size
        if plain and _orientation(image) == 1:
            stream.seek(0)
            pixels = _straight(stream.read())
            if pixels is not None and pixels.shape[1::-1] == size:
                return pixels
        image.load()
        return np.array(_rgb(_upright(image)))


def _straight(content: bytes) -> NDArray[np.uint8] | None:
    """A JPEG's pixels, if torchvision decodes it."""
    try:
        import torch  # prediction with an exported network does without both
        from torchvision.io import ImageReadMode, decode_jpeg

        pixels = decode_jpeg(torch.frombuffer(bytearray(content), dtype=torch.uint8), mode=ImageReadMode.RGB)
    except Exception:  # whatever it says of the file, or of itself
        return None
    found: NDArray[np.uint8] = pixels.permute(1, 2, 0).numpy()
    return found


def _reduce(image: Image.Image, at_least: AtLeast | None) -> None:
    """Let a JPEG be decoded at the smallest size that keeps enough pixels."""
    if callable(at_least):
        if image.format not in JPEGS:
            return
        width, height = image.size
        at_least = at_least((width, height) if _orientation(image) > 4 else (height, width))
    if at_least is not None:
        image.draft(None, (at_least, at_least))


def is_image(path: Path) -> bool:
    """Whether a file's first bytes are those of a format that `decode` reads; its name is not looked at."""
    try:
        with _opened(path):
            return True
    except Exception:  # whatever the parsers raise: `decode` is the one to explain it
        return False


def printable(name: str) -> str:
    """A file's name as text that any terminal and any file can hold: bytes that are no UTF-8 become question marks."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@contextmanager
def _explained(source: Source, limit_pixels: int) -> Iterator[None]:
    """Whatever goes wrong while an image is decoded as an `ImageError`."""
    name = _name(source)
    try:
        yield
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(name, f"it has more pixels than the limit of {limit_pixels:,}") from error
    except UnidentifiedImageError as error:
        raise ImageError(name, f"it is {_impostor(source)}") from error
    except OSError as error:
        raise ImageError(name, _said(error)) from error
    except MemoryError as error:
        raise ImageError(name, "it needs more memory than there is") from error
    except Exception as error:
        # Pillow's parsers raise whatever they stumble over: ValueError, TypeError, struct.error, SyntaxError, KeyError, ...
        raise ImageError(name, f"its content is damaged ({error or type(error).__name__})") from error


@contextmanager
def _opened(source: Source) -> Iterator[Image.Image]:
    if isinstance(source, Image.Image):
        yield source
        return
    with _stream(source) as stream, Image.open(stream, formats=_formats()) as image:
        yield image


@contextmanager
def _stream(source: Path | bytes | BinaryIO) -> Iterator[BinaryIO]:
    """A seekable file at its start; one that was opened by somebody else stays open."""
    if isinstance(source, Path):
        if source.exists() and not source.is_file():  # opening a named pipe would wait for ever
            raise ImageError(_name(source), "it is not a file")
        with source.open("rb") as file:
            yield file
    elif isinstance(source, bytes):
        yield io.BytesIO(source)
    else:
        yield source if source.seekable() else io.BytesIO(source.read())


@cache
def _formats() -> tuple[str, ...]:
    """The formats that this build of Pillow has."""
    # Only these: all that Pillow knows take a twentieth of a second more.
    for module in PLUGINS:
        with suppress(ImportError):
            import_module(f"PIL.{module}ImagePlugin")
    _silence_libtiff()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _silence_libtiff() -> None:
    """Keep libtiff from writing to standard error what Pillow then raises as an exception, or what does not matter.

    Pillow has no switch for it, the library itself has. Where it is not beside Pillow, as it is in its wheels for Linux and
    macOS, the lines stay.
    """
    beside = Path(PIL.__file__).parent
    for file in (*beside.with_name("pillow.libs").glob("libtiff*"), *(beside / ".dylibs").glob("libtiff*")):
        try:
            library = ctypes.CDLL(str(file))
            for setter in (library.TIFFSetErrorHandler, library.TIFFSetWarningHandler):
                setter.argtypes, setter.restype = (ctypes.c_void_p,), ctypes.c_void_p
                setter(None)
        except (OSError, AttributeError):  # another build: a few lines too many do no harm
            continue


def _check_pixels(name: str, image: Image.Image, limit: int) -> None:
    if image.width * image.height > limit:
        raise ImageError(name, f"{image.width} × {image.height} pixels are more than the limit of {limit:,}")


def _upright(image: Image.Image) -> Image.Image:
    """The image as its camera was held. Where the EXIF block is damaged the pixels still count, as they are."""
    try:
        return image if _orientation(image) == 1 else ImageOps.exif_transpose(image)
    except Exception:
        return image


def _orientation(image: Image.Image) -> int:
    """EXIF's number for how the camera was held, 1 to 8; 1 (upright) where nothing sensible is said."""
    try:
        said = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:
        return 1
    return said if said in range(1, 9) else 1


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bits(image)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.new("RGB", layer.size, "white")
        image.paste(layer, mask=layer.getchannel("A"))
    elif image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
        assert converted is not None, "only a conversion in place gives nothing back"
        image = converted
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Greys of more than 8 bits to 8.

    Of the usual scales (0 to 1 for floats, 0 to 255 for floats, 0 to 65535) the smallest that holds all values is taken to be
    theirs; values outside of all of them, negative ones too, are stretched so that the lowest is black and the highest white.
    """
    values = np.nan_to_num(np.asarray(image, dtype=np.float64))
    low, high = float(values.min()), float(values.max())
    scales = (1.0, 255.0, 65535.0) if image.mode == "F" else (65535.0,)
    white = next((scale for scale in scales if low >= 0 and high <= scale), None)
    if white is None:
        values, white = values - low, (high - low) or 1.0
    return Image.fromarray(np.rint(values * (255 / white)).astype(np.uint8))


def _impostor(source: Source) -> str:
    """What a file that is no image seems to be."""
    assert not isinstance(source, Image.Image), "a decoded image was identified"
    with _stream(source) as stream:
        stream.seek(0)
        start = stream.read(512)
    if not start:
        return "empty"
    start = start.lower().lstrip() if start.lstrip()[:1] == b"<" else start.lower()
    known = (what for at, first, what in IMPOSTORS if start[at:].startswith(first))
    return next(known, "not an image in a format that is read here (JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, JPEG 2000, ...)")


def _said(error: OSError) -> str:
    """What Pillow or the operating system says, in words."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if error.strerror:
        return error.strerror[0].lower() + error.strerror[1:]
    if "truncated" in str(error).lower():
        return "the file is cut off"
    return f"its content is damaged or of a rare kind ({error})"


def _name(source: Any) -> str:
    if isinstance(source, Path):
        return printable(str(source))
    return printable(str(getattr(source, "filename", None) or getattr(source, "name", None) or "image"))
