"""Makes dequantise.json: blocks of every quantised storage type and the values that ggml gives them.

    python3 make-dequantise.py /path/to/libggml-base.so > dequantise.json

The library is that of npm @node-llama-cpp/linux-x64 3.22.1. Blocks are random bits with scales that are random finite
float16 numbers, subnormal or the largest, and one block of each type that ggml's own quantiser makes.
"""

import ctypes
import json
import random
import struct
import sys

SEED = 20261123
# Name: ggml's number, elements and bytes of a block, where its float16 scales are.
TYPES = {
    "Q4_0": (2, 32, 18, [0]),
    "Q4_1": (3, 32, 20, [0, 2]),
    "Q5_0": (6, 32, 22, [0]),
    "Q5_1": (7, 32, 24, [0, 2]),
    "Q2_K": (10, 256, 84, [80, 82]),
    "Q3_K": (11, 256, 110, [108]),
    "Q4_K": (12, 256, 144, [0, 2]),
    "Q5_K": (13, 256, 176, [0, 2]),
    "Q6_K": (14, 256, 210, [208]),
}
SUBNORMAL = 0x8003
LARGEST = 0x7BFF


class InitParams(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("buffer", ctypes.c_void_p), ("no_alloc", ctypes.c_bool)]


def open_library(path):
    library = ctypes.CDLL(path)
    library.ggml_init.argtypes = [InitParams]
    library.ggml_init.restype = ctypes.c_void_p
    library.ggml_init(InitParams(1 << 20, None, True))
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    library.ggml_quantize_chunk.argtypes = [
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_int64,
        ctypes.c_int64,
        ctypes.c_int64,
        ctypes.c_void_p,
    ]
    return library


def dequantise(library, name, block):
    count = TYPES[name][1]
    values = (ctypes.c_float * count)()
    function = getattr(library, f"dequantize_row_{name[0].lower()}{name[1:]}")
    function.restype = None
    function.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int64]
    function(block, ctypes.byref(values), count)
    return bytes(values)


def quantise(library, name, values):
    number, _, size, _ = TYPES[name]
    source = (ctypes.c_float * len(values))(*values)
    block = ctypes.create_string_buffer(size)
    written = library.ggml_quantize_chunk(
        number, ctypes.byref(source), block, 0, 1, len(values), None
    )
    assert written == size
    return block.raw


def random_block(rng, name, scale=None):
    _, _, size, scales_at = TYPES[name]
    block = bytearray(rng.randbytes(size))
    for at in scales_at:
        bits = scale if scale is not None else rng.randrange(0x7C00) | rng.randrange(2) << 15
        block[at : at + 2] = struct.pack("<H", bits)
    return bytes(block)


def cases(library):
    rng = random.Random(SEED)
    for name, (_, count, _, _) in TYPES.items():
        blocks = [
            ("random bits", random_block(rng, name)),
            ("random bits, other scales", random_block(rng, name)),
            ("random bits, negative subnormal scales", random_block(rng, name, SUBNORMAL)),
            ("random bits, largest scales", random_block(rng, name, LARGEST)),
            (
                "quantised by ggml from normal values",
                quantise(library, name, [rng.gauss(0, 0.05) for _ in range(count)]),
            ),
        ]
        for note, block in blocks:
            values = dequantise(library, name, block)
            yield {"type": name, "note": note, "block": block.hex(), "values": values.hex()}


document = {
    "source": "dequantize_row_* of libggml-base in npm @node-llama-cpp/linux-x64 3.22.1",
    "madeBy": "make-dequantise.py",
    "seed": SEED,
    "encoding": "hexadecimal: the bytes of one block; its values as little-endian float32",
    "cases": list(cases(open_library(sys.argv[1]))),
}
json.dump(document, sys.stdout, indent=1)
sys.stdout.write("\n")
