"""Files are what their bytes say; broken ones and bombs are refused before they fill the memory."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib

import pytest
from PIL import Image

from sendmill.tasks.builtin.pictures import BadFile, check_kind, kind_of, read_picture


def encoded(
    form: str, size: tuple[int, int] = (1200, 800), mode: str = "RGB", **options: object
) -> bytes:
    out = io.BytesIO()
    colour = (200, 30, 30, 0)[: len(mode)] if mode != "L" else 30
    Image.new(mode, size, colour).save(out, form, **options)
    return out.getvalue()


def bomb(side: int) -> bytes:
    """Return a PNG of side x side black pixels: a few kB that unpack to side x side / 8 bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    packer = zlib.compressobj(9)
    row = bytes(1 + side // 8)
    rows = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (encoded("JPEG"), "image/jpeg"),
        (encoded("PNG"), "image/png"),
        (encoded("GIF"), "image/gif"),
        (encoded("WEBP"), "image/webp"),
        (b"%PDF-1.7\n", "application/pdf"),
        (b"<svg onload='x'>", ""),
        (b"MZ\x90", ""),
        (b"", ""),
    ],
)
def test_a_files_type_is_what_its_first_bytes_say(data: bytes, kind: str) -> None:
    assert kind_of(data) == kind


def test_a_file_that_says_another_type_than_its_content_is_refused() -> None:
    assert check_kind(encoded("JPEG"), "image/jpg; q=1") == "image/jpeg"
    with pytest.raises(BadFile, match="it says image/png and its content is image/jpeg"):
        check_kind(encoded("JPEG"), "image/png")
    with pytest.raises(BadFile, match="its content is none of"):
        check_kind(b"#!/bin/sh\n", "")
    with pytest.raises(BadFile, match="empty"):
        check_kind(b"", "image/png")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP"])
def test_a_thumbnail_is_a_small_jpeg_of_the_same_shape(form: str) -> None:
    found = read_picture(encoded(form))
    assert (found.width, found.height) == (1200, 800)
    with Image.open(io.BytesIO(found.thumbnail)) as small:
        assert (small.format, small.size) == ("JPEG", (512, 341))
        red, green, blue = small.convert("RGB").getpixel((256, 170))  # type: ignore[misc]
        assert red > 180
        assert max(green, blue) < 60


def test_a_small_picture_is_not_blown_up_and_transparency_becomes_white() -> None:
    found = read_picture(encoded("PNG", (20, 10), "RGBA"))
    with Image.open(io.BytesIO(found.thumbnail)) as small:
        assert small.size == (20, 10)
        assert min(small.getpixel((5, 5))) > 250  # type: ignore[arg-type]


def test_a_camera_held_sideways_is_turned_and_what_it_knows_of_the_place_is_left_out() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[1] = "N"
    found = read_picture(encoded("JPEG", (800, 400), exif=exif))
    assert (found.width, found.height) == (400, 800)
    with Image.open(io.BytesIO(found.thumbnail)) as small:
        assert small.size == (256, 512)
        assert not small.getexif()


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    data = bomb(20_000)
    assert len(data) < 100_000
    tracemalloc.start()
    with pytest.raises(BadFile, match="at most 64 megapixels.*400000000"):
        read_picture(data)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5_000_000


@pytest.mark.parametrize("data", [bomb(9_000), encoded("PNG", (16_385, 1))])
def test_what_has_too_many_pixels_or_too_long_a_side_is_refused(data: bytes) -> None:
    with pytest.raises(BadFile, match="at most 64 megapixels and 16384 a side"):
        read_picture(data)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP"])
def test_a_picture_that_ends_in_the_middle_is_broken(form: str) -> None:
    noisy = Image.effect_noise((300, 300), 80).convert("RGB")
    out = io.BytesIO()
    noisy.save(out, form)
    data = out.getvalue()
    with pytest.raises(BadFile, match="broken") as refused:
        read_picture(data[: len(data) // 2])
    assert "0x" not in str(refused.value)
