import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from dicoms import dataset, encapsulated, radiograph, write
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)
from scipy.stats import spearmanr

from xray.errors import ImageError
from xray.imaging.read import read_image


def ramp(low: int, high: int, kind: type = np.uint16) -> np.ndarray:
    """(40, 60) of values that rise row by row from `low` to `high`."""
    return np.rint(np.linspace(low, high, 2400)).astype(kind).reshape(40, 60)


def refusal(path: Path) -> str:
    with pytest.raises(ImageError) as caught:
        read_image(path)
    assert str(caught.value).startswith(str(path))
    return f"{caught.value.reason} | {caught.value.advice}"


@pytest.fixture
def read(tmp_path: Path):
    return lambda made: read_image(write(made, tmp_path / "x.dcm")).astype(int)


@pytest.fixture
def refuse(tmp_path: Path):
    return lambda made: refusal(write(made, tmp_path / "x.dcm"))


def to_255(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.rint((values.astype(float) - low) * 255 / (high - low)).clip(0, 255).astype(int)


# Transfer syntaxes


@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        DeflatedExplicitVRLittleEndian,
        RLELossless,
        JPEG2000Lossless,
        JPEGLSLossless,
    ],
)
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_lossless_syntaxes_give_the_same_array(read, syntax, bits):
    pixels = radiograph(bits).astype(np.uint8 if bits == 8 else np.uint16)
    made = dataset(pixels, bits)
    if syntax.is_compressed and not syntax.is_deflated:
        made.compress(syntax)
    made.file_meta.TransferSyntaxUID = syntax
    np.testing.assert_array_equal(read(made), to_255(pixels, pixels.min(), pixels.max()))


def test_big_endian(tmp_path):
    pixels = radiograph()
    made = dataset(pixels.astype(">u2"), 12)
    made.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    made.save_as(tmp_path / "x.dcm", implicit_vr=False, little_endian=False)
    expected = to_255(pixels, pixels.min(), pixels.max())
    np.testing.assert_array_equal(read_image(tmp_path / "x.dcm"), expected)


def jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=100, subsampling=0)
    return buffer.getvalue()


def test_baseline_jpeg(read):
    pixels = radiograph(8).astype(np.uint8)
    made = encapsulated(dataset(pixels), jpeg(Image.fromarray(pixels)), JPEGBaseline8Bit)
    assert np.abs(read(made) - to_255(pixels, pixels.min(), pixels.max())).max() <= 3


def test_baseline_jpeg_in_ybr_becomes_luminance(read):
    colours = np.full((40, 60, 3), (200, 100, 50), np.uint8)
    colours[:, 30:] = (0, 0, 255)
    made = dataset(colours, PhotometricInterpretation="YBR_FULL")
    pixels = read(encapsulated(made, jpeg(Image.fromarray(colours)), JPEGBaseline8Bit))
    # 0.299 R + 0.587 G + 0.114 B
    assert abs(pixels[5, 5] - 124.2) <= 2
    assert abs(pixels[5, 50] - 29.07) <= 2


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
@pytest.mark.parametrize("suffix", [".dcm", ".DICOM"])
def test_without_preamble_the_suffix_tells(tmp_path, syntax, suffix):
    made = dataset(radiograph(), 12)
    del made.file_meta
    path = tmp_path / f"x{suffix}"
    made.save_as(path, implicit_vr=syntax.is_implicit_VR, little_endian=True)
    assert path.read_bytes()[128:132] != b"DICM"
    expected = to_255(radiograph(), radiograph().min(), radiograph().max())
    np.testing.assert_array_equal(read_image(path), expected)
    assert "is not an image that can be read" in refusal(path.rename(tmp_path / "x.png"))


def test_content_decides_not_the_suffix(tmp_path):
    path = write(dataset(radiograph(), 12), tmp_path / "x.png")
    assert read_image(path).shape == (120, 160)
    Image.fromarray(radiograph(8).astype(np.uint8)).save(tmp_path / "y.dcm", "PNG")
    np.testing.assert_array_equal(read_image(tmp_path / "y.dcm"), radiograph(8))


# From stored values to the scale


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_order_of_wide_values_is_kept(read, bits, photometric):
    pixels = radiograph(bits, height=300, width=400)
    sign = -1 if photometric == "MONOCHROME1" else 1
    made = dataset(pixels, bits, PhotometricInterpretation=photometric)
    assert sign * spearmanr(read(made).ravel(), pixels.ravel()).statistic >= 0.999


def test_signed_values(read):
    pixels = ramp(-1000, 1000, np.int16)
    np.testing.assert_array_equal(read(dataset(pixels, 12)), to_255(pixels, -1000, 1000))


@pytest.mark.parametrize("kind", [np.uint16, np.int16])
def test_bits_beside_the_stored_ones_are_ignored(read, kind):
    low = -2048 if kind is np.int16 else 0
    pixels = ramp(low, low + 4095, kind)
    overlay = (np.indices(pixels.shape).sum(0) % 16).astype(np.uint16)
    above = ((pixels.view(np.uint16) & 0xFFF) | overlay << 12).view(kind)
    below = (pixels.view(np.uint16) << 4 | overlay).view(kind)
    expected = to_255(pixels, low, low + 4095)
    np.testing.assert_array_equal(read(dataset(above, 12)), expected)
    np.testing.assert_array_equal(read(dataset(below, 12, HighBit=15)), expected)


def test_monochrome1_is_inverted(read):
    pixels = ramp(100, 900)
    made = dataset(pixels, 10, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(read(made), 255 - to_255(pixels, 100, 900))


def test_first_of_several_windows_is_applied(read):
    pixels = ramp(0, 4095)
    made = dataset(pixels, 12, WindowCenter=[2048, 100], WindowWidth=[1001, 10])
    # PS3.3 C.11.2.1.2.1: ((x - (c - 0.5)) / (w - 1) + 0.5) x 255, 0 up to 1547.5
    expected = to_255(pixels, 1547.5, 2547.5)
    np.testing.assert_array_equal(read(made), expected)


@pytest.mark.parametrize(
    ("function", "low", "middle"), [("LINEAR_EXACT", 0, 128), ("SIGMOID", 30, 128)]
)
def test_window_functions(read, function, low, middle):
    pixels = ramp(0, 4095)
    window = {"WindowCenter": 2000, "WindowWidth": 1000, "VOILUTFunction": function}
    grey = read(dataset(pixels, 12, **window))
    # At the lower edge of the window a sigmoid is 1 / (1 + e^2) = 0.119
    at = np.searchsorted(pixels.ravel(), [1500, 2000])
    assert np.abs(grey.ravel()[at] - [low, middle]).max() <= 1


@pytest.mark.parametrize(("slope", "intercept"), [(2, -1000), (0.5, 0), (-1, 4095)])
def test_window_is_of_rescaled_values(read, slope, intercept):
    pixels = ramp(0, 4095)
    window = {"WindowCenter": 1000, "WindowWidth": 1001}
    made = dataset(pixels, 12, RescaleSlope=slope, RescaleIntercept=intercept, **window)
    np.testing.assert_array_equal(
        read(made), to_255(pixels * float(slope) + intercept, 499.5, 1499.5)
    )


def test_negative_slope_turns_the_scale(read):
    pixels = ramp(100, 900)
    made = dataset(pixels, 10, RescaleSlope=-1, RescaleIntercept=1023)
    np.testing.assert_array_equal(read(made), to_255(-pixels.astype(int), -900, -100))


@pytest.mark.parametrize("window", [(500, 0), (500, -5), (None, None), (500, None)])
def test_window_without_sense_is_left_out(read, window):
    pixels = ramp(100, 900)
    made = dataset(pixels, 10, WindowCenter=window[0], WindowWidth=window[1])
    np.testing.assert_array_equal(read(made), to_255(pixels, 100, 900))


def lookup(first: int, bits: int, entries: np.ndarray) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [len(entries), first, bits]
    item["LUTDescriptor"].VR = "US"
    item.add_new("LUTData", "US", entries.tolist())
    return item


@pytest.mark.parametrize(("bits", "top"), [(8, 255), (12, 4095), (16, 4095)])
def test_voi_lookup_table_is_applied(read, bits, top):
    pixels = ramp(0, 1023)
    entries = np.rint((np.arange(1024) / 1023) ** 2 * top).astype(int)
    made = dataset(pixels, 10, VOILUTSequence=[lookup(0, bits, entries), lookup(0, 8, entries * 0)])
    np.testing.assert_array_equal(read(made), to_255(entries[pixels], 0, top))


def test_modality_lookup_table_is_applied(read):
    pixels = ramp(10, 1000)
    entries = np.arange(1024) ** 2 // 16
    made = dataset(pixels, 10, ModalityLUTSequence=[lookup(0, 16, entries)])
    np.testing.assert_array_equal(read(made), to_255(entries[pixels], 6, 62500))


# Colours


@pytest.mark.parametrize("planar", [0, 1])
def test_rgb_becomes_601_luminance(read, planar):
    colours = np.zeros((40, 60, 3), np.uint8)
    colours[:, :30], colours[:, 30:] = (200, 100, 50), (0, 0, 255)
    made = dataset(colours, PlanarConfiguration=planar)
    if planar:
        made.PixelData = colours.transpose(2, 0, 1).tobytes()
    assert read(made)[0, [0, 59]].tolist() == [124, 29]


def test_16_bit_rgb_spans_the_scale(read):
    pixels = ramp(1000, 3000)
    made = dataset(np.dstack([pixels] * 3))
    assert np.abs(read(made) - to_255(pixels, 1000, 3000)).max() <= 1


def test_uncompressed_ybr_422_is_whole_at_two_thirds_of_the_size(read):
    colours = np.zeros((40, 60, 3), np.uint8)
    made = dataset(colours, PhotometricInterpretation="YBR_FULL_422")
    # Y Y Cb Cr of every two pixels; without colour Y is the luminance.
    luminance = ramp(0, 255, np.uint8)
    made.PixelData = np.insert(luminance.reshape(-1, 2), [2, 2], 128, axis=1).tobytes()
    assert np.abs(read(made) - luminance).max() <= 1


@pytest.mark.parametrize("bits", [8, 16])
def test_palette_is_looked_up(read, bits):
    indices = (np.indices((40, 60)).sum(0) % 3).astype(np.uint8)
    made = dataset(indices, PhotometricInterpretation="PALETTE COLOR")
    kind = np.uint8 if bits == 8 else np.uint16
    scale = 1 if bits == 8 else 257
    for name, row in zip(
        ("Red", "Green", "Blue"),
        ([0, 200, 255, 0], [0, 200, 0, 0], [0, 200, 0, 0]),
        strict=True,
    ):
        table = (np.array(row, kind) * kind(scale)).tobytes()
        setattr(made, f"{name}PaletteColorLookupTableDescriptor", [4, 0, bits])
        setattr(made, f"{name}PaletteColorLookupTableData", table)
    # Red weighs 0.299: 76.2; 16 bits are spread over the scale: 76.2 / 200 x 255 = 97.2
    expected = [0, 200, 76] if bits == 8 else [0, 255, 97]
    assert read(made)[0, :3].tolist() == expected


# What is refused


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"NumberOfFrames": 3}, "is animated or holds several images (3)"),
        ({"Rows": 20000, "Columns": 30000}, "has 30000 x 20000 pixels, more than the 100,000,000"),
        ({"Rows": 20}, "has 160 x 20 pixels, fewer than 32"),
        ({"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}, "stores 32 bits a value"),
        ({"BitsStored": 17, "HighBit": 16}, "claims to use 17 bits of 16, up to 16"),
        ({"HighBit": 5}, "claims to use 12 bits of 16, up to 5"),
        ({"SamplesPerPixel": 2}, "stores 2 values a pixel"),
        ({"PhotometricInterpretation": "SMITH"}, "corrupted, or of a rare kind"),
        ({"WindowCenter": 9000, "WindowWidth": 10}, "is blank: its window (VOI LUT)"),
        ({"WindowCenter": 9, "WindowWidth": 1, "VOILUTFunction": "ODD"}, "or window without sense"),
        ({"Rows": None}, "is truncated or corrupted in its DICOM header (TypeError)"),
    ],
)
def test_refused_by_its_tags(refuse, tags, message):
    answer = refuse(dataset(radiograph(), 12, **tags))
    assert message in answer
    assert "SMITH" not in answer


@pytest.mark.parametrize("keyword", ["Rows", "PixelData"])
def test_without_an_image(refuse, keyword):
    made = dataset(radiograph(), 12)
    delattr(made, keyword)
    assert "is a DICOM file without pixel data | Remove it." in refuse(made)


def test_deflated_without_pixel_data(refuse):
    made = dataset(radiograph(), 12)
    del made.PixelData
    made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    assert "is a DICOM file without pixel data" in refuse(made)


def test_header_alone(tmp_path):
    (tmp_path / "x.dcm").write_bytes(bytes(128) + b"DICM")
    assert "is a DICOM file without pixel data" in refusal(tmp_path / "x.dcm")


def test_deflated_and_truncated(tmp_path):
    made = dataset(radiograph(), 12)
    made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = write(made, tmp_path / "x.dcm")
    path.write_bytes(path.read_bytes()[:-500])
    assert "is truncated or corrupted in its DICOM header (error)" in refusal(path)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
def test_corrupted_stream(refuse, syntax):
    made = encapsulated(dataset(radiograph(), 12), b"no such stream" * 10, syntax)
    assert f"corrupted, or of a rare kind: {syntax.name} (" in refuse(made)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.102"])
def test_known_syntax_without_a_decoder(refuse, syntax):
    made = encapsulated(dataset(radiograph(), 12), bytes(64), UID(syntax))
    answer = refuse(made)
    assert "is compressed in a way that is not read" in answer
    assert UID(syntax).name in answer
    assert "gdcm" in answer


def test_unknown_syntax(tmp_path):
    made = dataset(radiograph(), 12)
    made.file_meta.TransferSyntaxUID = UID("1.2.840.113619.5.2")
    path = tmp_path / "x.dcm"
    made.save_as(path, implicit_vr=False, little_endian=True, enforce_file_format=True)
    assert "is compressed in an unknown way (its transfer syntax)" in refusal(path)


def test_pydicom_is_imported_only_where_it_is_needed():
    code = "import sys, xray.imaging.read, xray.imaging.header; print('pydicom' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_without_pydicom_the_extra_is_named(tmp_path, monkeypatch):
    path = write(dataset(radiograph(), 12), tmp_path / "x.dcm")
    monkeypatch.setitem(sys.modules, "pydicom", None)
    answer = refusal(path)
    assert "is a DICOM file, and pydicom is not installed | " in answer
    assert answer.endswith("pip install -e '.[dicom]'")


def test_neither_errors_nor_logs_quote_the_patient(tmp_path, caplog):
    made = dataset(radiograph(), 12, PatientName="Secret^Name", PatientID="secret-id")
    made.PatientBirthDate = "19010203"
    content = write(made, tmp_path / "whole.dcm").read_bytes()
    path = tmp_path / "x.dcm"
    errors = []
    for at in range(132, 700, 3):
        damaged = bytearray(content)
        damaged[at : at + 3] = b"\xff\x07\xff"
        path.write_bytes(bytes(damaged))
        try:
            read_image(path)
        except ImageError as error:
            errors.append(error)
    assert len(errors) > 50
    assert not any(error.__cause__ for error in errors)
    said = f"{errors} {caplog.text}".lower()
    assert not any(word in said for word in ("secret", "19010203"))
