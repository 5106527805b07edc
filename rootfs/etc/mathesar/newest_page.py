"""Says how far in the log of Postgres the newest page of a cluster is: `newest_page.py FOLDER`."""

import pathlib
import re
import struct
import sys

PAGE = 8192
CHUNK = 128 * PAGE
FILE = re.compile(r"\d+(_[a-z]+)?(\.\d+)?")


def newest_in(path):
    newest = 0
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            for at in range(0, len(chunk) - 7, PAGE):
                high, low = struct.unpack_from("<II", chunk, at)
                newest = max(newest, high << 32 | low)
    return newest


def main():
    cluster = pathlib.Path(sys.argv[1])
    files = [*cluster.glob("base/*/*"), *cluster.glob("global/*")]
    print("newest", max(newest_in(file) for file in files if FILE.fullmatch(file.name)))


main()
