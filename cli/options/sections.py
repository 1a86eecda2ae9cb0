"""Commands with many options, whose help shows them in sections."""

from __future__ import annotations

from collections.abc import Iterator

import click

_SECTIONS = {
    "Model and device": ("model", "style_size", "backend", "device", "threads", "tile"),
    "Size": ("scale", "size", "width", "height"),
    "Files": (
        "recursive",
        "overwrite",
        "resume",
        "missing",
        "list_file",
        "retries",
        "compare",
        "no_metadata",
    ),
    "Several machines": (
        "shard",
        "split",
        "ray",
        "workers",
        "cpus_per_worker",
        "gpus_per_worker",
    ),
    "Videos": ("start", "end", "fps", "deinterlace", "no_reuse", "assume_transfer"),
    "Encoding": ("codec", "crf", "preset", "pixel_format", "audio", "no_audio"),
    "Cameras and streams": ("timeout", "reconnect", "keep_all"),
}
"""Title to the options in that section, by the names of their arguments, in the order shown."""

_REST = "Other options"


class SectionedCommand(click.Command):
    """A command whose help shows its options in sections."""

    def sections(self, context: click.Context) -> Iterator[tuple[str, list[click.Option]]]:
        """Title and options of each section that has any; what is in none comes last."""
        left = {
            str(option.name): option
            for option in self.get_params(context)
            if isinstance(option, click.Option) and not option.hidden
        }
        for title, names in _SECTIONS.items():
            if found := [left.pop(name) for name in names if name in left]:
                yield title, found
        yield _REST, list(left.values())

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections."""
        sections = [
            (title, [record for option in options if (record := option.get_help_record(ctx))])
            for title, options in self.sections(ctx)
        ]
        for title, records in sections:
            with formatter.section(title):
                formatter.write_dl(records)
