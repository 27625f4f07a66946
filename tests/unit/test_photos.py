"""Photos: what is kept, what is refused, and that no name leads out of the folder."""

from __future__ import annotations

import random
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from records.errors import NotFound, Refused
from records.photos import photo_path, read_crop, store_photo
from records.portraits import portrait


def picture(size: tuple[int, int] = (400, 300), form: str = "PNG", mode: str = "RGB", **options: object) -> bytes:
    out = BytesIO()
    Image.new(mode, size, 0).save(out, form, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("form", "mode"),
    [("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "P"), ("JPEG", "L"), ("JPEG", "CMYK"), ("WEBP", "RGB"), ("GIF", "P")],
)
def test_every_usual_picture_becomes_two_square_jpegs(tmp_path: Path, form: str, mode: str) -> None:
    name = store_photo(tmp_path, picture(form=form, mode=mode))
    for side in (256, 96):
        with Image.open(photo_path(tmp_path, name, side)) as image:
            assert (image.format, image.size, image.mode) == ("JPEG", (side, side), "RGB")


def test_the_same_picture_twice_is_one_file(tmp_path: Path) -> None:
    assert store_photo(tmp_path, picture()) == store_photo(tmp_path, picture())
    assert len(list((tmp_path / "photos").iterdir())) == 2


def test_nothing_of_the_original_but_what_is_seen_is_kept(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    name = store_photo(tmp_path, picture(form="JPEG", exif=exif))
    assert b"taken at home" not in photo_path(tmp_path, name).read_bytes()


def test_a_picture_taken_sideways_stands_upright(tmp_path: Path) -> None:
    image = Image.new("RGB", (200, 200), "white")
    image.paste("black", (0, 0, 200, 100))  # the upper half; turned by the camera's note it is the right half
    exif = Image.Exif()
    exif[0x0112] = 6
    out = BytesIO()
    image.save(out, "JPEG", exif=exif)
    with Image.open(photo_path(tmp_path, store_photo(tmp_path, out.getvalue()))) as stored:
        grey = stored.convert("L")
        left, right = grey.getpixel((20, 128)), grey.getpixel((236, 128))
    assert isinstance(left, int)
    assert isinstance(right, int)
    assert left > 200
    assert right < 50


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"hello",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<!doctype html><script>alert(1)</script>",
        b"GIF89a/*<svg/onload=alert(1)>*/=1;alert(1)",
        picture()[:60],
        picture(form="JPEG")[:200],
        picture(form="BMP"),
        picture(form="PDF"),
    ],
)
def test_what_is_no_picture_is_refused(tmp_path: Path, raw: bytes) -> None:
    with pytest.raises(Refused, match="no picture that can be read"):
        store_photo(tmp_path, raw)
    assert not (tmp_path / "photos").exists()


def test_damaged_pictures_are_refused_or_read_but_never_break(tmp_path: Path) -> None:
    dice = random.Random(5)
    for form in ("PNG", "JPEG", "WEBP", "GIF"):
        whole = bytearray(picture((40, 40), form))
        for _ in range(40):
            damaged = bytearray(whole)
            for _ in range(3):
                damaged[dice.randrange(len(damaged))] = dice.randrange(256)
            try:
                store_photo(tmp_path, bytes(damaged))
            except Refused:
                continue


def test_a_bomb_of_few_bytes_and_many_pixels_is_refused(tmp_path: Path) -> None:
    for size, message in (((9_000, 6_000), "9000 x 6000 pixels"), ((20_000, 20_000), "far too many pixels")):
        with pytest.raises(Refused, match=message):
            store_photo(tmp_path, picture(size, mode="1"))


LARGEST = """
import resource, sys
from pathlib import Path
from records.photos import store_photo
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
before = peak()
store_photo(Path(sys.argv[1]), Path(sys.argv[2]).read_bytes())
print(peak() - before)
"""


def test_the_largest_picture_that_is_taken_needs_little_memory(tmp_path: Path) -> None:
    """A few thousand bytes become many pixels: whoever sends some at once must not use up the machine."""
    (tmp_path / "large.png").write_bytes(picture((4_990, 4_990), mode="P"))
    command = [sys.executable, "-c", LARGEST, str(tmp_path), str(tmp_path / "large.png")]
    megabytes = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert megabytes < 350


SCRIPT = b"<script>alert(1)</script>"


@pytest.mark.parametrize(
    "raw",
    [
        picture(form="GIF", mode="P") + SCRIPT,
        picture(form="JPEG") + b"<html>" + SCRIPT,
        picture(form="JPEG", comment=SCRIPT),
        picture(form="PNG") + b"PK\x03\x04" + SCRIPT,
    ],
    ids=["gif", "jpeg and html", "comment", "png and zip"],
)
def test_of_a_picture_that_is_something_else_too_only_the_picture_is_kept(tmp_path: Path, raw: bytes) -> None:
    assert SCRIPT in raw
    name = store_photo(tmp_path, raw)
    for path in (tmp_path / "photos").iterdir():
        assert SCRIPT not in path.read_bytes()
        assert path.read_bytes().startswith(b"\xff\xd8\xff")
    assert photo_path(tmp_path, name).suffix == ".jpg"


def test_a_file_too_large_to_be_a_photo_is_refused_unread(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="11 MB; send one of at most 10 MB"):
        store_photo(tmp_path, bytes(11_000_000))


@pytest.mark.parametrize("name", ["", "..", "../secret", "a" * 63, "A" * 64, "a" * 64, "a" * 64 + "\n", "/etc/passwd"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    store_photo(tmp_path, picture())
    with pytest.raises(NotFound):
        photo_path(tmp_path, name)


def test_a_portrait_is_the_same_for_the_same_person() -> None:
    assert portrait("Sok Dara", "man") == portrait("Sok Dara", "man")
    assert portrait("Sok Dara", "man") != portrait("Chan Bopha", "man")


def quarters(size: tuple[int, int]) -> Image.Image:
    """Red and green above, blue and white below."""
    image = Image.new("RGB", size)
    width, height = size[0] // 2, size[1] // 2
    for at, colour in (((0, 0), "red"), ((width, 0), "lime"), ((0, height), "blue"), ((width, height), "white")):
        image.paste(colour, (*at, at[0] + width, at[1] + height))
    return image


def saved(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    out = BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def corners(path: Path) -> list[str]:
    """Colours near the corners: above, below, each from the left."""
    names = {(1, 0, 0): "red", (0, 1, 0): "lime", (0, 0, 1): "blue", (1, 1, 1): "white"}
    with Image.open(path) as image:
        pixels = [image.getpixel(at) for at in ((8, 8), (247, 8), (8, 247), (247, 247))]
    shown = []
    for pixel in pixels:
        assert isinstance(pixel, tuple)
        red, green, blue = (round(part / 255) for part in pixel)
        shown.append(names[red, green, blue])
    return shown


@pytest.mark.parametrize(
    ("crop", "shown"),
    [
        ("", ["red", "lime", "blue", "white"]),
        ("0,0,1", ["red", "red", "blue", "blue"]),
        ("0.5,0,1", ["lime", "lime", "white", "white"]),
        ("0.5,0.5,0.5", ["white"] * 4),
        ("0.999,0.999,0.1", ["white"] * 4),  # the last digit of a browser may lie beyond the edge
    ],
)
@pytest.mark.parametrize("size", [(800, 400), (4000, 2000)])
@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_the_chosen_square_is_kept(
    tmp_path: Path, crop: str, shown: list[str], size: tuple[int, int], form: str
) -> None:
    name = store_photo(tmp_path, saved(quarters(size), form), read_crop(crop))
    assert corners(photo_path(tmp_path, name)) == shown


def test_a_square_is_chosen_of_the_picture_as_it_stands(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side: what is left there is above here
    name = store_photo(tmp_path, saved(quarters((800, 400)), "JPEG", exif=exif), read_crop("0,0,1"))
    assert corners(photo_path(tmp_path, name)) == ["blue", "red", "blue", "red"]


NO_SQUARES = ["0,0", "0,0,1,1", "a,0,1", "nan,0,1", "0,inf,1", "-0.1,0,1", "0,1,1", "0,0,0", "0,0,0.01", "0,0,1.5"]


@pytest.mark.parametrize("text", [*NO_SQUARES, "0;0;1", "0,0," + "9" * 5000])
def test_a_square_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="choose it again"):
        read_crop(text)
