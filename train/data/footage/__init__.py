"""Training pairs for video: sequences that real encoders have coded.

`scenes` moves photographs before a virtual camera, `clips` reads videos, `sequences` reduces and
codes them, `cache` keeps frames of them on disk and `pairs` draws training crops from there.
"""
