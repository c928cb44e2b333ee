"""Reading image files: PNG, JPEG, BMP, TIFF, WebP and DICOM."""
