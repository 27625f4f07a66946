"""Photos: what is kept, what is refused, and that no name leads out of the folder."""

from __future__ import annotations

import random
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from records.errors import NotFound, Refused
from records.photos import photo_path, store_photo
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
