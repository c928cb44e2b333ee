import shutil

from made_images import write_image

from xray.data.litter import find_litter


def test_what_is_passed_over_is_listed_with_its_reason(tmp_path):
    root = tmp_path / "set"
    image = write_image(root / "train/normal/a.png")
    for name in (
        "train/normal/._a.png",
        "train/__MACOSX/b.png",
        "train/normal/.cache/c.png",
        "train/d.png",
        "masks/lung/train/normal/a.png",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(image, root / name)
    shutil.copy(image, root / "train/normal/e.image")
    (root / "train/normal/notes.txt").write_text("read me")
    (root / "train/normal/f.gif").write_bytes(b"GIF89a" + bytes(40))
    (root / "README.md").write_text("of the set")
    (root / "train/normal/again").symlink_to(root / "train")
    found = {finding.path: finding.detail for finding in find_litter(root)}
    assert found == {
        "train/normal/._a.png": "a hidden file",
        "train/__MACOSX": "archive litter",
        "train/normal/.cache": "a hidden folder",
        "train/d.png": "an image outside the class folders",
        "train/normal/e.image": "is PNG by its content: give it that ending to have it read",
        "train/normal/notes.txt": "is text, not an image",
        "train/normal/f.gif": "is a GIF image, which is not read",
        "train/normal/again": "a link to a folder that holds it",
    }


def test_images_beside_the_splits_are_listed(tmp_path):
    root = tmp_path / "set"
    for name in (
        "train/normal/a.png",
        "val/normal/b.png",
        "valid/normal/c.png",
        "dev/normal/d.png",
    ):
        write_image(root / name)
    (root / "dev" / "notes.txt").write_text("of the set")
    found = {finding.path: finding.detail for finding in find_litter(root)}
    assert found == dict.fromkeys(
        ("dev/normal/d.png", "val/normal/b.png"), "an image outside the class folders"
    )
