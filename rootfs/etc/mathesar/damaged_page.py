"""Ends well unless Postgres would refuse to read a page of a cluster: `damaged_page.py FOLDER`."""

import pathlib
import re
import struct
import sys

PAGE = 8192
CHUNK = 128 * PAGE
# Of the maps of free space and of what all may see, Postgres makes anew what it cannot read.
FILE = re.compile(r"\d+(_init)?(\.\d+)?")
KNOWN_FLAGS = 0x7
EMPTY = bytes(PAGE)


def is_damaged(page):
    """As PageIsVerified has it, which any page with a checksum has to pass, too."""
    flags, lower, upper, special = struct.unpack_from("<HHHH", page, 10)
    if upper == 0:
        return page != EMPTY
    is_sane = lower <= upper <= special <= PAGE and special % 8 == 0
    return flags & ~KNOWN_FLAGS != 0 or not is_sane


def check(path):
    number = 0
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            for at in range(0, len(chunk) - PAGE + 1, PAGE):
                if is_damaged(chunk[at : at + PAGE]):
                    sys.exit(f"error: Postgres cannot read page {number} of {path}")
                number += 1


def main():
    cluster = pathlib.Path(sys.argv[1])
    for path in [*cluster.glob("base/*/*"), *cluster.glob("global/*")]:
        if FILE.fullmatch(path.name):
            check(path)


main()
