"""What can go wrong with an image.

ImageRefused    the image's own doing: its job fails with this code and message
"""

from __future__ import annotations


class ImageRefused(Exception):
    """The image is not made into pictures; trying again gives the same.

    `code` is HTTP's: 415 no image that we know, 413 too many bytes, pixels or frames, or too little memory,
    422 an image that cannot be decoded. `message` is one sentence: what is wrong, and what to do about it.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
