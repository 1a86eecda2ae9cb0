"""The shipped presets. Imports nothing heavy, so that listing them is instant."""

from __future__ import annotations

from pathlib import Path

PRESETS = Path(__file__).parents[1] / "presets"


def preset_names() -> list[str]:
    """Names of the shipped presets."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def preset_summary(name: str) -> str:
    """The first line of a preset, which says what it is for."""
    with (PRESETS / f"{name}.toml").open(encoding="utf-8") as file:
        return file.readline().lstrip("# ").strip()
