# SPDX-License-Identifier: Apache-2.0
"""Turn a distribution's arm64 kernel into a raw Image: raw_image.py FROM TO.

A kernel is either an Image already (magic "ARM\\x64" at offset 56, Linux'
Documentation/arch/arm64/booting.rst), a gzip of one, or an EFI "zboot" program that carries a
compressed one (drivers/firmware/efi/libstub/zboot-header.S: "zimg" at 4, the payload's offset and
size as little-endian words at 8 and 12, the compression's name at 24).
"""
import gzip
import lzma
import struct
import subprocess
import sys

ARM64_MAGIC = b"ARM\x64"


def unpack(kind, data):
    """The plain bytes of `data`, compressed by the method named `kind`."""
    if kind == "gzip":
        return gzip.decompress(data)
    if kind in ("xz", "lzma"):
        return lzma.decompress(data)
    if kind.startswith("zstd"):
        return subprocess.run(["zstd", "-dc"], input=data, check=True, capture_output=True).stdout
    raise ValueError(f"compression '{kind}' is not known")


def raw_image(data):
    """The raw Image inside the kernel file `data`; ValueError when there is none."""
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    if data[4:8] == b"zimg":
        offset, size = struct.unpack_from("<II", data, 8)
        kind = data[24:56].split(b"\0")[0].decode("ascii", "replace")
        if offset + size > len(data):
            raise ValueError("the payload ends behind the file")
        data = unpack(kind, data[offset : offset + size])
    if data[56:60] != ARM64_MAGIC:
        raise ValueError("there is no arm64 Image in it")
    return data


def main():
    source, target = sys.argv[1:3]
    try:
        with open(source, "rb") as f:
            image = raw_image(f.read())
    except (OSError, ValueError, EOFError, lzma.LZMAError, subprocess.SubprocessError) as e:
        sys.exit(f"raw_image: {source}: {e}")
    with open(target, "wb") as f:
        f.write(image)


if __name__ == "__main__":
    main()
