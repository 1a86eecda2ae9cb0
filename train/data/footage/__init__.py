"""Training pairs for video: sequences that real encoders have coded.

`scenes` moves photographs before a virtual camera, `clips` reads videos, `encode` codes the reduced
sequences, `cache` keeps frames of them on disk and `crops` draws training crops from there.
"""
