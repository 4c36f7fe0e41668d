"""Damage the content of files, deep inside where they are archives: what every reader is given."""

import gzip
import io
import re
import struct
import zipfile
import zlib

import numpy as np

TOKEN = re.compile(rb'"(?:[^"\\\n]|\\.)*"|[\w.+-]+')
# What may stand for another token in JSON, TOML, CSV and the header of a .npy file: a quotation, a value, or anything.
QUOTATIONS = [
    *(
        b'""',
        b'"../../x"',
        b'"/etc/passwd"',
        b'"a\\u0000b"',
        b'"\\ud800"',
        b'"\xff"',
        b'"\xe2\x80\xae7"',
        b'"<b>$x$</b>"',
    ),
    *(b'"\\u001b[31m"', b'"run"', b'"seven"', b'"Lambda"', b'"float16"', b'"' + b"x" * 9999 + b'"'),
]
VALUES = [
    *(
        b"null",
        b"true",
        b"false",
        b"NaN",
        b"-Infinity",
        b"-1",
        b"0",
        b"1e999",
        b"3.7",
        b"9" * 5000,
        b"9" * 30,
        b"1e-320",
    ),
    *(b"{}", b"[]", b"[null]", b'{"": 0}', b"1979-05-27", b"float16", b"object", b"|O", b">f8", b"<U99999999"),
]
ANYTHING = [b"[" * 20_000, b'{"a":' * 2000, b'"', b"'", b"\n", b"\0", b",", b"=", b"[[variants]]", b"1_0", b"\\", b""]
# Text is searched for tokens in a part of this many bytes.
PART = 2000
NASTY_NUMBERS = [0, 1, 127, 128, 255, 256, 32_767, 65_535, 2**16, 2**20, 2**24, 2**30, 2**31 - 1, 2**31, 2**32 - 1]


def mutate(content: bytes, rng: np.random.Generator, others: list[bytes]) -> bytes:
    """A damaged copy of a file's content.

    Args:
        others: contents of other files, to splice with.
    """
    if rng.random() < 0.7:
        try:
            if content.startswith(b"PK\3\4"):
                return _in_zip(content, rng, others)
            if content.startswith(b"\x1f\x8b"):
                return gzip.compress(mutate(gzip.decompress(content), rng, others), 1)
        # A content that is damaged already is only damaged further.
        except (zipfile.BadZipFile, OSError, EOFError, zlib.error, ValueError):
            pass
    for _ in range(rng.geometric(0.5)):
        is_text = content.startswith(b"\x93NUMPY") or b"\0" not in content[:100]
        content = (_with_token if is_text and rng.random() < 0.8 else _with_bytes)(content, rng, others)
    return _with_checksums(content) if content.startswith(b"\x89PNG") and rng.random() < 0.7 else content


def _in_zip(content: bytes, rng: np.random.Generator, others: list[bytes]) -> bytes:
    """Damage one member, or its name, and keep the checksums right."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(entry.filename, archive.read(entry), entry.compress_type) for entry in archive.infolist()]
    chosen = int(rng.integers(len(members)))
    name, member, compression = members[chosen]
    action = rng.random()
    if action < 0.85:
        members[chosen] = name, mutate(member, rng, others), compression
    elif action < 0.9:
        members[chosen] = mutate(name.encode(), rng, others).decode(errors="replace")[:60_000], member, compression
    elif action < 0.95:
        members.append(members[int(rng.integers(len(members)))])
    else:
        del members[chosen]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, member, compression in members:
            archive.writestr(zipfile.ZipInfo(name), member, compression, 1)
    return packed.getvalue()


def _with_token(content: bytes, rng: np.random.Generator, others: list[bytes]) -> bytes:
    """Replace a word, number or quotation by a nasty one or by another one nearby."""
    offset = int(rng.integers(max(1, len(content) - PART // 2)))
    tokens = [(offset + found.start(), found[0]) for found in TOKEN.finditer(content, offset, offset + PART)]
    if not tokens:
        return _with_bytes(content, rng, others)
    (start, token), (_, instead) = (tokens[place] for place in rng.integers(len(tokens), size=2))
    if rng.random() < 0.7:
        fitting = QUOTATIONS if token.startswith(b'"') else VALUES
        choices = fitting if rng.random() < 0.8 else QUOTATIONS + VALUES + ANYTHING
        instead = choices[int(rng.integers(len(choices)))]
    return content[:start] + instead + content[start + len(token) :]


def _with_bytes(content: bytes, rng: np.random.Generator, others: list[bytes]) -> bytes:
    """Overwrite, insert, repeat, delete or cut off bytes, half the time near the beginning, where headers are."""
    reach = len(content) if rng.random() < 0.5 else min(len(content), 200)
    start = int(rng.integers(reach + 1))
    length = int(rng.integers(1, 1 + max(1, min(len(content), 2 ** int(rng.integers(1, 14))))))
    head, part, tail = content[:start], content[start : start + length], content[start + length :]
    match int(rng.integers(8)):
        case 0:
            return head + bytes([part[0] ^ 1 << int(rng.integers(8))] if part else b"\0") + part[1:] + tail
        case 1:
            return head + rng.bytes(len(part)) + tail
        case 2 | 3:
            number = NASTY_NUMBERS[int(rng.integers(len(NASTY_NUMBERS)))]
            written = number.to_bytes(4, "big" if rng.random() < 0.5 else "little")[: int(rng.choice([1, 2, 4]))]
            return head + written + content[start + len(written) :]
        case 4:
            return head + tail
        case 5:
            return head + part + part + tail
        case 6:
            return head
        case _:
            other = others[int(rng.integers(len(others)))]
            return head + other[start:]


def _with_checksums(content: bytes) -> bytes:
    """A PNG whose chunks have the checksum of what they hold, without which a decoder reads little of it."""
    whole, position = bytearray(content), 8
    while position + 12 <= len(whole):
        end = position + 8 + int.from_bytes(whole[position : position + 4], "big")
        if end + 4 > len(whole):
            break
        whole[end : end + 4] = struct.pack(">I", zlib.crc32(whole[position + 4 : end]))
        position = end + 4
    return bytes(whole)
