"""What cameras and editors write beside the pixels is carried; judged by Pillow and FFmpeg."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from PIL.ExifTags import GPS, IFD, Base
from PIL.TiffImagePlugin import IFDRational, ImageFileDirectory_v2

from framelift.common.images import Pixels
from framelift.common.images.content.metadata import photoshop_segment
from framelift.runtime.still import ImageOptions, upscale_image

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    b'syntax-ns#"><rdf:Description tiff:Orientation="6" exif:PixelXDimension="30">'
    b"<exif:PixelYDimension>20</exif:PixelYDimension>"
    b"<dc:title>Raccoon</dc:title></rdf:Description></rdf:RDF></x:xmpmeta>"
)
IPTC = b"\x1c\x02\x78\x00\x07Caption\x1c\x02\x50\x00\x06Author"
IPTC_TAG, XMP_TAG = 33723, 700


def nearest(frame: Pixels) -> Pixels:
    return np.repeat(np.repeat(frame, 2, 0), 2, 1)


def camera_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[Base.Make], exif[Base.Model], exif[Base.Orientation] = "Maker", "Model 7", 6
    exif[IFD.Exif] = {
        Base.DateTimeOriginal: "2026:11:29 12:34:56",
        Base.ExposureTime: IFDRational(1, 250),
        Base.ExifImageWidth: 30,
        Base.ExifImageHeight: 20,
        Base.MakerNote: b"secret\0note",
    }
    exif[IFD.GPSInfo] = {
        GPS.GPSLatitudeRef: "N",
        GPS.GPSLatitude: (IFDRational(48), IFDRational(8), IFDRational(3)),
    }
    return exif


def photo(path: Path) -> Path:
    """A photograph with everything, in the format of the suffix."""
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8))
    options: dict[str, Any] = {"exif": camera_exif(), "dpi": (300, 300)}
    if path.suffix == ".jpg":
        options |= {"xmp": XMP, "extra": photoshop_segment(IPTC)}
    elif path.suffix == ".tif":
        tags = ImageFileDirectory_v2()
        tags.tagtype[IPTC_TAG], tags.tagtype[XMP_TAG] = 7, 1
        tags[IPTC_TAG], tags[XMP_TAG] = IPTC, XMP
        for tag in camera_exif():
            tags[tag] = camera_exif()[tag]
        options = {"tiffinfo": tags, "dpi": (300, 300)}
    elif path.suffix == ".png":
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", XMP.decode())
        text.add_text("Description", "A raccoon")
        text.add_itxt("Titel", "Waschbär", lang="de")
        options["pnginfo"] = text
    else:
        options["xmp"] = XMP
    image.save(path, **options)
    return path


def run(source: Path, target: Path, *, keep: bool = True) -> list[str]:
    notes: list[str] = []
    upscale_image(
        source, target, nearest, ImageOptions(overwrite=True, keep_metadata=keep), say=notes.append
    )
    return notes


@pytest.mark.parametrize("before", [".jpg", ".png", ".tif", ".webp", ".avif"])
@pytest.mark.parametrize("after", [".jpg", ".png", ".tif", ".webp", ".avif"])
def test_camera_date_and_place_are_carried(tmp_path: Path, before: str, after: str) -> None:
    source, target = photo(tmp_path / f"in{before}"), tmp_path / f"out{after}"
    run(source, target)
    with Image.open(target) as image:
        image.load()
        assert image.size == (40, 60)  # upright
        exif = image.getexif()
        details, place = exif.get_ifd(IFD.Exif), exif.get_ifd(IFD.GPSInfo)
        xmp = bytes(image.info["xmp"])
        dpi = image.info.get("dpi") or (exif.get(Base.XResolution), exif.get(Base.YResolution))
    assert (exif[Base.Make], exif[Base.Model], exif[Base.Orientation]) == ("Maker", "Model 7", 1)
    assert details[Base.DateTimeOriginal] == "2026:11:29 12:34:56"
    assert float(details[Base.ExposureTime]) == 1 / 250
    assert details[Base.MakerNote] == b"secret\0note"
    assert (details[Base.ExifImageWidth], details[Base.ExifImageHeight]) == (40, 60)
    assert [float(part) for part in place[GPS.GPSLatitude]] == [48, 8, 3]
    assert b"Raccoon" in xmp
    assert b'tiff:Orientation="1"' in xmp
    assert b'PixelXDimension="40"' in xmp
    assert b"PixelYDimension>60<" in xmp
    if before != ".webp" and before != ".avif":
        assert [round(float(value or 0)) for value in dpi] == [300, 300]


@pytest.mark.parametrize("before", [".jpg", ".tif"])
def test_iptc_is_carried_or_its_loss_is_said(tmp_path: Path, before: str) -> None:
    source = photo(tmp_path / f"in{before}")
    assert run(source, tmp_path / "out.jpg") == []
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.info["photoshop"][0x0404] == IPTC
    assert run(source, tmp_path / "out.tif") == []
    with Image.open(tmp_path / "out.tif") as image:
        assert image.tag_v2[IPTC_TAG] == IPTC  # type: ignore[attr-defined]
    assert run(source, tmp_path / "out.png") == []
    with Image.open(tmp_path / "out.png") as image:
        assert IPTC.hex() in image.info["Raw profile type iptc"].replace("\n", "")
    assert run(tmp_path / "out.png", tmp_path / "back.jpg") == []
    with Image.open(tmp_path / "back.jpg") as image:
        assert image.info["photoshop"][0x0404] == IPTC
    assert run(source, tmp_path / "out.webp") == [
        "out.webp: .webp cannot hold IPTC of the source; left out"
    ]
    assert run(source, tmp_path / "out.bmp") == [
        "out.bmp: .bmp cannot hold EXIF, XMP, IPTC of the source; left out"
    ]


def test_text_of_a_png_is_carried_or_its_loss_is_said(tmp_path: Path) -> None:
    source = photo(tmp_path / "in.png")
    assert run(source, tmp_path / "out.png") == []
    with Image.open(tmp_path / "out.png") as image:
        image.load()
        text = image.text  # type: ignore[attr-defined]
    assert text["Description"] == "A raccoon"
    assert (text["Titel"], text["Titel"].lang) == ("Waschbär", "de")
    assert run(source, tmp_path / "out.jpg") == [
        "out.jpg: .jpg cannot hold text of the source; left out"
    ]


@pytest.mark.parametrize("after", [".jpg", ".png", ".tif", ".webp", ".avif"])
def test_no_metadata_strips_it_and_keeps_the_colour_profile(tmp_path: Path, after: str) -> None:
    source, target = tmp_path / "in.jpg", tmp_path / f"out{after}"
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with Image.open(photo(tmp_path / "plain.jpg")) as image:
        image.save(
            source,
            exif=camera_exif(),
            xmp=XMP,
            icc_profile=profile,
            extra=photoshop_segment(IPTC),
        )
    assert run(source, target, keep=False) == []
    with Image.open(target) as opened:
        opened.load()
        exif = opened.getexif()
        assert Base.Make not in exif
        assert not exif.get_ifd(IFD.GPSInfo)
        assert not {"xmp", "photoshop"} & set(opened.info)
        assert opened.info["icc_profile"] == profile
        assert opened.size == (40, 60)
    assert b"Maker" not in target.read_bytes()


def test_colours_of_a_png_that_are_told_by_cicp_stay(tmp_path: Path) -> None:
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(tmp_path / "plain.png")
    data = (tmp_path / "plain.png").read_bytes()
    body = b"cICP" + bytes((9, 16, 0, 1))  # BT.2020, PQ, RGB, full range
    chunk = struct.pack(">I", 4) + body + struct.pack(">I", zlib.crc32(body))
    source.write_bytes(data[:33] + chunk + data[33:])
    assert run(source, target) == []
    with av.open(str(target)) as container:  # FFmpeg
        frame = next(container.decode(video=0))
    assert (frame.color_primaries, frame.color_trc) == (9, 16)
    assert run(source, tmp_path / "out.jpg") == [
        "out.jpg: the colour information of the source (cICP) is left out; use .png"
    ]


def test_damaged_exif_is_said(tmp_path: Path) -> None:
    source = tmp_path / "in.jpg"
    with Image.open(photo(tmp_path / "plain.jpg")) as image:
        image.save(source, exif=b"Exif\0\0" + b"II*\0" + b"\xff" * 40)
    notes = run(source, tmp_path / "out.png")
    assert all("EXIF" in note for note in notes)
    assert (tmp_path / "out.png").exists()
