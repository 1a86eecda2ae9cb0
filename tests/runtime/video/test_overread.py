"""Pictures that end right before memory that is not there are converted, and nothing crashes."""

from __future__ import annotations

import mmap
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from framelift.runtime.video.clip.frame import Image
from framelift.runtime.video.clip.overread import with_room
from framelift.runtime.video.clip.pool import FramePool

SCRIPT = """
    import ctypes, mmap
    import numpy as np
    from framelift.runtime.video.clip.bgr import FromBgr
    from framelift.runtime.video.clip.colour_tags import complete_colour

    library, page = ctypes.CDLL(None), mmap.PAGESIZE
    memory = mmap.mmap(-1, 64 * page)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    protect = library.mprotect
    protect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    assert protect(address + 63 * page, page, 0) == 0
    colour = complete_colour(
        matrix=1, range_=1, primaries=1, transfer=1, is_rgb=False, lines=8
    )
    for width in (64, 66, 70, 94, 128, 190, 254):
        for dtype in (np.uint8, np.uint16):
            size = 8 * width * 3 * np.dtype(dtype).itemsize
            for room in (0, 2, 16, 32, 62):
                start = 63 * page - room - size
                picture = np.frombuffer(memory, dtype, 8 * width * 3, start).reshape(8, width, 3)
                picture[...] = 128 * (257 if dtype == np.uint16 else 1)
                made = FromBgr("yuv420p", colour, (width, 8))(picture)
                luma = np.frombuffer(made.planes[0], np.uint8)[:width]
                assert luma.min() == luma.max() == 126, (width, dtype, room, luma)
    print("done")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="protects memory by mprotect of Linux")
def test_pictures_at_the_end_of_memory_are_converted() -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT)], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-2000:]


@pytest.mark.parametrize("shape", [(64, 64, 3), (1, 1, 3), (2160, 3840, 3), (16, 5, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_frames_of_a_pool_are_never_copied(
    shape: tuple[int, int, int], dtype: type[np.uint8] | type[np.uint16]
) -> None:
    def end_at_a_page(taller: tuple[int, ...]) -> Image:
        """An array whose first rows, those of `shape`, end where a page ends."""
        size, kept = (int(np.prod(of)) * np.dtype(dtype).itemsize for of in (taller, shape))
        memory = np.empty(size + mmap.PAGESIZE, np.uint8)
        start = -(memory.ctypes.data + kept) % mmap.PAGESIZE
        array: Image = memory[start : start + size].view(dtype).reshape(taller)
        assert (array.ctypes.data + kept) % mmap.PAGESIZE == 0
        return array

    frame = FramePool(end_at_a_page).take(shape)
    assert frame.shape == shape
    assert frame.flags.c_contiguous
    assert with_room(frame) is frame
