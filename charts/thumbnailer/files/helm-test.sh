# What `helm test` runs, in the API's image: submit a picture as callers do, and look at its thumbnail.
set -eu
folder=$(mktemp -d)
thumbnailer submit /test/photo.jpg --output format=jpeg,size=100x100 --to "$folder" --timeout 240
python - "$folder"/*.jpg <<'PYTHON'
import struct
import sys

image = open(sys.argv[1], "rb").read()
assert image.startswith(b"\xff\xd8\xff"), "this is no JPEG"
at = 2
while image[at + 1] not in (0xC0, 0xC2):  # the frame's header, of a baseline or progressive JPEG
    at += 2 + struct.unpack(">H", image[at + 2 : at + 4])[0]
height, width = struct.unpack(">HH", image[at + 5 : at + 9])
assert (width, height) == (100, 100), f"this is {width}x{height}"
print(f"{sys.argv[1]} is a JPEG of {width}x{height}, {len(image)} bytes.")
PYTHON
