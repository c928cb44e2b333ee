import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from dicoms import dataset, encapsulated, radiograph, write
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
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
from xray.imaging.header import read_header
from xray.imaging.read import load_image, read_image


def ramp(low: int, high: int, kind: type = np.uint16) -> np.ndarray:
    """Return (40, 60) values that rise row by row from `low` to `high`."""
    return np.rint(np.linspace(low, high, 2400)).astype(kind).reshape(40, 60)


def rejection(path: Path) -> str:
    with pytest.raises(ImageError) as caught:
        read_image(path)
    assert str(caught.value).startswith(str(path))
    return f"{caught.value.reason} | {caught.value.advice}"


@pytest.fixture
def read(tmp_path: Path):
    return lambda made: read_image(write(made, tmp_path / "x.dcm")).astype(int)


@pytest.fixture
def reject(tmp_path: Path):
    return lambda made: rejection(write(made, tmp_path / "x.dcm"))


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
def test_lossless_syntaxes_decode_to_the_same_array(read, syntax, bits):
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


def damaged_streams(stream: bytes) -> dict[str, bytes]:
    """Return damaged versions of a JPEG stream of 60 x 40 pixels."""
    size = stream.index(b"\xff\xc0") + 5
    zeroed = bytearray(stream)
    zeroed[len(stream) // 2 : len(stream) // 2 + 100] = bytes(100)
    return {
        "cut": stream[: len(stream) * 2 // 3],
        "cut, with an end marker": stream[: len(stream) * 2 // 3] + b"\xff\xd9",
        "taller": stream[:size] + b"\x00\x30" + stream[size + 2 :],
        "zeroed": bytes(zeroed),
    }


@pytest.mark.parametrize("kind", ["cut", "cut, with an end marker", "taller", "zeroed"])
def test_damaged_baseline_jpeg(reject, kind):
    pixels = ramp(0, 255, np.uint8)
    stream = jpeg(Image.fromarray(pixels))
    made = encapsulated(dataset(pixels), damaged_streams(stream)[kind], JPEGBaseline8Bit)
    assert "has a damaged JPEG stream" in reject(made)


@pytest.mark.slow
@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, RLELossless])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_truncated_stream(reject, syntax, share):
    made = dataset(radiograph(), 12)
    made.compress(syntax)
    stream = next(generate_frames(made.PixelData, number_of_frames=1))
    made = encapsulated(dataset(radiograph(), 12), stream[: int(len(stream) * share)], syntax)
    assert "corrupted or of a rare kind" in reject(made)


def test_baseline_jpeg_in_ybr_becomes_luminance(read):
    colors = np.full((40, 60, 3), (200, 100, 50), np.uint8)
    colors[:, 30:] = (0, 0, 255)
    made = dataset(colors, PhotometricInterpretation="YBR_FULL")
    pixels = read(encapsulated(made, jpeg(Image.fromarray(colors)), JPEGBaseline8Bit))
    # 0.299 R + 0.587 G + 0.114 B
    assert abs(pixels[5, 5] - 124.2) <= 2
    assert abs(pixels[5, 50] - 29.07) <= 2


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
@pytest.mark.parametrize("suffix", [".dcm", ".DICOM"])
def test_without_preamble_the_ending_decides(tmp_path, syntax, suffix):
    made = dataset(radiograph(), 12)
    del made.file_meta
    path = tmp_path / f"x{suffix}"
    made.save_as(path, implicit_vr=syntax.is_implicit_VR, little_endian=True)
    assert path.read_bytes()[128:132] != b"DICM"
    expected = to_255(radiograph(), radiograph().min(), radiograph().max())
    np.testing.assert_array_equal(read_image(path), expected)
    assert "is not an image that can be read" in rejection(path.rename(tmp_path / "x.png"))


def test_format_is_detected_from_the_content(tmp_path):
    path = write(dataset(radiograph(), 12), tmp_path / "x.png")
    assert read_image(path).shape == (120, 160)
    Image.fromarray(radiograph(8).astype(np.uint8)).save(tmp_path / "y.dcm", "PNG")
    np.testing.assert_array_equal(read_image(tmp_path / "y.dcm"), radiograph(8))


# From stored values to gray values


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_order_of_values_is_preserved(read, bits, photometric):
    pixels = radiograph(bits, height=300, width=400)
    sign = -1 if photometric == "MONOCHROME1" else 1
    made = dataset(pixels, bits, PhotometricInterpretation=photometric)
    assert sign * spearmanr(read(made).ravel(), pixels.ravel()).statistic >= 0.999


def test_signed_values(read):
    pixels = ramp(-1000, 1000, np.int16)
    np.testing.assert_array_equal(read(dataset(pixels, 12)), to_255(pixels, -1000, 1000))


def overlaid(kind: type) -> tuple[np.ndarray, np.ndarray]:
    """Return 12-bit values and a pattern of 4 further bits, (40, 60) each."""
    low = -2048 if kind is np.int16 else 0
    pixels = ramp(low, low + 4095, kind)
    return pixels, (np.indices(pixels.shape).sum(0) % 16).astype(np.uint16)


@pytest.mark.parametrize("kind", [np.uint16, np.int16])
def test_bits_below_the_stored_ones_are_ignored(read, kind):
    pixels, overlay = overlaid(kind)
    below = (pixels.view(np.uint16) << 4 | overlay).view(kind)
    expected = to_255(pixels, pixels.min(), pixels.max())
    np.testing.assert_array_equal(read(dataset(below, 12, HighBit=15)), expected)


@pytest.mark.parametrize("kind", [np.uint16, np.int16])
def test_bits_above_the_stored_ones_must_be_declared_as_overlays(read, reject, kind):
    pixels, overlay = overlaid(kind)
    above = ((pixels.view(np.uint16) & 0xFFF) | overlay << 12).view(kind)
    made = dataset(above, 12)
    assert "declares 12 stored bits, but pixels use more" in reject(made)
    for index in range(4):
        made.add_new((0x6000 + 2 * index, 0x0102), "US", 12 + index)
    np.testing.assert_array_equal(read(made), to_255(pixels, pixels.min(), pixels.max()))


def test_sign_bits_above_the_stored_ones_may_be_zero(read):
    pixels = ramp(-2048, 2047, np.int16)
    cleared = (pixels.view(np.uint16) & 0xFFF).view(np.int16)
    np.testing.assert_array_equal(read(dataset(cleared, 12)), to_255(pixels, -2048, 2047))


@pytest.mark.parametrize(("bits", "top"), [(8, 4095), (10, 1024), (12, 65535)])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless])
def test_too_few_stored_bits_are_rejected(reject, bits, top, syntax):
    made = dataset(ramp(0, top), bits)
    if syntax is RLELossless:
        made.BitsStored, made.HighBit = 16, 15
        made.compress(RLELossless)
        made.BitsStored, made.HighBit = bits, bits - 1
    answer = reject(made)
    assert f"declares {bits} stored bits, but pixels use more (values up to {top})" in answer
    assert "BitsStored" in answer


def test_monochrome1_is_inverted(read):
    pixels = ramp(100, 900)
    made = dataset(pixels, 10, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(read(made), 255 - to_255(pixels, 100, 900))


@pytest.mark.parametrize(
    ("photometric", "shape", "inverted"),
    [
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME1", "INVERSE", True),
        ("MONOCHROME1", "IDENTITY", False),
        ("MONOCHROME1", "", True),
        ("MONOCHROME1", "LIN OD", True),
    ],
)
@pytest.mark.parametrize("window", [{}, {"WindowCenter": 500, "WindowWidth": 801}])
def test_presentation_lut_shape_decides_about_the_inversion(
    read, photometric, shape, inverted, window
):
    pixels = ramp(100, 900)
    tags = {"PhotometricInterpretation": photometric, "PresentationLUTShape": shape}
    plain = read(dataset(pixels, 10, **window))
    shown = read(dataset(pixels, 10, **tags, **window))
    np.testing.assert_array_equal(shown, 255 - plain if inverted else plain)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    ("value", "tags"),
    [
        (0, {"PixelPaddingValue": 0}),
        (4095, {"PixelPaddingValue": 4095}),
        (4000, {"PixelPaddingValue": 3900, "PixelPaddingRangeLimit": 4095}),
        (4000, {"PixelPaddingValue": 4095, "PixelPaddingRangeLimit": 3900}),
        (65535, {"PixelPaddingValue": 65535}),
    ],
)
def test_padding_is_black_and_excluded_from_the_range(read, photometric, value, tags):
    pixels = ramp(1000, 2000)
    pixels[:, :20] = value
    made = dataset(pixels, 12, PhotometricInterpretation=photometric, **tags)
    shown = read(made)
    low, high = pixels[:, 20:].min(), pixels[:, 20:].max()
    expected = to_255(pixels, low, high)
    expected = 255 - expected if photometric == "MONOCHROME1" else expected
    np.testing.assert_array_equal(shown[:, 20:], expected[:, 20:])
    assert (shown[:, :20] == 0).all()


@pytest.mark.parametrize("written", [-2000, 63536])
def test_signed_padding(read, written):
    pixels = ramp(-100, 900, np.int16)
    pixels[:, :20] = -2000
    made = dataset(pixels, 12)
    made.add_new("PixelPaddingValue", "SS" if written < 0 else "US", written)
    shown = read(made)
    assert (shown[:, :20] == 0).all()
    assert (shown[0, 20], shown[-1, -1]) == (0, 255)


def test_padding_is_black_outside_the_window_too(read):
    pixels = ramp(0, 1000)
    pixels[:, :20] = 4095
    made = dataset(pixels, 12, PixelPaddingValue=4095, WindowCenter=500, WindowWidth=401)
    shown = read(made)
    assert (shown[:, :20] == 0).all()
    np.testing.assert_array_equal(shown[:, 20:], to_255(pixels, 299.5, 699.5)[:, 20:])


def test_padding_that_does_not_occur_changes_nothing(read):
    pixels = ramp(100, 900)
    np.testing.assert_array_equal(
        read(dataset(pixels, 12, PixelPaddingValue=4000)), read(dataset(pixels, 12))
    )


def test_only_padding_or_one_value_beside_it_is_rejected(reject):
    pixels = np.full((40, 60), 700, np.uint16)
    assert "contains only padding" in reject(dataset(pixels, 12, PixelPaddingValue=700))
    pixels[:20] = 0
    assert "is blank: there is one value" in reject(dataset(pixels, 12, PixelPaddingValue=0))


def test_outliers_are_clipped_without_a_window_only(tmp_path):
    pixels = ramp(100, 900)
    pixels[20, 30] = 65535
    path = write(dataset(pixels), tmp_path / "x.dcm")
    loaded = load_image(path)
    assert len(np.unique(loaded.pixels)) > 200
    (note,) = loaded.notes
    assert note.startswith("1 outlier pixel was clipped")
    window = {"WindowCenter": 500, "WindowWidth": 801}
    assert load_image(write(dataset(pixels, **window), tmp_path / "y.dcm")).notes == ()


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
    gray = read(dataset(pixels, 12, **window))
    # At the lower edge of the window a sigmoid is 1 / (1 + e^2) = 0.119
    at = np.searchsorted(pixels.ravel(), [1500, 2000])
    assert np.abs(gray.ravel()[at] - [low, middle]).max() <= 1


@pytest.mark.parametrize(("slope", "intercept"), [(2, -1000), (0.5, 0), (-1, 4095)])
def test_window_applies_to_rescaled_values(read, slope, intercept):
    pixels = ramp(0, 4095)
    window = {"WindowCenter": 1000, "WindowWidth": 1001}
    made = dataset(pixels, 12, RescaleSlope=slope, RescaleIntercept=intercept, **window)
    np.testing.assert_array_equal(
        read(made), to_255(pixels * float(slope) + intercept, 499.5, 1499.5)
    )


def test_negative_slope_inverts_the_scale(read):
    pixels = ramp(100, 900)
    made = dataset(pixels, 10, RescaleSlope=-1, RescaleIntercept=1023)
    np.testing.assert_array_equal(read(made), to_255(-pixels.astype(int), -900, -100))


@pytest.mark.parametrize("window", [(500, 0), (500, -5), (None, None), (500, None)])
def test_invalid_window_is_ignored(read, window):
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


# Colors


@pytest.mark.parametrize("planar", [0, 1])
def test_rgb_becomes_601_luminance(read, planar):
    colors = np.zeros((40, 60, 3), np.uint8)
    colors[:, :30], colors[:, 30:] = (200, 100, 50), (0, 0, 255)
    made = dataset(colors, PlanarConfiguration=planar)
    if planar:
        made.PixelData = colors.transpose(2, 0, 1).tobytes()
    assert read(made)[0, [0, 59]].tolist() == [124, 29]


def test_16_bit_rgb_spans_the_scale(read):
    pixels = ramp(1000, 3000)
    made = dataset(np.dstack([pixels] * 3))
    assert np.abs(read(made) - to_255(pixels, 1000, 3000)).max() <= 1


def test_uncompressed_ybr_422_has_two_thirds_of_the_size(read):
    colors = np.zeros((40, 60, 3), np.uint8)
    made = dataset(colors, PhotometricInterpretation="YBR_FULL_422")
    # Y Y Cb Cr for every two pixels; without color, Y is the luminance.
    luminance = ramp(0, 255, np.uint8)
    made.PixelData = np.insert(luminance.reshape(-1, 2), [2, 2], 128, axis=1).tobytes()
    assert np.abs(read(made) - luminance).max() <= 1


@pytest.mark.parametrize("bits", [8, 16])
def test_palette_is_applied(read, bits):
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
    # The weight of red is 0.299: 76.2. 16 bits are scaled: 76.2 / 200 x 255 = 97.2
    expected = [0, 200, 76] if bits == 8 else [0, 255, 97]
    assert read(made)[0, :3].tolist() == expected


# Files that are rejected


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"NumberOfFrames": 3}, "is animated or contains several images (3)"),
        ({"Rows": 20000, "Columns": 30000}, "has 30000 x 20000 pixels, more than the 100,000,000"),
        ({"Rows": 20}, "has 160 x 20 pixels, fewer than 32"),
        ({"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}, "stores 32 bits per sample"),
        ({"BitsStored": 17, "HighBit": 16}, "declares 17 of 16 bits, up to bit 16"),
        ({"HighBit": 5}, "declares 12 of 16 bits, up to bit 5"),
        ({"SamplesPerPixel": 2}, "stores 2 samples per pixel"),
        ({"PhotometricInterpretation": "SMITH"}, "corrupted or of a rare kind"),
        ({"WindowCenter": 9000, "WindowWidth": 10}, "is blank: its window (VOI LUT)"),
        (
            {"WindowCenter": 9, "WindowWidth": 1, "VOILUTFunction": "ODD"},
            "an invalid lookup table or window",
        ),
        ({"Rows": None}, "is truncated or corrupted in its DICOM header (TypeError)"),
    ],
)
def test_rejected_by_its_tags(reject, tags, message):
    answer = reject(dataset(radiograph(), 12, **tags))
    assert message in answer
    assert "SMITH" not in answer


@pytest.mark.parametrize(
    ("photometric", "samples"),
    [("MONOCHROME1", 3), ("MONOCHROME2", 3), ("PALETTE COLOR", 3), ("RGB", 1), ("YBR_FULL", 1)],
)
def test_samples_that_contradict_the_photometric_interpretation(tmp_path, photometric, samples):
    pixels = radiograph(8).astype(np.uint8)
    made = dataset(np.dstack([pixels] * 3) if samples == 3 else pixels)
    made.PhotometricInterpretation = photometric
    path = write(made, tmp_path / "x.dcm")
    answer = rejection(path)
    assert (
        f"contradicts itself: it declares {samples} samples per pixel and {photometric}" in answer
    )
    with pytest.raises(ImageError, match="contradicts itself"):
        read_header(path)


def test_colors_are_measured_on_request(tmp_path):
    colors = np.zeros((40, 60, 3), np.uint8)
    colors[:, :30], colors[:, 30:] = (200, 100, 50), (90, 90, 90)
    path = write(dataset(colors), tmp_path / "x.dcm")
    assert load_image(path).color == 0
    assert load_image(path, color=True).color == 0.5


@pytest.mark.parametrize("keyword", ["Rows", "PixelData"])
def test_without_pixel_data(reject, keyword):
    made = dataset(radiograph(), 12)
    delattr(made, keyword)
    assert "is a DICOM file without pixel data | Remove it." in reject(made)


def test_deflated_without_pixel_data(reject):
    made = dataset(radiograph(), 12)
    del made.PixelData
    made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    assert "is a DICOM file without pixel data" in reject(made)


def test_header_alone(tmp_path):
    (tmp_path / "x.dcm").write_bytes(bytes(128) + b"DICM")
    assert "is a DICOM file without pixel data" in rejection(tmp_path / "x.dcm")


def test_deflated_and_truncated(tmp_path):
    made = dataset(radiograph(), 12)
    made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = write(made, tmp_path / "x.dcm")
    path.write_bytes(path.read_bytes()[:-500])
    assert "is truncated or corrupted in its DICOM header (error)" in rejection(path)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
def test_corrupted_stream(reject, syntax):
    made = encapsulated(dataset(radiograph(), 12), b"no such stream" * 10, syntax)
    assert f"corrupted or of a rare kind: {syntax.name} (" in reject(made)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.102"])
def test_known_syntax_without_a_decoder(reject, syntax):
    made = encapsulated(dataset(radiograph(), 12), bytes(64), UID(syntax))
    answer = reject(made)
    assert "is compressed in a way that is not read" in answer
    assert UID(syntax).name in answer
    assert "gdcm" in answer


def test_unknown_syntax(tmp_path):
    made = dataset(radiograph(), 12)
    made.file_meta.TransferSyntaxUID = UID("1.2.840.113619.5.2")
    path = tmp_path / "x.dcm"
    made.save_as(path, implicit_vr=False, little_endian=True, enforce_file_format=True)
    assert "is compressed in an unknown way (its transfer syntax)" in rejection(path)


def test_pydicom_is_imported_only_when_needed():
    code = "import sys, xray.imaging.read, xray.imaging.header; print('pydicom' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_missing_pydicom_names_the_extra(tmp_path, monkeypatch):
    path = write(dataset(radiograph(), 12), tmp_path / "x.dcm")
    monkeypatch.setitem(sys.modules, "pydicom", None)
    answer = rejection(path)
    assert "is a DICOM file, and pydicom is not installed | " in answer
    assert answer.endswith("pip install -e '.[dicom]'")


@pytest.mark.slow
def test_errors_and_logs_do_not_contain_the_patient(tmp_path, caplog):
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
    text = f"{errors} {caplog.text}".lower()
    assert not any(word in text for word in ("secret", "19010203"))
