#!/usr/bin/env python3
"""A second implementation of docs/reference/arithmetic.md, written from its text in Python integers.

It shares no code with packages/engine and writes the golden vectors beside it: `python3 vectors/arithmetic/oracle.py`.
Readability over speed; standard library only. A difference between its output and the committed files is a finding.
"""
import hashlib
import json
import pathlib
import struct
from fractions import Fraction

SPEC = "flex16-w8a16-v0"
HERE = pathlib.Path(__file__).parent


# ---- 2. primitives

def L(x):
    return abs(x).bit_length()


def R(x, s):
    if s >= 63:
        return 0
    if s <= 0:
        if x != 0 and L(x) - s > 62:
            return 2**62 if x > 0 else -(2**62)
        return x * 2**-s
    floor, rest = divmod(x, 2**s)
    half = 2 ** (s - 1)
    if rest > half or (rest == half and floor % 2 == 1):
        floor += 1
    return floor


def C(x, b):
    return max(-(2**b - 1), min(2**b - 1, x))


def isqrt(x):
    low, high = 0, 1 << (L(x) // 2 + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle * middle <= x else (low, middle)
    return low


def iroot(x, n):
    low, high = 0, 1 << (L(x) // n + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**n <= x else (low, middle)
    return low


def nearest(q):
    """Nearest integer of a Fraction, ties to even."""
    floor = q.numerator // q.denominator
    rest = q - floor
    if rest > Fraction(1, 2) or (rest == Fraction(1, 2) and floor % 2):
        floor += 1
    return floor


# ---- 4. tables

def power_tables():
    c = [2**61]
    for _ in range(16):
        c.append(isqrt(c[-1] * 2**62))

    def table(last):
        out = []
        for i in range(256):
            p = 2**62
            for b in range(8):
                if i >> b & 1:
                    p = p * c[last - b] >> 62
            out.append((p + 2**31) >> 32)
        return out

    return table(8), table(16)


def turn_tables():
    one = 2**120
    c, s = {1: -one}, {1: 0}
    for k in range(2, 21):
        c[k] = isqrt((one + c[k - 1]) * one // 2)
        s[k] = isqrt((one - c[k - 1]) * one // 2)

    def table(last):
        out = []
        for i in range(1024):
            x, y = one, 0
            for b in range(10):
                if i >> b & 1:
                    k = last - b
                    x, y = x * c[k] - y * s[k] >> 120, x * s[k] + y * c[k] >> 120
            out.append(((x + 2**89) >> 90, (y + 2**89) >> 90))
        return out

    return table(10), table(20)


T1, T2 = power_tables()
A, B = turn_tables()


def exp2n(q):
    n = q >> 16
    if n >= 32:
        return 0
    return R((T1[q >> 8 & 255] * T2[q & 255] + 2**29) >> 30, n)


def log2b(x):
    n = L(x) - 1
    x <<= 31 - n
    result = n << 24
    for i in range(23, -1, -1):
        x = x * x >> 31
        if x >= 2**32:
            result += 1 << i
            x >>= 1
    return result


def cos_sin(phase):
    a = (phase + 2**43 >> 44) % 2**20
    (ca, sa), (cb, sb) = A[a >> 10], B[a & 1023]
    return R(ca * cb - sa * sb, 30), R(sa * cb + ca * sb, 30)


ONE120 = 2**120


def q120(x):
    """floor(x * 2^120) of a number that JSON holds."""
    return (Fraction(x) * ONE120).__floor__()


def frequencies(base, size, count):
    """f(0) .. f(count - 1): turns per position in Q120."""
    one, n = ONE120, size // 2
    ratio = iroot(one**n // base, n)

    def arctan_inverse(x):
        total, power, k, sign = 0, one // x, 1, 1
        while power:
            total += sign * (power // k)
            power //= x * x
            k, sign = k + 2, -sign
        return total

    pi = 4 * (4 * arctan_inverse(5) - arctan_inverse(239))
    turns, out = one * one // (2 * pi), []
    for _ in range(count):
        out.append(turns)
        turns = turns * ratio >> 120
    return out


def rope_steps(base, size, scaling=None):
    f = frequencies(base, size, size)
    kind = scaling["kind"] if scaling else "none"
    if kind == "linear":
        g = [x * ONE120 // q120(scaling["factor"]) for x in f]
    elif kind == "factors":
        g = [x * ONE120 // q120(d) for x, d in zip(f, scaling["factors"])]
    elif kind == "llama3":
        g = []
        low, high = q120(scaling["lowFactor"]), q120(scaling["highFactor"])
        for x in f:
            r, slow = x * scaling["originalContext"], x * ONE120 // q120(scaling["factor"])
            if r > high:
                g.append(x)
            elif r < low:
                g.append(slow)
            else:
                s = (r - low) * ONE120 // (high - low)
                g.append(((ONE120 - s) * slow + s * x) >> 120)
    elif kind == "yarn":
        r = [x * scaling["originalContext"] for x in f]
        low = max([0] + [i for i in range(size) if r[i] >= q120(scaling["betaFast"])])
        high = min([size - 1] + [i for i in range(size) if r[i] <= q120(scaling["betaSlow"])])
        span = max(1, high - low)
        g = []
        for i, x in enumerate(f):
            k = min(span, max(0, i - low))
            g.append((x * (span - k) + (x * ONE120 // q120(scaling["factor"])) * k) // span)
    else:
        g = f
    return [x >> 56 & 2**64 - 1 for x in g[:size // 2]]


def log2_q24(x):
    p = q120(x)
    return log2b(p >> L(p) - 32) + (L(p) - 152) * 2**24


def attention_q30(scaling):
    if scaling and "attentionFactor" in scaling:
        return q120(scaling["attentionFactor"]) + 2**89 >> 90
    if scaling and scaling["kind"] == "yarn" and scaling["factor"] > 1:
        return 2**30 + R(log2_q24(scaling["factor"]) * 74426112, 24)
    return 2**30


def longrope_attention(factor, context):
    """Q30."""
    if factor <= 1:
        return 2**30
    return isqrt((log2_q24(context) + log2_q24(factor)) * 2**60 // log2_q24(context))


def score_scale(size, attention=2**30):
    log2e = 6653256548922161246
    return (isqrt(4 * log2e * log2e * attention**4 // (size << 196)) + 1) // 2


# ---- 3. formats

def longest(row):
    return max(map(L, row))


def quantise(row, e):
    s = max(0, longest(row) - 15)
    return {"values": [C(R(x, s), 15) for x in row], "exponent": e + s}


def quantise30(row, e):
    s = max(0, longest(row) - 30)
    return {"values": [R(x, s) for x in row], "exponent": e + s}


def saturate(row):
    out = [C(x, 31) for x in row]
    return {"values": out, "clampedCount": sum(x != y for x, y in zip(row, out))}


# ---- 5. ops

def embed(table, token, residualBits):
    K = table["cols"]
    return saturate([
        R(table["data"][token * K + k] * table["scales"][(token * K + k) // 32] * 2 ** table["rowShifts"][token],
          -residualBits - table["exponent"])
        for k in range(K)
    ])


def rmsNorm(values, gains, residualBits, epsilonQ40):
    h, D = values, len(values)
    sh = max(0, longest(h) - 24)
    eps = (epsilonQ40 * Fraction(2) ** (2 * residualBits - 2 * sh - 40)).__floor__()
    total = sum(R(x, sh) ** 2 for x in h) + D * eps
    z1 = max(0, 61 - L(total))
    t = total * 2**z1 // D
    b = 62 - L(t)
    if (z1 + b) % 2:
        b -= 1
    z = z1 + b
    inv = 2**61 // isqrt(t * 2**b)
    n = [C(R(x * inv, 37 - z // 2 + sh), 31) for x in h]
    return quantise([x * g for x, g in zip(n, gains["data"])], gains["exponent"] - 24)


def matmul(matrix, values, exponent):
    K = matrix["cols"]
    out = []
    for o in range(matrix["rows"]):
        total = 0
        for b in range(K // 32):
            dot = sum(matrix["data"][o * K + b * 32 + i] * values[b * 32 + i] for i in range(32))
            total += dot * matrix["scales"][o * (K // 32) + b]
        out.append(total * 2 ** matrix["rowShifts"][o])
    return quantise30(out, exponent + matrix["exponent"])


def heads_of(values, count):
    size = len(values) // count
    return [values[h * size:(h + 1) * size] for h in range(count)]


def rope(values, exponent, steps, headCount, position):
    heads = []
    for head in heads_of(values, headCount):
        out = []
        for i, step in enumerate(steps):
            c, s = cos_sin(position * int(step) % 2**64)
            a, b = head[2 * i], head[2 * i + 1]
            out += [a * c - b * s, a * s + b * c]
        heads.append(quantise(out, exponent - 30))
    return {"heads": heads}


def splitHeads(values, exponent, headCount):
    return {"heads": [quantise(head, exponent) for head in heads_of(values, headCount)]}


def scores(query, keys, scaleQ24):
    out = []
    for key in keys:
        d = sum(x * y for x, y in zip(query["values"], key["values"]))
        out.append(C(R(d * scaleQ24, 8 - query["exponent"] - key["exponent"]), 31))
    return {"values": out}


def softmax(scores, exponents):
    m, top = max(scores), max(exponents)
    e = [exp2n(m - s) for s in scores]
    p = [R(x * 2**16, top - ev) for x, ev in zip(e, exponents)]
    sigma = max(0, longest(p) - 30)
    return {"values": [C(R(x, sigma), 30) for x in p], "exponent": top - 16 + sigma, "sum": str(sum(e))}


def mix(weights, values):
    size = len(values[0]["values"])
    sums = [sum(P * v["values"][d] for P, v in zip(weights["values"], values)) for d in range(size)]
    return quantise30(sums, weights["exponent"])


def joinHeads(mixed, sums):
    heads = []
    for head, total in zip(mixed, sums):
        iv = 2**62 // int(total)
        zi = max(0, L(iv) - 31)
        heads.append(([x * (iv >> zi) for x in head["values"]], head["exponent"] + zi - 62))
    top = max(e for _, e in heads)
    return quantise([R(x, top - e) for head, e in heads for x in head], top)


def swiGlu(gate, up):
    out = []
    for x, u in zip(gate["values"], up["values"]):
        g = C(R(x, -16 - gate["exponent"]), 31)
        sig = 2**60 // (2**30 + exp2n(R(abs(g) * 1549082005, 30)))
        if g < 0:
            sig = 2**30 - sig
        out.append(R(g * sig, 30) * u)
    return quantise(out, up["exponent"] - 16)


def residualAdd(residual, row, residualBits):
    shift = -residualBits - row["exponent"]
    return saturate([h + R(y, shift) for h, y in zip(residual, row["values"])])


def logits(values, exponent):
    return {"values": [C(R(x, -16 - exponent), 31) for x in values]}


def bias(values, exponent, bias):
    g = max(exponent, bias["exponent"]) - 30
    return quantise30([R(y, g - exponent) + R(b, g - bias["exponent"]) for y, b in zip(values, bias["data"])], g)


def headNorm(values, exponent, gains, headCount, epsilonQ40):
    out = []
    for x in heads_of(values, headCount):
        D = len(x)
        sh = max(0, longest(x) - 24, (L(epsilonQ40) - 87) // 2 - exponent)
        eps = (epsilonQ40 * Fraction(2) ** (-2 * exponent - 2 * sh - 40)).__floor__()
        total = max(1, sum(R(v, sh) ** 2 for v in x) + D * eps)
        assert total < 2**61
        z1 = max(0, 61 - L(total))
        t = total * 2**z1 // D
        b = 62 - L(t)
        if (z1 + b) % 2:
            b -= 1
        z = z1 + b
        inv = 2**61 // isqrt(t * 2**b)
        out += [C(R(v * inv, 37 - z // 2 + sh), 31) * g for v, g in zip(x, gains["data"])]
    return quantise30(out, gains["exponent"] - 24)


# ---- 6. import

def half(bits):
    return Fraction(struct.unpack("<e", struct.pack("<H", bits))[0])


def single(bits):
    return Fraction(struct.unpack("<f", struct.pack("<I", bits))[0])


def floor_log2(q):
    n = q.numerator.bit_length() - q.denominator.bit_length() - 1
    while Fraction(2) ** (n + 1) <= q:
        n += 1
    return n


def fit_scales(rows, cols, scales, rounding):
    per_row = cols // 32
    tops = [max(scales[o * per_row:(o + 1) * per_row]) for o in range(rows)]
    exponent = floor_log2(max(tops)) - 22 if max(tops) else 0
    shifts = [max(0, floor_log2(t) - 15 - exponent) if t else 0 for t in tops]
    fitted = [min(65535, rounding(d / Fraction(2) ** (exponent + shifts[i // per_row]))) for i, d in enumerate(scales)]
    return exponent, shifts, fitted


def import_q8(rows, cols, quants, scaleBits):
    exponent, shifts, scales = fit_scales(rows, cols, [half(b) for b in scaleBits], nearest)
    return {"rows": rows, "cols": cols, "data": quants, "scales": scales, "rowShifts": shifts, "exponent": exponent}


def import_f32(rows, cols, bits):
    x = [single(b) for b in bits]
    maxima = [max(map(abs, x[i:i + 32])) / 127 for i in range(0, len(x), 32)]
    exponent, shifts, scales = fit_scales(rows, cols, maxima, lambda q: q.__ceil__())
    data = []
    for i, value in enumerate(x):
        unit = scales[i // 32] * Fraction(2) ** (exponent + shifts[i // cols])
        data.append(max(-127, min(127, nearest(value / unit))) if unit else 0)
    return {"rows": rows, "cols": cols, "data": data, "scales": scales, "rowShifts": shifts, "exponent": exponent}


def import_gains(bits):
    x = [single(b) for b in bits]
    top = max(map(abs, x))
    exponent = floor_log2(top) - 23 if top else 0
    return {"data": [nearest(v / Fraction(2) ** exponent) for v in x], "exponent": exponent}


# ---- docs/reference/conversion.md: balanced channels

def channel_bits(count, readers, channel_of):
    sizes = [0.0] * count
    for rows, cols, values in readers:
        squares = [0.0] * cols
        for i, x in enumerate(values):
            squares[i % cols] += x * x
        total = 0.0
        for square in squares:
            total += square
        for column, square in enumerate(squares):
            sizes[channel_of(column)] += square / total if total else 0.0
    positive = sorted(size for size in sizes if size > 0)

    def bits(size):
        if size == 0:
            return 0
        middle = positive[len(positive) // 2]
        n = floor_log2(Fraction(max(size, middle) / min(size, middle))) // 2
        return 0 if n < 2 else min(n, 10) if size >= middle else -min(n, 10)

    return [bits(size) for size in sizes]


def balance(c, tensors):
    """Tensors by GGUF name: (rows, cols, floats); a vector has one row."""
    w, inner, kv, size = c["width"], c["feedForwardWidth"], c["kvHeadCount"], c["headSize"]
    groups = []
    for layer in range(c["layerCount"]):
        at = f"blk.{layer}."
        groups += [
            (inner, [at + "ffn_up.weight"], [at + "ffn_down.weight"], lambda k: k),
            (kv * size, [at + "attn_v.weight", at + "attn_v.bias"], [at + "attn_output.weight"],
             lambda k: k // size * kv // c["headCount"] * size + k % size),
            (w, [at + "attn_norm.weight"], [at + f"attn_{part}.weight" for part in "qkv"], lambda k: k),
            (w, [at + "ffn_norm.weight"], [at + "ffn_gate.weight", at + "ffn_up.weight"], lambda k: k),
        ]
    groups.append((w, ["output_norm.weight"], ["output.weight"], lambda k: k))
    for count, writers, readers, channel_of in groups:
        if any(name not in tensors for name in readers):
            continue
        bits = channel_bits(count, [tensors[name] for name in readers], channel_of)
        for name in readers:
            rows, cols, x = tensors[name]
            tensors[name] = rows, cols, [v * 2.0 ** -bits[channel_of(i % cols)] for i, v in enumerate(x)]
        for name in writers:
            if name in tensors:
                rows, cols, x = tensors[name]
                tensors[name] = rows, cols, [v * 2.0 ** bits[i if rows == 1 else i // cols] for i, v in enumerate(x)]


# ---- 7. sampling

def chacha8(key, counter, position):
    words = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *struct.unpack("<8I", key), counter, position, 0, 0]
    x = list(words)

    def turn(v, n):
        return (v << n | v >> 32 - n) & 0xFFFFFFFF

    def quarter(a, b, c, d):
        for p, q, r, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[p] = x[p] + x[q] & 0xFFFFFFFF
            x[r] = turn(x[r] ^ x[p], n)

    for _ in range(4):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return [a + b & 0xFFFFFFFF for a, b in zip(x, words)]


def gumbel(seed, position, token):
    u = chacha8(seed, token // 16, position)[token % 16] | 1
    return log2b(max(1, 32 * 2**24 - log2b(u))) >> 8


def next_token(row, tau, topK, topP, minP, seed, position):
    order = sorted(range(len(row)), key=lambda i: (-row[i], i))
    if tau == 0:
        return order[0]
    z = [R(x * tau, 16) for x in row]
    weight = [exp2n(max(z) - v) for v in z]
    kept = order[:topK] if topK else order
    if 0 < topP < 2**30:
        total = sum(weight[i] for i in kept)
        reached, count = 0, 0
        while reached * 2**30 < topP * total:
            reached += weight[kept[count]]
            count += 1
        kept = kept[:count]
    kept = [i for i in kept if weight[i] >= min(minP, 2**30)]
    return min(kept, key=lambda i: (gumbel(seed, position, i) - z[i], i))


# ---- 7. step 0, 7.2 and 7.3: controls, log probabilities, embeddings

def control(row, controls, input_tokens, output_tokens, mask):
    out = list(row)
    for i in range(len(out)):
        p = controls["repetition"]
        if p != 65536 and i in input_tokens + output_tokens:
            out[i] = C(R(out[i] * p, 16) if out[i] < 0 else (out[i] * 65536 + p // 2) // p, 31)
        count = output_tokens.count(i)
        if count:
            out[i] = C(out[i] - controls["presence"] - count * controls["frequency"], 31)
        for biased, amount in controls["bias"]:
            if biased == i:
                out[i] = C(out[i] + amount, 31)
    return out if mask is None else [x if m else None for x, m in zip(out, mask)]


def next_open_token(row, tau, topK, topP, minP, seed, position):
    """As next_token over the ids that are open (not None), which keep their own noise."""
    ids = [i for i, x in enumerate(row) if x is not None]
    order = sorted(ids, key=lambda i: (-row[i], i))
    if tau == 0:
        return order[0]
    z = {i: R(row[i] * tau, 16) for i in ids}
    weight = {i: exp2n(max(z.values()) - z[i]) for i in ids}
    kept = order[:topK] if topK else order
    if 0 < topP < 2**30:
        total = sum(weight[i] for i in kept)
        reached, count = 0, 0
        while reached * 2**30 < topP * total:
            reached += weight[kept[count]]
            count += 1
        kept = kept[:count]
    kept = [i for i in kept if weight[i] >= min(minP, 2**30)]
    return min(kept, key=lambda i: (gumbel(seed, position, i) - z[i], i))


def logprob(row, token):
    top = max(row)
    total = sum(exp2n(R((top - x) * 1549082005, 30)) for x in row)
    n = max(0, L(total) - 32)
    return row[token] - top - R((log2b(total >> n) + (n - 30) * 2**24) * 744261118, 38)


def embed_rows(rows, pooling):
    used = rows if pooling == "mean" else rows[-1:]
    largest = max(r["exponent"] for r in used)
    x = [sum(R(r["mantissas"][i] * 2**16, largest - r["exponent"]) for r in used) for i in range(len(used[0]["mantissas"]))]
    s = max(map(L, x)) - 23
    y = [R(v, s) for v in x]
    squares = sum(v * v for v in y)
    if squares == 0:
        return [0] * len(y)
    b = 62 - L(squares)
    b -= b % 2
    q = isqrt(squares << b)
    return [((abs(v) << 30 + b // 2) + q // 2) // q * (-1 if v < 0 else 1) for v in y]


# ---- test material

def mulberry32(seed):
    state = seed & 0xFFFFFFFF
    while True:
        state = state + 0x6D2B79F5 & 0xFFFFFFFF
        x = (state ^ state >> 15) * (state | 1) & 0xFFFFFFFF
        x ^= x + ((x ^ x >> 7) * (x | 61) & 0xFFFFFFFF) & 0xFFFFFFFF
        yield (x ^ x >> 14) & 0xFFFFFFFF


def signed(stream, bits):
    """A generator's next value in [-2^bits + 1, 2^bits - 1]."""
    return (next(stream) % (2 ** (bits + 1) - 1)) - (2**bits - 1)


def random_matrix(stream, rows, cols, exponent=-20):
    return {
        "rows": rows, "cols": cols,
        "data": [next(stream) % 256 - 128 for _ in range(rows * cols)],
        "scales": [next(stream) % 65536 for _ in range(rows * cols // 32)],
        "rowShifts": [next(stream) % 8 for _ in range(rows)],
        "exponent": exponent,
    }


def flat_matrix(rows, cols, weight, scale, shift, exponent=-20):
    return {
        "rows": rows, "cols": cols, "data": [weight] * (rows * cols), "scales": [scale] * (rows * cols // 32),
        "rowShifts": [shift] * rows, "exponent": exponent,
    }


def row16(stream, n, exponent=-15, bits=15):
    return {"values": [signed(stream, bits) for _ in range(n)], "exponent": exponent}


def row30(stream, n, exponent=-28, bits=30):
    return {"values": [signed(stream, bits) for _ in range(n)], "exponent": exponent}


I31 = 2**31 - 1


def op_cases():
    r = mulberry32(20_260)
    m16 = [32767, -32767] * 16
    ties = [3, -3, 1, -1, 5, -5, 7, -7] * 4
    yield "embed", embed, [
        ("typical", dict(table=random_matrix(r, 4, 64), token=2, residualBits=16)),
        ("ties and negatives: weights +-1, +-3 at half a unit", dict(
            table={"rows": 1, "cols": 32, "data": ties, "scales": [1], "rowShifts": [0], "exponent": -17}, token=0, residualBits=16)),
        ("saturates, and counts it", dict(table=flat_matrix(1, 32, -128, 65535, 7, 0), token=0, residualBits=16)),
        ("left shift beyond 62 bits", dict(table=flat_matrix(1, 32, 127, 65535, 7, 127), token=0, residualBits=20)),
        ("zero row", dict(table=flat_matrix(2, 32, 5, 0, 0), token=1, residualBits=12)),
        ("everything rounds away", dict(table=flat_matrix(1, 32, -128, 65535, 7, -127), token=0, residualBits=16)),
    ]
    gains = {"data": [signed(r, 24) for _ in range(64)], "exponent": -23}
    unit = {"data": [2**23] * 32, "exponent": -23}
    flat = {"data": [2**24 - 1, -(2**24 - 1)] * 16, "exponent": 0}
    norm = dict(residualBits=16, epsilonQ40=10995116)
    yield "rmsNorm", rmsNorm, [
        ("typical", dict(values=[signed(r, 18) for _ in range(64)], gains=gains, **norm)),
        ("all zero: only epsilon is left", dict(values=[0] * 32, gains=unit, **norm)),
        ("one element of one", dict(values=[1] + [0] * 31, gains=unit, **norm)),
        ("one outlier", dict(values=[I31] + [1, -1, 3] * 10 + [0], gains=unit, **norm)),
        ("largest residual, both signs, largest gains", dict(values=[I31, -I31] * 16, gains=flat, **norm)),
        ("just below the pre-shift", dict(values=[2**24 - 1, -(2**24 - 1)] * 16, gains=unit, **norm)),
        ("just above the pre-shift, ties", dict(values=[2**24 + 1, -(2**24 + 3)] * 16, gains=unit, **norm)),
        ("zero gains", dict(values=[signed(r, 20) for _ in range(32)], gains={"data": [0] * 32, "exponent": 0}, **norm)),
        ("epsilon 1e-6, residual Q20", dict(values=[signed(r, 6) for _ in range(64)], gains=gains, residualBits=20, epsilonQ40=1099512)),
        ("residual Q12: epsilon has few bits", dict(values=[1, -1] * 32, gains=gains, residualBits=12, epsilonQ40=109951)),
        ("width 96, not a power of two", dict(values=[signed(r, 25) for _ in range(96)],
                                             gains={"data": [signed(r, 23) for _ in range(96)], "exponent": -20}, **norm)),
    ]
    wide = {"rows": 1, "cols": 65536, "data": {"repeat": -128, "count": 65536}, "scales": {"repeat": 65535, "count": 2048},
            "rowShifts": [7], "exponent": -22}
    yield "matmul", matmul, [
        ("typical", dict(matrix=random_matrix(r, 5, 96), **row16(r, 96))),
        ("all -128 times 32767", dict(matrix=flat_matrix(2, 64, -128, 65535, 7), values=[32767] * 64, exponent=-15)),
        ("all 127 times -32767", dict(matrix=flat_matrix(2, 64, 127, 65535, 0), values=[-32767] * 64, exponent=-15)),
        ("K = 65,536, everything at its bound", dict(matrix=wide, values={"repeat": -32767, "count": 65536}, exponent=0)),
        ("zero activations", dict(matrix=random_matrix(r, 3, 32), values=[0] * 32, exponent=-7)),
        ("zero scales", dict(matrix=flat_matrix(3, 32, 77, 0, 3), values=[1] * 32, exponent=-7)),
        ("exactly 30 bits: no shift", dict(matrix={"rows": 2, "cols": 32, "data": ([1] + [0] * 31) * 2, "scales": [32768, 32767],
                                                  "rowShifts": [0, 1], "exponent": 0}, values=[32767] * 32, exponent=0)),
        ("shift by one: ties both ways, both signs", dict(
            matrix={"rows": 5, "cols": 32, "data": ([1] + [0] * 31) * 3 + ([-1] + [0] * 31) * 2,
                    "scales": [65535, 1, 3, 1, 3], "rowShifts": [0] * 5, "exponent": 0}, values=[32767] + [0] * 31, exponent=0)),
        ("rows of very different shifts", dict(matrix={**random_matrix(r, 8, 32), "rowShifts": [0, 1, 2, 3, 4, 5, 6, 7]}, **row16(r, 32))),
        ("opposite signs cancel", dict(matrix=flat_matrix(1, 32, 100, 9999, 0), values=m16, exponent=-3)),
    ]
    steps8, steps32 = [str(x) for x in rope_steps(10000, 8)], [str(x) for x in rope_steps(500000, 32)]
    yield "rope", rope, [
        ("position 0 changes nothing but the format", dict(**row30(r, 16), steps=steps8, headCount=2, position=0)),
        ("typical", dict(**row30(r, 64), steps=steps32, headCount=2, position=17)),
        ("position 131,071", dict(**row30(r, 32), steps=steps32, headCount=1, position=131071)),
        ("zero row", dict(values=[0] * 16, exponent=3, steps=steps8, headCount=2, position=5)),
        ("largest elements", dict(values=[2**30, -(2**30)] * 8, exponent=-28, steps=steps8, headCount=2, position=12345)),
        ("one zero head beside a full one", dict(values=[0] * 8 + [2**30] * 8, exponent=0, steps=steps8, headCount=2, position=1)),
        ("half a turn and the phase rounding up to a full one", dict(values=[1000, 1, -1000, 2, 3, -3, 5, -7], exponent=0,
            steps=[str(2**63), str(2**64 - 1), str(2**64 - 2**43), str(2**64 - 2**43 - 1)], headCount=1, position=1)),
    ]
    yield "splitHeads", splitHeads, [
        ("typical", dict(**row30(r, 32), headCount=4)),
        ("15 bits stay, 16 bits shift with ties", dict(values=[32767, -32767, 1, 0] + [65535, -65535, 32769, 3], exponent=-9, headCount=2)),
        ("rounding up to 2^15 is clamped", dict(values=[65535, -65535, 65534, -1, 1, 0, 2, 3], exponent=0, headCount=1)),
        ("zero head beside the largest", dict(values=[0] * 4 + [2**30, -(2**30), 1, -1], exponent=5, headCount=2)),
    ]
    scale32 = score_scale(32)
    yield "scores", scores, [
        ("typical", dict(query=row16(r, 32), keys=[row16(r, 32) for _ in range(5)], scaleQ24=scale32)),
        ("T = 1", dict(query=row16(r, 16), keys=[row16(r, 16)], scaleQ24=score_scale(16))),
        ("keys with different exponents", dict(query=row16(r, 16, -12), keys=[row16(r, 16, e) for e in (-20, -12, -4, 0)], scaleQ24=score_scale(16))),
        ("saturates both ways", dict(query={"values": [32767] * 16, "exponent": 0},
                                     keys=[{"values": [32767] * 16, "exponent": 0}, {"values": [-32767] * 16, "exponent": 40}], scaleQ24=score_scale(16))),
        ("largest head, everything at its bound", dict(query={"values": [32767] * 256, "exponent": -15},
                                                     keys=[{"values": [-32767] * 256, "exponent": -15}], scaleQ24=score_scale(256))),
        ("zero query", dict(query={"values": [0] * 8, "exponent": 30}, keys=[row16(r, 8), row16(r, 8)], scaleQ24=score_scale(8))),
        ("rounds to zero", dict(query={"values": [1] * 8, "exponent": -60}, keys=[{"values": [1] * 8, "exponent": -60}], scaleQ24=score_scale(8))),
    ]
    yield "softmax", softmax, [
        ("T = 1", dict(scores=[-12345], exponents=[-9])),
        ("typical", dict(scores=[signed(r, 19) for _ in range(9)], exponents=[-15 + next(r) % 4 for _ in range(9)])),
        ("equal scores", dict(scores=[777] * 7, exponents=[-14] * 7)),
        ("one huge score", dict(scores=[I31] + [-I31] * 3 + [0], exponents=[-14, -14, -13, -15, -14])),
        ("31.5 and 32 below the largest", dict(scores=[0, -(63 << 15), -(32 << 16) + 1, -(32 << 16), -(31 << 16)], exponents=[0] * 5)),
        ("an unused value with a far larger exponent", dict(scores=[0, -(40 << 16)], exponents=[-20, 20])),
        ("exponent differences beyond 46 bits", dict(scores=[0, 0, -65536], exponents=[-60, 3, -100])),
        ("every fraction step nearby", dict(scores=[-i for i in range(16)], exponents=[0] * 16)),
    ]

    def weights(ps, exponent=-46):
        return {"values": ps, "exponent": exponent}

    yield "mix", mix, [
        ("T = 1", dict(weights=weights([2**30 - 1]), values=[row16(r, 16)])),
        ("typical", dict(weights=weights([next(r) % 2**30 for _ in range(6)]), values=[row16(r, 16) for _ in range(6)])),
        ("all weights and values at their bound", dict(weights=weights([2**30 - 1] * 40), values=[{"values": [32767, -32767] * 8, "exponent": 0}] * 40)),
        ("zero weights", dict(weights=weights([0, 0]), values=[row16(r, 8), row16(r, 8)])),
        ("values cancel", dict(weights=weights([12345, 12345]), values=[{"values": [777, -1] * 8, "exponent": 0}, {"values": [-777, 1] * 8, "exponent": 0}])),
        ("low halves only", dict(weights=weights([1, 32767, 32768, 32769]), values=[row16(r, 8) for _ in range(4)])),
    ]
    yield "joinHeads", joinHeads, [
        ("one head, one position", dict(mixed=[row30(r, 32, -40)], sums=[str(2**30)])),
        ("typical", dict(mixed=[row30(r, 16, -40 + i) for i in range(4)], sums=[str(2**30 + next(r)) for _ in range(4)])),
        ("heads far apart", dict(mixed=[row30(r, 16, -40), row30(r, 16, 0), row30(r, 16, -80)], sums=[str(2**30)] * 3)),
        ("longest context, equal weights", dict(mixed=[row30(r, 16), row30(r, 16)], sums=[str(2**47), str(2**47 - 1)])),
        ("all zero", dict(mixed=[{"values": [0] * 16, "exponent": 9}] * 2, sums=[str(2**30), str(3 * 2**30)])),
        ("largest elements", dict(mixed=[{"values": [2**30, -(2**30)] * 8, "exponent": 0}] * 2, sums=[str(2**30), str(2**31 - 1)])),
    ]
    yield "swiGlu", swiGlu, [
        ("typical", dict(gate=row30(r, 32, -26), up=row30(r, 32, -27))),
        ("zero, one unit, both signs", dict(gate={"values": [0, 1, -1, 2, -2, 3, -3, 65536], "exponent": -16},
                                          up={"values": [2**30, 1, 1, -1, 5, 7, -7, 3], "exponent": -30})),
        ("gate saturates", dict(gate={"values": [2**30, -(2**30), 5, -5] * 8, "exponent": 0}, up={"values": [2**30, 2**30, -(2**30), 1] * 8, "exponent": -30})),
        ("gate rounds: ties both ways", dict(gate={"values": [1, -1, 3, -3, 5, -5, 7, -7], "exponent": -17}, up={"values": [1 << 20] * 8, "exponent": -20})),
        ("sigmoid underflows", dict(gate={"values": [-(23 << 16), -(22 << 16), 23 << 16, -(1 << 22)], "exponent": -16}, up={"values": [2**30] * 4, "exponent": -30})),
        ("zero up", dict(gate=row30(r, 32, -26), up={"values": [0] * 32, "exponent": 4})),
    ]
    yield "residualAdd", residualAdd, [
        ("typical", dict(residual=[signed(r, 20) for _ in range(32)], row=row30(r, 32, -26), residualBits=16)),
        ("ties: halves to even, both signs", dict(residual=[0, 0, 0, 0, 1, 1, 1, 1], row={"values": [1, -1, 3, -3, 1, -1, 5, -5], "exponent": -17}, residualBits=16)),
        ("saturates per element, and counts it", dict(residual=[I31, -I31, I31, -I31, 0, I31 - 1], row={"values": [1, -1, -1, 1, 0, 1], "exponent": -16}, residualBits=16)),
        ("left shift beyond 62 bits", dict(residual=[0, 0, 5], row={"values": [2**30, -(2**30), 0], "exponent": 100}, residualBits=16)),
        ("shift of 62, 63 and more", dict(residual=[7, -7], row={"values": [2**30, -(2**30)], "exponent": -78}, residualBits=16)),
        ("shift beyond 63", dict(residual=[7, -7], row={"values": [2**30, -(2**30)], "exponent": -120}, residualBits=16)),
    ]
    yield "logits", logits, [
        ("typical", dict(**row30(r, 32, -26))),
        ("saturates both ways", dict(values=[2**30, -(2**30), 2**29, 0, 1], exponent=-14)),
        ("ties both ways", dict(values=[1, -1, 3, -3, 5, -5], exponent=-17)),
        ("left shift", dict(values=[1, -1, 12345], exponent=-10)),
    ]

    def vector(n, exponent, bits=24):
        return {"data": [signed(r, bits) for _ in range(n)], "exponent": exponent}

    def constant(value, n, exponent):
        return {"data": [value] * n, "exponent": exponent}

    top = 2**24 - 1
    yield "bias", bias, [
        ("typical", dict(**row30(r, 32, -28), bias=vector(32, -24))),
        ("everything at its bound, same sign", dict(values=[2**30, -(2**30)] * 16, exponent=3, bias={"data": [top, -top] * 16, "exponent": 3})),
        ("the sum needs one more bit", dict(values=[2**30, 2**30 - 1, -(2**30), 0] * 8, exponent=-30, bias=constant(top, 32, -24))),
        ("the vector is finer: rounds, ties both ways", dict(values=[1, 2, -1, -2, 3, -3, 0, 0], exponent=0,
                                                           bias={"data": [1, -1, 3, -3, 5, -5, 1, -1], "exponent": -31})),
        ("the row is finer: rounds, ties both ways", dict(values=[1, -1, 3, -3, 5, -5, 1, -1], exponent=-31,
                                                        bias={"data": [1, 2, -1, -2, 3, -3, 0, 0], "exponent": 0})),
        ("the vector vanishes", dict(**row30(r, 8, 60), bias=vector(8, -60))),
        ("the row vanishes", dict(**row30(r, 8, -100), bias=vector(8, 100))),
        ("zero row", dict(values=[0] * 8, exponent=-90, bias=vector(8, -20))),
        ("zero vector", dict(**row30(r, 8, -20), bias=constant(0, 8, 0))),
        ("both zero", dict(values=[0] * 8, exponent=5, bias=constant(0, 8, 0))),
        ("they cancel", dict(values=[12345, -7] * 4, exponent=-10, bias={"data": [-12345, 7] * 4, "exponent": -10})),
    ]
    small = dict(headCount=2, epsilonQ40=1099512)
    yield "headNorm", headNorm, [
        ("typical", dict(**row30(r, 32, -28), gains=vector(16, -22), **small)),
        ("largest elements and gains", dict(values=[2**30, -(2**30)] * 16, exponent=-28, gains=constant(-top, 16, 7), **small)),
        ("zero head beside a full one", dict(values=[0] * 16 + [2**30] * 16, exponent=-28, gains=vector(16, -22), **small)),
        ("zero row on a coarse grid: no sum at all", dict(values=[0] * 32, exponent=5, gains=vector(16, -22), **small)),
        ("zero row on a fine grid: only epsilon", dict(values=[0] * 32, exponent=-60, gains=vector(16, -22), **small)),
        ("one element of one", dict(values=[0] * 7 + [1] + [0] * 8 + [-1] + [0] * 15, exponent=0, gains=vector(16, -22), **small)),
        ("epsilon outweighs the head and sets the shift", dict(**row30(r, 32, -70), gains=vector(16, -22), **small)),
        ("epsilon and head alike", dict(**row30(r, 32, -39), gains=vector(16, -22), **small)),
        ("epsilon has one bit left", dict(**row30(r, 32, -21, 10), gains=vector(16, -22), **small)),
        ("coarse grid: epsilon vanishes", dict(**row30(r, 32, 40), gains=vector(16, -22), **small)),
        ("just below and above the pre-shift", dict(values=[2**24 - 1, 1 - 2**24] * 8 + [2**24 + 1, -(2**24) - 3] * 8, exponent=-20,
                                                   gains=constant(2**23, 16, -23), **small)),
        ("one outlier", dict(values=[2**30] + [1, -1, 3, 0, 0] * 3 + [-(2**30)] + [2, -2, 7, 0, 0] * 3, exponent=-28, gains=vector(16, -22), **small)),
        ("smallest head", dict(values=[3, -4, 2**30, 1], exponent=-28, gains=vector(2, -23), **small)),
        ("largest head", dict(**row30(r, 256, -28), gains=vector(256, -23), headCount=1, epsilonQ40=10995116)),
        ("epsilon 1e-5 sets the shift beside a head of its size", dict(**row30(r, 32, -42), gains=vector(16, -22), headCount=2, epsilonQ40=10995116)),
        ("smallest epsilon sets the shift", dict(**row30(r, 32, -46), gains=vector(16, -22), headCount=2, epsilonQ40=2**16)),
        ("a larger shift would show", dict(values=[596493489, -958616499], exponent=-39,
                                           gains={"data": [12928723, 10937589], "exponent": -23}, headCount=1, epsilonQ40=10995116)),
        ("a smaller shift would show", dict(values=[603970962, 335485165, -899411768, -336230305], exponent=-40,
                                            gains={"data": [14437631, 10284261, 10296755, 15627886], "exponent": -23}, headCount=1, epsilonQ40=1099512)),
        ("largest epsilon, finest grid", dict(**row30(r, 32, -126), gains=vector(16, -22), headCount=2, epsilonQ40=2**34)),
    ]


def expand(value):
    if isinstance(value, dict):
        if set(value) == {"repeat", "count"}:
            return [value["repeat"]] * value["count"]
        return {k: expand(v) for k, v in value.items()}
    return value


def primitive_groups():
    edge = [0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6, 7, -7, 2**31 - 1, -(2**31), 2**53 + 1, -(2**53) - 1,
            2**61, -(2**61), 2**62, -(2**62), 2**62 + 1, 2**62 - 1]
    yield "R", ["x", "s"], [([x, s], R(x, s)) for x in edge for s in (-62, -40, -1, 0, 1, 2, 3, 30, 61, 62, 63, 64, 200)]
    yield "C", ["x", "b"], [([x, b], C(x, b)) for x in edge + [32767, 32768, -32768, -32767, 2**30, -(2**30)] for b in (15, 30, 31)]
    yield "L", ["x"], [([x], L(x)) for x in edge]
    squares = [0, 1, 2, 3, 4, 8, 9, 15, 16, 24, 2**31, 2**60 - 1, 2**60, 2**60 + 1, (2**31 - 1) ** 2 - 1, (2**31 - 1) ** 2, 2**62 - 1]
    yield "isqrt", ["x"], [([x], isqrt(x)) for x in squares]
    qs = [0, 1, 2, 255, 256, 257, 65535, 65536, 65537, 98304, 20 << 16, (31 << 16) - 1, 31 << 16, (31 << 16) + 32768, (32 << 16) - 1, 32 << 16, 2**32]
    yield "exp2n", ["q"], [([q], exp2n(q)) for q in qs + [i * 4099 for i in range(1, 40)]]
    xs = [1, 2, 3, 4, 5, 7, 8, 255, 65535, 65536, 2**24, 2**29, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 2, 2**32 - 1, 3037000499, 123456789]
    yield "log2b", ["x"], [([x], log2b(x)) for x in xs]
    phases = [0, 1, 2**43 - 1, 2**43, 2**44, 2**62, 2**63, 3 * 2**62, 2**64 - 1, 2**64 - 2**43, 2**64 - 2**43 - 1, 0x123456789ABCDEF0, 0xFEDCBA9876543210]
    yield "cosSin", ["phase"], [([p], list(cos_sin(p))) for p in phases]
    yield "scoreScaleQ24", ["headSize"], [([d], score_scale(d)) for d in (2, 8, 16, 24, 32, 48, 64, 80, 96, 128, 256)]


def write(name, body, document="arithmetic"):
    head = {"spec": SPEC, "source": f"vectors/arithmetic/oracle.py, an implementation of docs/reference/{document}.md of its own"}
    cases = body.pop("cases")
    # One case per line keeps the files reviewable.
    fields = [f"  {json.dumps(key)}: {json.dumps(value)},\n" for key, value in {**head, **body}.items()]
    lines = ",\n".join("    " + json.dumps(case) for case in cases)
    (HERE.parent / document / f"{name}.json").write_text("{\n" + "".join(fields) + '  "cases": [\n' + lines + "\n  ]\n}\n")


def write_primitives():
    def plain(v):
        return [str(x) for x in v] if isinstance(v, list) else str(v)

    cases = [{"function": f, "arguments": [str(a) for a in args], "result": plain(result)}
             for f, _, group in primitive_groups() for args, result in group]
    write("primitives", {"functions": {f: names for f, names, _ in primitive_groups()}, "cases": cases})


def sha(values):
    return hashlib.sha256(b"".join(struct.pack(">I", v & 0xFFFFFFFF) for v in values)).hexdigest()


def write_tables():
    turns = {"A": [x for pair in A for x in pair], "B": [x for pair in B for x in pair]}
    cases = [{"table": name, "count": len(t), "first": t[:8], "last": t[-4:], "sha256": sha(t)}
             for name, t in (("T1", T1), ("T2", T2), *turns.items())]
    write("tables", {"cases": cases})


def write_rope_steps():
    pairs = [(10000, 32), (10000, 64), (10000, 80), (100000, 64), (500000, 128), (1000000, 128), (10000, 2), (10000, 96), (2, 6)]
    cases = [{"base": b, "headSize": d, "steps": [str(s) for s in rope_steps(b, d)]} for b, d in pairs]
    llama3 = dict(kind="llama3", factor=8, lowFactor=1, highFactor=4, originalContext=8192)
    yarn = dict(kind="yarn", factor=4, betaFast=32, betaSlow=1, originalContext=32768)
    scaled = [
        (10000, 64, dict(kind="linear", factor=2)),
        (10000, 80, dict(kind="linear", factor=3.5)),
        (500000, 128, llama3),
        (500000, 64, {**llama3, "factor": 32}),
        (500000, 64, {**llama3, "factor": 2.5, "lowFactor": 1.5, "highFactor": 1.75, "originalContext": 512}),
        (1000000, 128, yarn),
        (1000000, 64, {**yarn, "factor": 2.5, "originalContext": 8192}),
        (10000, 32, {**yarn, "factor": 16, "originalContext": 64}),
        (10000, 32, {**yarn, "factor": 8, "originalContext": 1}),
        (2, 8, {**yarn, "factor": 8, "originalContext": 131072}),
        (10000, 8, {**yarn, "betaFast": 2, "betaSlow": 1.5, "attentionFactor": 1.25}),
        (10000, 16, dict(kind="factors", factors=[1, 1.0625, 2, 3.140625, 8, 0.125, 2**-20, 2**20], attentionFactor=1.1875)),
    ]
    for base, size, scaling in scaled:
        cases.append({"base": base, "headSize": size, "scaling": scaling, "steps": [str(s) for s in rope_steps(base, size, scaling)],
                      "attentionQ30": str(attention_q30(scaling)), "scaleQ24": score_scale(size, attention_q30(scaling))})
    longrope = [{"factor": f, "originalContext": c, "attentionQ30": str(longrope_attention(f, c))}
                for f, c in ((32, 4096), (1, 4096), (0.5, 4096), (2.5, 8192), (2**20, 2))]
    write("rope-steps", {"longrope": longrope, "cases": cases})


def float_bits(values):
    return [struct.unpack("<I", struct.pack("<f", v))[0] for v in values]


def write_import():
    r = mulberry32(77)
    quants = [next(r) % 256 - 128 for _ in range(4 * 64)]
    q8 = [
        ("typical half scales", dict(rows=4, cols=64, quants=quants, scaleBits=[0x1400 + next(r) % 0x800 for _ in range(8)])),
        ("rows far apart: shift 0 below 2^-7", dict(rows=4, cols=64, quants=quants, scaleBits=[0x3C00, 0x3C01, 0x2000, 0x2001, 0x1C00, 0x0400, 0x0001, 0x03FF])),
        ("zero blocks and a zero row", dict(rows=4, cols=64, quants=quants, scaleBits=[0x1400, 0, 0, 0, 0x1400, 0x1400, 0x17FF, 0x0001])),
        ("all zero", dict(rows=1, cols=32, quants=[0] * 32, scaleBits=[0])),
        ("largest half", dict(rows=1, cols=64, quants=quants[:64], scaleBits=[0x7BFF, 0x7BFE])),
    ]
    f32 = [
        ("typical", dict(rows=3, cols=64, bits=float_bits([signed(r, 24) / 2**27 for _ in range(192)]))),
        ("ties: multiples of half a quant", dict(rows=1, cols=32, bits=float_bits([127.0] + [i / 2 for i in range(31)]))),
        ("small blocks beside a large one", dict(rows=1, cols=96, bits=float_bits([1.0] * 32 + [2.0**-18] * 32 + [2.0**-40, -(2.0**-40)] * 16))),
        ("zeros, minus zero, subnormal", dict(rows=2, cols=32, bits=[0, 0x80000000, 1, 0x80000001] * 8 + float_bits([0.5] * 32))),
        ("exact powers", dict(rows=1, cols=32, bits=float_bits([127.0 * 2.0**-10, -(2.0**-10), 2.0**-11, 3 * 2.0**-11] * 8))),
    ]
    gains = [
        ("typical", float_bits([0.25 + signed(r, 20) / 2**21 for _ in range(32)])),
        ("full 24 bits stay", [0x3FFFFFFF, 0x3F800001, 0xBF800001, 0x40000001 - 2] * 8),
        ("small ones round, ties to even", float_bits([1.0] + [2.0**-24, 3 * 2.0**-24, -(2.0**-24), -3 * 2.0**-24] * 7 + [0.0] * 3)),
        ("all zero", [0] * 32),
        ("outlier", float_bits([100.0] + [0.01 * i for i in range(31)])),
    ]
    cases = [{"name": n, "rule": "q8", "input": i, "output": import_q8(**i)} for n, i in q8]
    cases += [{"name": n, "rule": "f32", "input": i, "output": import_f32(**i)} for n, i in f32]
    cases += [{"name": n, "rule": "gains", "input": {"bits": b}, "output": import_gains(b)} for n, b in gains]
    write("import", {"cases": cases})


def write_sampler():
    r = mulberry32(4242)
    one = 2**30
    seed = bytes(range(32))
    other = bytes([255] * 32)
    rows = {
        "spread": [signed(r, 19) for _ in range(200)],
        "flat": [5] * 50,
        "one": [-7],
        "extreme": [I31, -I31, I31 - 1, 0, -I31] * 4,
        "near": [1000 - 3 * (i % 5) for i in range(64)],
        # With tau = 65,536 and the first seed, ids 5, 6, 20 and 33 have the score 0 exactly at position 0.
        "tie": [gumbel(seed, 0, i) if i in (5, 6, 20, 33) else -(2**30) for i in range(40)],
        "tie, larger ids only": [gumbel(seed, 0, i) if i in (20, 33) else -(2**30) for i in range(40)],
    }
    settings = [
        ("greedy", 0, 0, 0, 0), ("temperature 1", 94548, 0, 0, 0), ("temperature 0.01", 9454831, 0, 0, 0), ("largest tau", 2**32 - 1, 0, 0, 0),
        ("smallest tau", 1, 0, 0, 0), ("top-k 1", 94548, 1, 0, 0), ("top-k 7", 94548, 7, 0, 0), ("top-k beyond the row", 94548, 10**6, 0, 0),
        ("top-p 1/2", 94548, 0, one // 2, 0), ("top-p smallest", 94548, 0, 1, 0), ("top-p just below 1", 94548, 0, one - 1, 0),
        ("top-p 1 is off", 94548, 0, one, 0), ("min-p 0.1", 94548, 0, 0, one // 10), ("min-p 1", 94548, 0, 0, one), ("min-p beyond 1", 94548, 0, 0, 2**32 - 1),
        ("tau 65,536", 65536, 0, 0, 0), ("all together", 118185, 40, 966367642, 53687091),
    ]
    cases = []
    for row_name, row in rows.items():
        for name, tau, top_k, top_p, min_p in settings:
            tokens = [next_token(row, tau, top_k, top_p, min_p, s, p) for s in (seed, other) for p in (0, 1, 131071)]
            cases.append({"name": f"{row_name}: {name}", "row": row_name,
                          "sampler": {"tau": tau, "topK": top_k, "topP": top_p, "minP": min_p}, "tokens": tokens})
    noise = [{"seed": s.hex(), "position": p, "token": t, "gumbel": gumbel(s, p, t)}
             for s in (seed, other, bytes(32)) for p in (0, 9) for t in (0, 1, 15, 16, 49151, 1048575)]
    write("sampler", {"rows": rows, "seeds": [seed.hex(), other.hex()], "positions": [0, 1, 131071], "noise": noise, "cases": cases})


def write_controls():
    r = mulberry32(777)
    seed = bytes(range(32))
    off = dict(repetition=65536, presence=0, frequency=0, bias=[])
    spread = [signed(r, 19) for _ in range(60)]
    edges = [I31, -I31, I31 - 1, -I31 + 1, 0, 1, -1, 65536, -65536, 98304, -98304, 3]
    every = list(range(12))
    open_even = [1 - i % 2 for i in range(60)]
    settings = [
        ("nothing", spread, off, [1, 2], [3], None),
        ("repetition 1.3", spread, {**off, "repetition": 85197}, [0, 1, 2, 3, 4, 5], [6, 7, 7], None),
        ("repetition below 1", spread, {**off, "repetition": 40000}, [0, 1, 2, 3, 4, 5], [], None),
        ("repetition, edges", edges, {**off, "repetition": 98304}, every, [], None),
        ("smallest repetition saturates", edges, {**off, "repetition": 1}, every, [], None),
        ("largest repetition", edges, {**off, "repetition": 2**32 - 1}, every, [], None),
        ("ties of rounding", [1, -1, 3, -3, 5, -5, 7, -7], {**off, "repetition": 32768}, list(range(8)), [], None),
        ("repetition 2, odd logits", [1, -1, 3, -3, 5, -5, 7, -7], {**off, "repetition": 131072}, list(range(8)), [], None),
        ("presence", spread, {**off, "presence": 131072}, [9], [3, 3, 3, 4], None),
        ("frequency", spread, {**off, "frequency": 65536}, [9], [3, 3, 3, 4], None),
        ("negative penalties saturate", edges, {**off, "presence": -I31, "frequency": -I31}, [], every, None),
        ("bias", spread, {**off, "bias": [[5, 6553600], [6, -6553600]]}, [], [], None),
        ("bias saturates, beyond the row", edges, {**off, "bias": [[0, I31], [1, -I31], [40, 5]]}, [], [], None),
        ("mask", spread, off, [], [], open_even),
        ("one id open", spread, off, [], [], [1 if i == 17 else 0 for i in range(60)]),
        ("lowest logit open", edges, off, [], [], [0, 1] + [0] * 10),
        ("all together", spread, dict(repetition=72090, presence=32768, frequency=16384, bias=[[0, -9], [44, 70000]]), [2, 40, 41], [44, 44, 2], open_even),
    ]
    controls = []
    for name, row, settled, given, made, mask in settings:
        out = control(row, settled, given, made, mask)
        for tau, top_k, top_p, min_p in ((0, 0, 0, 0), (94548, 0, 0, 0), (1, 0, 0, 0), (118185, 40, 966367642, 53687091)):
            controls.append({"name": name, "row": row, "controls": settled, "inputTokens": given, "outputTokens": made, "mask": mask,
                             "controlled": [-(2**31) if x is None else x for x in out],
                             "sampler": {"tau": tau, "topK": top_k, "topP": top_p, "minP": min_p}, "seed": seed.hex(), "position": len(given + made),
                             "token": next_open_token(out, tau, top_k, top_p, min_p, seed, len(given + made))})
    logprobs = []
    for row in (spread, edges, [5] * 50, [-7], [0, -(2**21), -(2**21) + 1, -1453634], [signed(r, 12) for _ in range(300)]):
        order = sorted(range(len(row)), key=lambda i: (-row[i], i))[:5]
        for token in (0, len(row) - 1):
            logprobs.append({"row": row, "id": token, "count": 5, "chosen": logprob(row, token), "top": [[i, logprob(row, i)] for i in order]})

    def hidden(bits, exponent, n=12):
        return {"mantissas": [signed(r, bits) for _ in range(n)], "exponent": exponent}

    groups = [[hidden(15, -15)], [hidden(15, -15), hidden(15, -12), hidden(9, -30)], [{"mantissas": [32767] * 12, "exponent": 0}] * 3,
              [{"mantissas": [0] * 12, "exponent": 4}], [{"mantissas": [0, 1, -1] + [0] * 9, "exponent": -100}, hidden(3, -20)],
              [{"mantissas": [5, -5] * 6, "exponent": 0}, {"mantissas": [-5, 5] * 6, "exponent": 0}]]
    embeddings = [{"rows": g, "pooling": p, "vector": embed_rows(g, p)} for g in groups for p in ("mean", "last")]
    write("controls", {"cases": controls, "logprobs": logprobs, "embeddings": embeddings})


# ---- a whole model: 5. ops in the order of section 8, weights from mulberry32 as testing/random-model.ts draws them

TINY = dict(layerCount=2, width=64, headCount=4, kvHeadCount=2, headSize=16, feedForwardWidth=96, vocabularySize=128, residualBits=16)


FAMILY = {
    "llama": {},
    "qwen2": dict(bias=True),
    "qwen3": dict(head_norm=True, sizes=dict(headSize=32)),
    "smollm3": dict(unrotated=4, sizes=dict(layerCount=4)),
}


def random_weights(c, seed, tied, family):
    stream = mulberry32(seed)
    w, kv = c["headCount"] * c["headSize"], c["kvHeadCount"] * c["headSize"]

    def vector(size, least):
        return import_gains(float_bits([least + (next(stream) >> 8) / 2**24 for _ in range(size)]))

    def gains(size=c["width"]):
        return vector(size, 0.5)

    def layer():
        made = {"attn_norm": gains()}
        for name, rows in (("q", w), ("k", kv), ("v", kv)):
            made[name] = matrix(rows, c["width"])
            if family.get("bias"):
                made[name + " bias"] = vector(rows, -0.5)
        if family.get("head_norm"):
            made["q norm"], made["k norm"] = gains(c["headSize"]), gains(c["headSize"])
        made["o"], made["ffn_norm"] = matrix(c["width"], w), gains()
        made["gate"], made["up"] = matrix(c["feedForwardWidth"], c["width"]), matrix(c["feedForwardWidth"], c["width"])
        made["down"] = matrix(c["width"], c["feedForwardWidth"])
        return made

    def matrix(rows, cols):
        quants = [next(stream) % 255 - 127 for _ in range(rows * cols)]
        base = 15 - (-(-(L(cols) - 1) // 2) + 6) << 10
        return import_q8(rows, cols, quants, [base + (next(stream) & 0x3FF) for _ in range(rows * cols // 32)])

    model = {"output": None if tied else matrix(c["vocabularySize"], c["width"])}
    model["embedding"] = matrix(c["vocabularySize"], c["width"])
    model["layers"] = [layer() for _ in range(c["layerCount"])]
    model["norm"] = gains()
    model["output"] = model["output"] or model["embedding"]
    return model


def forward(c, model, tokens, family):
    hg, H, G = c["residualBits"], c["headCount"], c["kvHeadCount"]
    norm = dict(residualBits=hg, epsilonQ40=10995116)
    steps, scale = rope_steps(10000, c["headSize"]), score_scale(c["headSize"])
    keys, values = [[] for _ in model["layers"]], [[] for _ in model["layers"]]
    for position, token in enumerate(tokens):
        h = embed(model["embedding"], token, hg)["values"]
        for l, w in enumerate(model["layers"]):
            x = rmsNorm(h, w["attn_norm"], **norm)

            def project(name):
                y = matmul(w[name], **x)
                return bias(**y, bias=w[name + " bias"]) if family.get("bias") else y

            def place(name, count):
                y = project(name)
                if family.get("head_norm"):
                    y = headNorm(**y, gains=w[name + " norm"], headCount=count, epsilonQ40=10995116)
                if family.get("unrotated") and (l + 1) % family["unrotated"] == 0:
                    return splitHeads(**y, headCount=count)["heads"]
                return rope(**y, steps=steps, headCount=count, position=position)["heads"]

            q = place("q", H)
            keys[l].append(place("k", G))
            values[l].append(splitHeads(**project("v"), headCount=G)["heads"])
            mixed, sums = [], []
            for head in range(H):
                g = head * G // H
                s = scores(q[head], [k[g] for k in keys[l]], scale)["values"]
                p = softmax(s, [v[g]["exponent"] for v in values[l]])
                mixed.append(mix(p, [v[g] for v in values[l]]))
                sums.append(p["sum"])
            h = residualAdd(h, matmul(w["o"], **joinHeads(mixed, sums)), hg)["values"]
            y = rmsNorm(h, w["ffn_norm"], **norm)
            gated = swiGlu(matmul(w["gate"], **y), matmul(w["up"], **y))
            h = residualAdd(h, matmul(w["down"], **gated), hg)["values"]
        yield logits(**matmul(model["output"], **rmsNorm(h, model["norm"], **norm)))["values"]


# ---- 8. bytes

def H(data):
    return hashlib.sha256(data).digest()


def merkle_root(leaves):
    level = [H(b"\0" + leaf) for leaf in leaves]
    while len(level) > 1:
        pairs = [level[i:i + 2] for i in range(0, len(level), 2)]
        level = [H(b"\1" + pair[0] + pair[1]) if len(pair) == 2 else pair[0] for pair in pairs]
    return H(b"\2" + struct.pack(">Q", len(leaves)) + level[0])


def shape_bytes(shape):
    return bytes([len(shape)]) + b"".join(struct.pack(">I", 2**32 - 1 if n == "T" else n) for n in shape)


NAME = bytes([len(SPEC)]) + SPEC.encode()


def graph_leaves(c, tied, family):
    """The graph as leaves: a header, then one per op; weights in the order of their first use."""
    D, F, V, S = c["width"], c["feedForwardWidth"], c["vocabularySize"], c["headSize"]
    nq, nk, hg = c["headCount"], c["kvHeadCount"], c["residualBits"]
    weights, nodes, shapes = {}, [], [["T"]]

    def weight(name, kind, *shape):
        weights.setdefault(name, (kind, shape))
        return name

    def node(op, inputs, shape, used=(), parameters=()):
        nodes.append((op, inputs, used, parameters, shape))
        shapes.append(shape)
        return len(nodes)

    def product(x, name, rows, cols):
        return node(3, [x], ["T", rows], [weight(name, 1, rows, cols)])

    def norm(x, name):
        return node(2, [x], ["T", D], [weight(name, 2, D)], [hg, 10995116])

    def projected(x, name, rows):
        y = product(x, name, rows, D)
        return node(13, [y], ["T", rows], [weight(name + " bias", 2, rows)]) if family.get("bias") else y

    def placed(y, name, heads, l):
        if family.get("head_norm"):
            y = node(14, [y], ["T", heads * S], [weight(name + " norm", 2, S)], [heads, 10995116])
        if family.get("unrotated") and (l + 1) % family["unrotated"] == 0:
            return node(5, [y], ["T", heads, S], [], [heads])
        return node(4, [y], ["T", heads, S], [weight("steps", 3, S // 2)], [heads])

    h = node(1, [0], ["T", D], [weight("embedding", 1, V, D)], [hg])
    for l in range(c["layerCount"]):
        x = norm(h, f"{l} attn_norm")
        q, k, v = (projected(x, f"{l} {n}", heads * S) for n, heads in (("q", nq), ("k", nk), ("v", nk)))
        q, k = placed(q, f"{l} q", nq, l), placed(k, f"{l} k", nk, l)
        v = node(5, [v], ["T", nk, S], [], [nk])
        s = node(6, [q, k], ["T", nq, "T"], [], [score_scale(S)])
        p = node(7, [s, v], ["T", nq, "T"])
        o = node(9, [node(8, [p, v], ["T", nq, S]), p], ["T", nq * S])
        h = node(11, [h, product(o, f"{l} o", D, nq * S)], ["T", D], [], [hg])
        y = norm(h, f"{l} ffn_norm")
        gate, up = product(y, f"{l} gate", F, D), product(y, f"{l} up", F, D)
        h = node(11, [h, product(node(10, [gate, up], ["T", F]), f"{l} down", D, F)], ["T", D], [], [hg])
    body = len(nodes)
    last = product(norm(h, "norm"), "embedding" if tied else "output", V, D)
    node(12, [last], ["T", V])

    def leaf(op, inputs, used, parameters, shape):
        out = struct.pack(">BIB", op, body, len(inputs))
        for i in inputs:
            out += struct.pack(">I", i) + shape_bytes(shapes[i])
        out += bytes([len(used)])
        for name in used:
            kind, sizes = weights[name]
            out += struct.pack(">IB", list(weights).index(name), kind) + shape_bytes(sizes)
        return out + bytes([len(parameters)]) + b"".join(struct.pack(">q", x) for x in parameters) + shape_bytes(shape)

    head = NAME + struct.pack(">III", len(nodes), len(weights), body)
    return list(weights), [head] + [leaf(*n) for n in nodes]


def header(kind, rows, cols, exponent):
    return struct.pack(">BIIq", kind, rows, cols, exponent)


def matrix_root(m):
    leaves = [header(1, m["rows"], m["cols"], m["exponent"])]
    for o in range(m["rows"]):
        for start in range(0, m["cols"], 1024):
            size = min(1024, m["cols"] - start)
            at = o * m["cols"] + start
            lanes = bytearray(size)
            for k in range(size):
                place = 4 * (7 - k % 16 // 2) + (2 if k % 32 < 16 else 0) + k % 2
                lanes[k // 32 * 32 + place] = m["data"][at + k] + 128
            scales = m["scales"][at // 32:(at + size) // 32]
            leaves.append(bytes([m["rowShifts"][o]]) + struct.pack(f">{len(scales)}H", *scales) + lanes)
    return merkle_root(leaves)


def gains_root(g):
    leaves = [header(2, 1, len(g["data"]), g["exponent"])]
    for start in range(0, len(g["data"]), 1024):
        piece = g["data"][start:start + 1024]
        leaves.append(struct.pack(f">{len(piece)}i", *piece))
    return merkle_root(leaves)


def weights_root(c, names, model):
    def root(name):
        if name == "steps":
            steps = rope_steps(10000, c["headSize"])
            return merkle_root([header(3, 1, len(steps), 0), struct.pack(f">{len(steps)}Q", *steps)])
        layer, _, part = name.partition(" ") if name[0].isdigit() else ("", "", name)
        tensor = model["layers"][int(layer)][part] if layer else model[name]
        return gains_root(tensor) if name.endswith(("norm", "bias")) else matrix_root(tensor)

    return merkle_root([root(name) for name in names])


def tables_root():
    words = (T1, T2, [x for pair in A for x in pair], [x for pair in B for x in pair])
    return merkle_root([b"".join(struct.pack(">I", x & 0xFFFFFFFF) for x in table) for table in words])


def bounds_bytes(c):
    sizes = (256, c["vocabularySize"], c["width"], c["feedForwardWidth"], c["headCount"], c["kvHeadCount"], c["headSize"])
    return NAME + struct.pack(">7IB", *sizes, c["residualBits"])


def write_model():
    cases = []
    for seed, tied, name in ((1, True, "llama"), (2, False, "llama"), (3, True, "qwen2"), (4, True, "qwen3"), (5, True, "smollm3")):
        family = FAMILY[name]
        config = {**TINY, **family.get("sizes", {})}
        tokens = [(i * 37 + seed) % 128 for i in range(24)]
        model = random_weights(config, seed, tied, family)
        rows = list(forward(config, model, tokens, family))
        names, graph = graph_leaves(config, tied, family)
        cases.append({"seed": seed, "tied": tied, "family": name, "config": family.get("sizes", {}), "tokens": tokens,
                      "firstLogits": rows[0][:8], "lastLogits": rows[-1][:8],
                      "sha256": sha([x for row in rows for x in row]), "graphRoot": merkle_root(graph).hex(),
                      "weightsRoot": weights_root(config, names, model).hex(), "boundsHash": H(bounds_bytes(config)).hex()})
    write("model", {"hash": "sha256", "tablesRoot": tables_root().hex(), "config": {**TINY, "contextLength": 256, "ropeBase": 10000, "rmsEpsilon": 1e-5}, "cases": cases})


def uneven_tensors(c, seed, names):
    """Floats whose columns differ by up to 2^24, drawn in this order."""
    stream = mulberry32(seed)
    w, kv = c["headCount"] * c["headSize"], c["kvHeadCount"] * c["headSize"]
    shapes = {"token_embd": (c["vocabularySize"], c["width"]), "output": (c["vocabularySize"], c["width"]),
              "attn_q": (w, c["width"]), "attn_k": (kv, c["width"]), "attn_v": (kv, c["width"]), "attn_output": (c["width"], w),
              "ffn_gate": (c["feedForwardWidth"], c["width"]), "ffn_up": (c["feedForwardWidth"], c["width"]),
              "ffn_down": (c["width"], c["feedForwardWidth"])}
    tensors = {}
    for name in names:
        part = name.removesuffix(".weight").removesuffix(".bias").split(".")[-1]
        rows, cols = (1, c["width"]) if part.endswith("norm") else (1, shapes[part][0]) if name.endswith("bias") else shapes[part]
        factors = [2.0 ** (next(stream) % 25 - 12) for _ in range(cols)]
        tensors[name] = rows, cols, [signed(stream, 20) / 2**24 * factors[i % cols] for i in range(rows * cols)]
    return tensors


def write_balance():
    cases = []
    for seed, family, tied in ((81, "llama", True), (82, "llama", False), (83, "qwen2", False)):
        c = {**TINY, "layerCount": 2, "vocabularySize": 32}
        heads = [f"attn_{part}.{kind}" for part in "qkv" for kind in (["weight", "bias"] if family == "qwen2" else ["weight"])]
        layer = ["attn_norm.weight", *heads, "attn_output.weight", "ffn_norm.weight", "ffn_gate.weight", "ffn_up.weight", "ffn_down.weight"]
        names = ["token_embd.weight", *(f"blk.{i}.{name}" for i in range(c["layerCount"]) for name in layer), "output_norm.weight"]
        names += [] if tied else ["output.weight"]
        tensors = uneven_tensors(c, seed, names)
        balance(c, tensors)
        roots = {}
        for name, (rows, cols, x) in tensors.items():
            bits = float_bits(x)
            roots[name] = (gains_root(import_gains(bits)) if rows == 1 else matrix_root(import_f32(rows, cols, bits))).hex()
        cases.append({"seed": seed, "family": family, "tied": tied, "names": names, "roots": roots})
    write("balance", {"hash": "sha256", "config": {**TINY, "vocabularySize": 32, "contextLength": 256, "ropeBase": 10000, "rmsEpsilon": 1e-5}, "cases": cases}, "conversion")


def main():
    write_primitives()
    write_tables()
    write_rope_steps()
    write_import()
    write_sampler()
    write_controls()
    for name, function, cases in op_cases():
        write(f"op-{name}", {"op": name, "cases": [
            {"name": n, "input": i, "output": function(**expand(i))} for n, i in cases]})
    write_model()
    write_balance()


if __name__ == "__main__":
    main()
