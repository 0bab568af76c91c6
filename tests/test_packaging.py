"""The wheel: everything inside, small enough, and at work in an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("cli", "composer", "index", "sample_repos", "templates", "evaluation")
LARGEST = 60 * 1024 * 1024  # bytes

pytestmark = pytest.mark.slow


def is_source(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts and path.suffix != ".partial"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: setuptools leaves folders behind, and takes stale files from them."""
    checkout, dist = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("dist")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, checkout)
    for name in FOLDERS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(dist), str(checkout)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(dist.glob("*.whl"))


@pytest.fixture(scope="module")
def bin_folder(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel; the packages that it needs are seen in this environment, not copied."""
    venv = tmp_path_factory.mktemp("clean") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    scripts = venv / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / Path(sys.executable).name
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, str(wheel)], check=True)
    query = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.run([str(python), "-c", query], capture_output=True, text=True, check=True).stdout.strip()
    # A path in a .pth file is appended, and .pth files in it are not read: our own editable install is not seen.
    others = dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    Path(site, "packages-of-the-tests.pth").write_text("\n".join(others) + "\n")
    return scripts


def run(scripts: Path, cwd: Path, *args: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "LIMNER_"))}
    return subprocess.run(
        [str(scripts / "limner"), *args], cwd=cwd, env=clean, capture_output=True, text=True, check=False
    )


def test_every_package_is_listed() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = {
        ".".join(("limner", *path.parent.relative_to(ROOT).parts))
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("__init__.py")
    }
    assert listed == found


def test_wheel_holds_every_file_of_its_folders(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        f"limner/{path.relative_to(ROOT).as_posix()}"
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if is_source(path)
    }
    assert expected - inside == set()
    assert {name for name in inside if ".dist-info/" not in name} - expected == set()
    assert any(name.endswith("licenses/LICENSE") for name in inside)


def test_wheel_holds_pictures_prompts_templates_and_weights(wheel: Path) -> None:
    inside = zipfile.ZipFile(wheel).namelist()
    pictures = [name for name in inside if name.startswith("limner/sample_repos/picture_book/")]
    assert len(pictures) >= 400
    for needed in (
        "limner/sample_repos/picture_book/limner-metadata.csv",
        "limner/templates/prompts/limner/write.j2",
        "limner/templates/article/article.html.j2",
        "limner/templates/article/style.css",
        "limner/templates/sheet/sheet.js",
        "limner/index/nano_clip/open_clip_model.safetensors",
        "limner/composer/models/nano_vlm/model.safetensors",
    ):
        assert needed in inside


def test_wheel_is_small_and_has_nothing_generic(wheel: Path) -> None:
    assert wheel.stat().st_size <= LARGEST
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert tops == {"limner", f"limner-{version('limner')}.dist-info"}


def test_wheel_runs_its_quickstart_in_a_clean_environment(bin_folder: Path, tmp_path: Path) -> None:
    assert run(bin_folder, tmp_path, "--version").stdout == f"limner {version('limner')}\n"
    assert "illustrate" in run(bin_folder, tmp_path, "--help").stdout
    assert "nano-vlm" in run(bin_folder, tmp_path, "models", "list").stdout

    demo = run(bin_folder, tmp_path, "demo")

    assert demo.returncode == 0, demo.stderr
    pages = [Path(line) for line in demo.stdout.splitlines() if line.endswith("article.html")]
    assert len(pages) == 3
    assert all(page.is_file() and "<figure" in page.read_text(encoding="utf-8") for page in pages)


def test_wheel_is_what_ran_there(bin_folder: Path, tmp_path: Path) -> None:
    python = bin_folder / Path(sys.executable).name
    query = "import limner.cli.app as app; print(app.__file__)"
    where = subprocess.run([str(python), "-c", query], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert Path(where.strip()).is_relative_to(bin_folder.parent)
