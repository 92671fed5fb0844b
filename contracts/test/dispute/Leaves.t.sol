// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Arithmetic} from "../../dispute/Arithmetic.sol";
import {HeadNorm} from "../../dispute/HeadNorm.sol";
import {Norm} from "../../dispute/Norm.sol";
import {Sampler} from "../../dispute/Sampler.sol";
import {CourtTest} from "./CourtTest.sol";
import {Draw, Read} from "./Draw.sol";

/// @notice Each checker against at least 2,000 leaves of the reference kernels (vectors/court): the right claim is
/// right, the claim beside it is wrong. Seeds are the names of the ops and the numbers of the rows.
contract LeavesTest is CourtTest {
    using Draw for Draw.Stream;
    using Read for Read.Bytes;

    uint256 private constant A16_MAX = 32_767;
    uint256 private constant I30_MAX = 2 ** 30;
    uint256 private constant WORD_MAX = 2 ** 31 - 1;
    uint256 private constant GAIN_MAX = 2 ** 24 - 1;
    uint256 private constant LEAVES_LEAST = 2000;
    string private constant COMMITTED = "../vectors/court";

    uint64[16] private steps;

    /// @dev The short lane reads the committed rows, the long one those that tools/src/leaves/main.ts has just written.
    function eachRow(string memory op, function(Draw.Stream memory, Read.Bytes memory) view check)
        private
        view
    {
        assertTrue(eachRowOf(op, check, 0, 1) >= LEAVES_LEAST, "2,000 leaves");
    }

    /// @return leaves of all rows of the file
    function eachRowOf(
        string memory op,
        function(Draw.Stream memory, Read.Bytes memory) view check,
        uint256 from,
        uint256 step
    ) private view returns (uint256 leaves) {
        string memory folder = courtVm.envOr("ASSAY_LEAVES_FOLDER", COMMITTED);
        string memory json = vm.readFile(string.concat(folder, "/", op, ".json"));
        uint256 first = vm.parseJsonUint(json, ".first");
        bytes[] memory rows = vm.parseJsonBytesArray(json, ".rows");
        for (uint256 i = from; i < rows.length; i += step) {
            // Each row uses the memory of the one before.
            uint256 free;
            assembly {
                free := mload(0x40)
            }
            check(Draw.start(op, first + i), Read.start(rows[i]));
            assembly {
                mstore(0x40, free)
            }
        }
        return vm.parseJsonUint(json, ".leaves");
    }

    /// @dev The claims of a packed row: exponent, witness, `count` mantissas.
    function claimsOf(Read.Bytes memory reader, uint256 count, uint256 size)
        private
        pure
        returns (Arithmetic.Claim[] memory claims)
    {
        int256 exponent = reader.signed(2);
        uint256 witness = reader.unsigned(2);
        claims = new Arithmetic.Claim[](count);
        for (uint256 i = 0; i < count; ++i) {
            claims[i] = claimOf(reader.signed(size), exponent, i == witness);
        }
    }

    function mantissas(Draw.Stream memory draw, uint256 count, uint256 limit)
        private
        pure
        returns (int256[] memory values)
    {
        values = new int256[](count);
        for (uint256 i = 0; i < count; ++i) {
            values[i] = draw.signed(limit);
        }
    }

    /// @dev Four tests, for together they need more gas than one may have; row mod 4 is the spread of the numbers.
    function test_matmul_uniform() public view {
        assertMatmuls(0);
    }

    function test_matmul_edges() public view {
        assertMatmuls(1);
    }

    function test_matmul_largest() public view {
        assertMatmuls(2);
    }

    function test_matmul_small() public view {
        assertMatmuls(3);
    }

    function assertMatmuls(uint256 spread) private view {
        assertTrue(eachRowOf("matmul", assertMatmul, spread, 4) >= LEAVES_LEAST, "2,000 leaves");
    }

    function assertMatmul(Draw.Stream memory draw, Read.Bytes memory reader) private view {
        uint256 blocks = draw.row % 32 == 0 ? 32 : uint256(draw.between(1, 4));
        (bytes[] memory leaves, int256 exponent) = drawMatrix(draw, 8, blocks);
        bytes[] memory x = new bytes[](1);
        bytes[] memory w = new bytes[](1);
        int32 base = int32(exponent + draw.between(-20, 0));
        x[0] = packActivations(mantissas(draw, 32 * blocks, A16_MAX), 0, 32 * blocks);
        Arithmetic.Claim[] memory claims = claimsOf(reader, 8, 4);
        for (uint256 o = 0; o < 8; ++o) {
            w[0] = leaves[o];
            int64 sum = int64(reader.signed(8));
            assertTrue(checker.matmulPartial(x[0], w[0], sum), "partial");
            assertTrue(!checker.matmulPartial(x[0], w[0], sum ^ 1), "other partial");
            assertTrue(checker.matmulRow(x, w, base, claims[o]), "row");
            assertTrue(!checker.matmulRow(x, w, base, other(claims[o])), "other row");
            bytes memory partials = abi.encodePacked(sum - 5, int64(5));
            assertTrue(checker.sumElement(partials, base, claims[o]), "sum");
            assertTrue(!checker.sumElement(partials, base, other(claims[o])), "other sum");
            assertTrue(checker.partialTotal(partials, sum), "total");
            assertTrue(!checker.partialTotal(partials, sum ^ 1), "other total");
        }
    }

    function drawMatrix(Draw.Stream memory draw, uint256 rows, uint256 blocks)
        private
        pure
        returns (bytes[] memory leaves, int256 exponent)
    {
        bool extreme = draw.word() % 4 == 0;
        uint256[] memory shifts = new uint256[](rows);
        for (uint256 o = 0; o < rows; ++o) {
            shifts[o] = uint256(draw.between(0, 7));
        }
        uint256[][] memory scales = new uint256[][](rows);
        for (uint256 o = 0; o < rows; ++o) {
            scales[o] = new uint256[](blocks);
            for (uint256 i = 0; i < blocks; ++i) {
                scales[o][i] = extreme ? 65_535 : draw.word() & 0xffff;
            }
        }
        leaves = new bytes[](rows);
        int256[] memory weights = new int256[](32 * blocks);
        for (uint256 o = 0; o < rows; ++o) {
            for (uint256 k = 0; k < weights.length; ++k) {
                weights[k] = extreme ? -128 : int256(draw.word() & 0xff) - 128;
            }
            leaves[o] = packWeights(shifts[o], scales[o], weights);
        }
        exponent = draw.between(-40, -10);
    }

    function test_embed() public view {
        eachRow("embed", checkEmbed);
    }

    function checkEmbed(Draw.Stream memory draw, Read.Bytes memory reader) private view {
        (bytes[] memory leaves, int256 exponent) = drawMatrix(draw, 1, 1);
        int32 base = int32(exponent + draw.between(12, 20));
        for (uint256 k = 0; k < 32; ++k) {
            int32 h = int32(reader.signed(4));
            assertTrue(checker.embedElement(leaves[0], k, base, h), "element");
            assertTrue(!checker.embedElement(leaves[0], k, base, h ^ 1), "other element");
        }
    }

    function test_rmsNorm() public view {
        eachRow("rmsNorm", assertNorm);
    }

    function assertNorm(Draw.Stream memory draw, Read.Bytes memory reader) private view {
        int256[] memory residual = mantissas(draw, 32, WORD_MAX);
        int256[] memory gains = mantissas(draw, 32, GAIN_MAX);
        int32 gainExponent = int32(draw.between(-40, 0));
        Norm.Row memory row;
        row.width = 32;
        row.residualBits = uint8(uint256(draw.between(12, 20)));
        row.epsilonQ40 = uint64(2 ** uint256(draw.between(17, 34)));
        row.epsilonQ40 -= uint64(draw.word() % 2) * 7;
        Arithmetic.Claim[] memory claims = claimsOf(reader, 32, 2);
        row.shift = uint8(reader.unsigned(1));
        row.squares = uint64(reader.unsigned(8));
        assertNormRow(residual, row, reader.unsigned(2));
        for (uint256 k = 0; k < 32; ++k) {
            int32 h = int32(residual[k]);
            int32 g = int32(gains[k]);
            assertTrue(checker.normElement(h, g, gainExponent, row, claims[k]), "element");
            assertTrue(
                !checker.normElement(h, g, gainExponent, row, other(claims[k])), "other element"
            );
        }
    }

    function assertNormRow(int256[] memory residual, Norm.Row memory row, uint256 witness)
        private
        view
    {
        bytes memory packed = packWords(residual);
        assertTrue(checker.normPartial(packed, row.shift, int64(row.squares)), "squares");
        assertTrue(!checker.normPartial(packed, row.shift, int64(row.squares ^ 1)), "others");
        for (uint256 k = 0; k < 32; ++k) {
            assertTrue(checker.normShift(int32(residual[k]), row.shift, k == witness), "shift");
        }
        if (witness == NO_WITNESS) return;
        int32 largest = int32(residual[witness]);
        assertTrue(!checker.normShift(largest, row.shift - 1, false), "shift too small");
        assertTrue(!checker.normShift(largest, row.shift + 1, true), "shift too large");
    }

    function test_rope() public {
        steps = ropeSteps();
        eachRow("rope", checkRope);
    }

    function checkRope(Draw.Stream memory draw, Read.Bytes memory reader) private view {
        int32 exponent = int32(draw.between(-40, 0));
        int256[] memory x = mantissas(draw, 32, I30_MAX);
        uint256 position = draw.word() % 131_072;
        Arithmetic.Claim[] memory claims = claimsOf(reader, 32, 2);
        for (uint256 k = 0; k < 32; ++k) {
            int32[2] memory pair = [int32(x[k & ~uint256(1)]), int32(x[k | 1])];
            uint64 phase = uint64(position * steps[k / 2]);
            assertRope(pair, exponent, phase, k % 2 == 1, claims[k]);
        }
    }

    function assertRope(
        int32[2] memory pair,
        int32 exponent,
        uint64 phase,
        bool odd,
        Arithmetic.Claim memory claim
    ) private view {
        assertTrue(
            checker.ropeElement(pair[0], pair[1], exponent, phase, odd, claim), "rope element"
        );
        assertTrue(
            !checker.ropeElement(pair[0], pair[1], exponent, phase, odd, other(claim)),
            "other rope element"
        );
    }

    /// @dev Base 10,000, head size 32: vectors/arithmetic/rope-steps.json.
    function ropeSteps() private view returns (uint64[16] memory found) {
        string memory json = vm.readFile("../vectors/arithmetic/rope-steps.json");
        for (uint256 i = 0;; ++i) {
            string memory where = string.concat(".cases[", vm.toString(i), "]");
            if (vm.parseJsonUint(json, string.concat(where, ".base")) != 10_000) continue;
            if (vm.parseJsonUint(json, string.concat(where, ".headSize")) != 32) continue;
            uint256[] memory read = vm.parseJsonUintArray(json, string.concat(where, ".steps"));
            for (uint256 k = 0; k < 16; ++k) {
                found[k] = uint64(read[k]);
            }
            return found;
        }
    }

    function test_splitHeads() public view {
        eachRow("splitHeads", checkSplitHeads);
    }

    function checkSplitHeads(Draw.Stream memory draw, Read.Bytes memory reader) private view {
        int32 exponent = int32(draw.between(-40, 0));
        Arithmetic.Claim[] memory claims = claimsOf(reader, 32, 2);
        for (uint256 k = 0; k < 32; ++k) {
            int32 x = int32(draw.signed(I30_MAX));
            assertTrue(checker.splitElement(x, exponent, claims[k]), "element");
            assertTrue(!checker.splitElement(x, exponent, other(claims[k])), "other element");
        }
    }

    function test_bias() public view {
        eachRow("bias", checkBias);
    }

    function checkBias(Draw.Stream memory draw, Read.Bytes memory reader) private view {
        int32 exponent = int32(draw.between(-60, 20));
        int256[] memory y = mantissas(draw, 32, I30_MAX);
        int256[] memory b = mantissas(draw, 32, GAIN_MAX);
        int32 own = int32(draw.between(-60, 20));
        Arithmetic.Claim[] memory claims = claimsOf(reader, 32, 4);
        for (uint256 k = 0; k < 32; ++k) {
            Arithmetic.Claim memory wrong = other(claims[k]);
            int32 x = int32(y[k]);
            int32 v = int32(b[k]);
            assertTrue(checker.biasElement(x, exponent, v, own, claims[k]), "element");
            assertTrue(!checker.biasElement(x, exponent, v, own, wrong), "other element");
        }
    }

    function test_headNorm() public view {
        eachRow("headNorm", assertHeadNorm);
    }

    function assertHeadNorm(Draw.Stream memory draw, Read.Bytes memory reader) private view {
        HeadNorm.Grid memory grid;
        grid.exponent = int32(draw.between(-70, 20));
        int256[] memory x = mantissas(draw, 32, I30_MAX);
        int256[] memory g = mantissas(draw, 16, GAIN_MAX);
        int32 gainExponent = int32(draw.between(-40, 0));
        uint256 power = uint256(draw.between(17, 34));
        grid.epsilonQ40 = uint64((1 << power) - (draw.word() % 2) * 7);
        Arithmetic.Claim[] memory claims = claimsOf(reader, 32, 4);
        bytes memory heads = packWords(x);
        for (uint256 k = 0; k < 32; ++k) {
            bytes memory head = new bytes(64);
            for (uint256 j = 0; j < 64; ++j) {
                head[j] = heads[64 * (k / 16) + j];
            }
            int32 gain = int32(g[k % 16]);
            bool right = checker.headNormElement(head, k % 16, grid, gain, gainExponent, claims[k]);
            assertTrue(right, "element");
            Arithmetic.Claim memory wrong = other(claims[k]);
            right = checker.headNormElement(head, k % 16, grid, gain, gainExponent, wrong);
            assertTrue(!right, "other element");
        }
    }

    function test_scores() public view {
        eachRow("scores", checkScores);
    }

    function checkScores(Draw.Stream memory draw, Read.Bytes memory reader) private view {
        uint256 size = 2 * uint256(draw.between(1, 32));
        int256 exponent = draw.between(-20, -6);
        bytes memory query = packActivations(mantissas(draw, size, A16_MAX), 0, size);
        for (uint256 k = 0; k < 8; ++k) {
            int32 exponents = int32(exponent + draw.between(-20, -6));
            bytes memory key = packActivations(mantissas(draw, size, A16_MAX), 0, size);
            assertScore(query, key, exponents, int32(reader.signed(4)));
        }
    }

    function assertScore(bytes memory query, bytes memory key, int32 exponents, int32 score)
        private
        view
    {
        uint32 scale = scoreScale(query.length / 2);
        assertTrue(checker.scoreElement(query, key, exponents, scale, score), "score");
        assertTrue(!checker.scoreElement(query, key, exponents, scale, score ^ 1), "other score");
    }

    /// @dev Section 4.4.
    function scoreScale(uint256 headSize) private pure returns (uint32) {
        uint256 square = (4 * 6_653_256_548_922_161_246 ** 2) / (headSize << 76);
        return uint32((Arithmetic.isqrt(square) + 1) / 2);
    }

    function test_softmax() public view {
        eachRow("softmax", checkSoftmax);
    }

    function checkSoftmax(Draw.Stream memory draw, Read.Bytes memory reader) private view {
        uint256 limit = draw.word() % 2 == 0 ? WORD_MAX : 4_000_000;
        int256[] memory scores = mantissas(draw, 32, limit);
        Arithmetic.Claim[] memory claims = claimsOf(reader, 32, 4);
        int32 largest = int32(reader.signed(4));
        int32 top = int32(reader.signed(2));
        int64 sum = int64(reader.signed(8));
        bytes memory packed = packWords(scores);
        assertTrue(checker.softmaxPartial(packed, largest, sum), "sum");
        assertTrue(!checker.softmaxPartial(packed, largest, sum ^ 1), "other sum");
        for (uint256 k = 0; k < 32; ++k) {
            int32 exponent = int32(draw.between(-24, -8));
            assertSoftmax(int32(scores[k]), largest, exponent, top, claims[k]);
        }
    }

    function assertSoftmax(
        int32 score,
        int32 largest,
        int32 exponent,
        int32 top,
        Arithmetic.Claim memory claim
    ) private view {
        assertTrue(checker.softmaxElement(score, largest, exponent, top, claim), "weight");
        assertTrue(
            !checker.softmaxElement(score, largest, exponent, top, other(claim)), "other weight"
        );
        assertTrue(checker.maximum(score, largest, score == largest), "largest");
        assertTrue(checker.maximum(exponent, top, exponent == top), "top");
        assertTrue(!checker.maximum(largest, largest - 1, false), "largest too small");
        if (score != largest) assertTrue(!checker.maximum(score, largest, true), "no witness");
    }

    /// @dev What the kernels fuse: scores, weights and mix of one head of 32 over 32 positions.
    function test_attention() public view {
        eachRow("attention", checkAttention);
    }

    function checkAttention(Draw.Stream memory draw, Read.Bytes memory reader) private view {
        int256 own = draw.between(-20, -6);
        bytes memory query = packActivations(mantissas(draw, 32, A16_MAX), 0, 32);
        int256[] memory scores = new int256[](32);
        for (uint256 t = 0; t < 32; ++t) {
            int32 exponents = int32(own + draw.between(-20, -6));
            bytes memory key = packActivations(mantissas(draw, 32, A16_MAX), 0, 32);
            scores[t] = reader.signed(4);
            assertScore(query, key, exponents, int32(scores[t]));
        }
        int256[] memory exponents_ = new int256[](32);
        int256[] memory values = new int256[](1024);
        for (uint256 t = 0; t < 32; ++t) {
            exponents_[t] = draw.between(-24, -8);
            int256[] memory row = mantissas(draw, 32, A16_MAX);
            // Tiles hold eight columns, position after position.
            for (uint256 d = 0; d < 32; ++d) {
                values[256 * (d / 8) + 8 * t + (d % 8)] = row[d];
            }
        }
        Arithmetic.Claim[] memory weights = claimsOf(reader, 32, 4);
        assertWeights(scores, exponents_, weights, reader);
        assertMixed(weights, values, claimsOf(reader, 32, 4));
    }

    function assertWeights(
        int256[] memory scores,
        int256[] memory exponents,
        Arithmetic.Claim[] memory weights,
        Read.Bytes memory reader
    ) private view {
        int32 largest = int32(reader.signed(4));
        int32 top = int32(reader.signed(2));
        int64 sum = int64(reader.signed(8));
        bytes memory packed = packWords(scores);
        assertTrue(checker.softmaxPartial(packed, largest, sum), "sum");
        assertTrue(!checker.softmaxPartial(packed, largest, sum ^ 1), "other sum");
        for (uint256 t = 0; t < 32; ++t) {
            assertSoftmax(int32(scores[t]), largest, int32(exponents[t]), top, weights[t]);
        }
    }

    function assertMixed(
        Arithmetic.Claim[] memory weights,
        int256[] memory values,
        Arithmetic.Claim[] memory mixed
    ) private view {
        int256[] memory mantissas_ = new int256[](32);
        for (uint256 t = 0; t < 32; ++t) {
            mantissas_[t] = weights[t].mantissa;
        }
        bytes memory packed = packWords(mantissas_);
        for (uint256 tile = 0; tile < 4; ++tile) {
            bytes memory columns = packActivations(values, 256 * tile, 256);
            for (uint256 d = 0; d < 8; ++d) {
                int64 sum = 0;
                for (uint256 t = 0; t < 32; ++t) {
                    sum += int64(mantissas_[t] * values[256 * tile + 8 * t + d]);
                }
                assertTrue(checker.mixPartial(packed, columns, d, sum), "partial");
                assertTrue(!checker.mixPartial(packed, columns, d, sum ^ 1), "other partial");
                assertColumn(sum, weights[0].exponent, mixed[8 * tile + d]);
            }
        }
    }

    function assertColumn(int64 sum, int32 base, Arithmetic.Claim memory claim) private view {
        bytes memory partials = abi.encodePacked(sum);
        assertTrue(checker.sumElement(partials, base, claim), "element");
        assertTrue(!checker.sumElement(partials, base, other(claim)), "other element");
    }

    function test_mix() public view {
        eachRow("mix", assertMix);
    }

    function assertMix(Draw.Stream memory draw, Read.Bytes memory reader) private view {
        uint256 positions = uint256(draw.between(1, 64));
        int256[] memory weights = mantissas(draw, positions, I30_MAX - 1);
        for (uint256 i = 0; i < positions; ++i) {
            if (weights[i] < 0) weights[i] = -weights[i];
        }
        int32 exponent = int32(draw.between(-40, 0));
        int256[] memory values = mantissas(draw, 8 * positions, A16_MAX);
        bytes memory packed = packWords(weights);
        bytes memory tile = packActivations(values, 0, 8 * positions);
        Arithmetic.Claim[] memory claims = claimsOf(reader, 8, 4);
        for (uint256 d = 0; d < 8; ++d) {
            int64 sum = 0;
            for (uint256 i = 0; i < positions; ++i) {
                sum += int64(weights[i] * values[8 * i + d]);
            }
            assertTrue(checker.mixPartial(packed, tile, d, sum), "partial");
            assertTrue(!checker.mixPartial(packed, tile, d, sum ^ 1), "other partial");
            bytes memory partials = abi.encodePacked(sum);
            assertTrue(checker.sumElement(partials, exponent, claims[d]), "element");
            assertTrue(!checker.sumElement(partials, exponent, other(claims[d])), "other element");
        }
    }

    function test_joinHeads() public view {
        eachRow("joinHeads", assertJoin);
    }

    function assertJoin(Draw.Stream memory draw, Read.Bytes memory reader) private view {
        Arithmetic.Claim[] memory claims = claimsOf(reader, 32, 2);
        int32[4] memory exponents;
        int256[][4] memory heads;
        uint64[4] memory sums;
        for (uint256 h = 0; h < 4; ++h) {
            exponents[h] = int32(draw.between(-40, 0));
            heads[h] = mantissas(draw, 8, I30_MAX);
        }
        int256 top = type(int256).min;
        for (uint256 h = 0; h < 4; ++h) {
            sums[h] = uint64(2 ** 30 * uint256(draw.between(1, 131_072)));
            int256 own = headExponent(exponents[h], sums[h]);
            if (own > top) top = own;
        }
        for (uint256 h = 0; h < 4; ++h) {
            bool witness = headExponent(exponents[h], sums[h]) == top;
            assertTrue(checker.joinTop(exponents[h], sums[h], int32(top), witness), "top");
            assertTrue(!checker.joinTop(exponents[h], sums[h], int32(top + 1), true), "top + 1");
            if (witness) {
                assertTrue(
                    !checker.joinTop(exponents[h], sums[h], int32(top - 1), false), "top - 1"
                );
            }
            for (uint256 k = 0; k < 8; ++k) {
                Arithmetic.Claim memory claim = claims[8 * h + k];
                int32 x = int32(heads[h][k]);
                assertTrue(
                    checker.joinElement(x, exponents[h], sums[h], int32(top), claim), "element"
                );
                assertTrue(
                    !checker.joinElement(x, exponents[h], sums[h], int32(top), other(claim)),
                    "other element"
                );
            }
        }
    }

    /// @dev e + z - 62 of section 5.9.
    function headExponent(int32 exponent, uint64 sum) private pure returns (int256) {
        uint256 inverse = 2 ** 62 / uint256(sum);
        uint256 z = 0;
        while (inverse >> z >= 2 ** 31) ++z;
        return exponent + int256(z) - 62;
    }

    function test_swiGlu() public view {
        eachRow("swiGlu", checkSwiGlu);
    }

    function checkSwiGlu(Draw.Stream memory draw, Read.Bytes memory reader) private view {
        int32 gateExponent = int32(draw.between(-40, 0));
        int256[] memory gate = mantissas(draw, 32, I30_MAX);
        int32 upExponent = int32(draw.between(-40, 0));
        Arithmetic.Claim[] memory claims = claimsOf(reader, 32, 2);
        for (uint256 k = 0; k < 32; ++k) {
            int32 g = int32(gate[k]);
            int32 u = int32(draw.signed(I30_MAX));
            Arithmetic.Claim memory claim = claims[k];
            assertTrue(checker.swiGluElement(g, gateExponent, u, upExponent, claim), "element");
            assertTrue(
                !checker.swiGluElement(g, gateExponent, u, upExponent, other(claim)),
                "other element"
            );
        }
    }

    function test_residualAdd() public view {
        eachRow("residualAdd", checkResidualAdd);
    }

    function checkResidualAdd(Draw.Stream memory draw, Read.Bytes memory reader) private view {
        int256[] memory residual = mantissas(draw, 32, WORD_MAX);
        int256 exponent = draw.between(-60, 0);
        int256[] memory row = mantissas(draw, 32, I30_MAX);
        int32 shift = int32(-draw.between(12, 20) - exponent);
        for (uint256 k = 0; k < 32; ++k) {
            int32 h = int32(residual[k]);
            int32 y = int32(row[k]);
            int32 result = int32(reader.signed(4));
            assertTrue(checker.residualElement(h, y, shift, result), "element");
            assertTrue(!checker.residualElement(h, y, shift, result ^ 1), "other element");
        }
    }

    function test_logits() public view {
        eachRow("logits", checkLogits);
    }

    function checkLogits(Draw.Stream memory draw, Read.Bytes memory reader) private view {
        int32 exponent = int32(draw.between(-60, 0));
        for (uint256 k = 0; k < 32; ++k) {
            int32 y = int32(draw.signed(I30_MAX));
            int32 result = int32(reader.signed(4));
            assertTrue(checker.logitElement(y, exponent, result), "element");
            assertTrue(!checker.logitElement(y, exponent, result ^ 1), "other element");
        }
    }

    function test_sampler() public view {
        eachRow("sampler", checkSampler);
    }

    function checkSampler(Draw.Stream memory draw, Read.Bytes memory reader) private view {
        uint256 limit = draw.word() % 2 == 0 ? WORD_MAX : 400_000;
        int256[] memory logits = mantissas(draw, 64, limit);
        assertSample(draw, logits, reader);
    }

    function assertSample(Draw.Stream memory draw, int256[] memory logits, Read.Bytes memory reader)
        private
        view
    {
        Sampler.Settings memory settings;
        if (draw.word() % 4 != 0) {
            uint256 word = draw.word();
            settings.tau = uint32(word >> uint256(draw.between(0, 20)));
        }
        if (draw.word() % 2 != 0) settings.topK = uint32(uint256(draw.between(1, 64)));
        if (draw.word() % 2 != 0) settings.topP = uint32(draw.word() >> 2);
        if (draw.word() % 2 != 0) {
            uint256 word = draw.word();
            settings.minP = uint32(word >> uint256(draw.between(2, 12)));
        }
        uint256 seed = 0;
        for (uint256 i = 0; i < 8; ++i) {
            seed = (seed << 32) | draw.word();
        }
        uint32 position = uint32(draw.word());
        Sampler.Token memory chosen = tokenOf(logits, reader.unsigned(4));
        Sampler.Row memory row;
        row.vocabularySize = 64;
        row.top = tokenOf(logits, reader.unsigned(4));
        row.rankCut = tokenOf(logits, reader.unsigned(4));
        row.shareCut = tokenOf(logits, reader.unsigned(4));
        assertCuts(settings, row, packWords(logits), reader);
        for (uint256 id = 0; id < 64; ++id) {
            if (id == chosen.id) continue;
            Sampler.Token memory rival = tokenOf(logits, id);
            bytes32 key = bytes32(seed);
            assertTrue(checker.sampleToken(settings, row, key, position, chosen, rival), "chosen");
            assertTrue(!checker.sampleToken(settings, row, key, position, rival, chosen), "another");
        }
    }

    function assertCuts(
        Sampler.Settings memory settings,
        Sampler.Row memory row,
        bytes memory packed,
        Read.Bytes memory reader
    ) private view {
        Sampler.Sums memory sums;
        if (settings.tau != 0 && settings.topP != 0) {
            sums.rankSum = uint64(reader.unsigned(8));
            sums.shareSum = uint64(reader.unsigned(8));
        }
        bool ranked = settings.tau != 0 && settings.topK % 64 != 0;
        if (ranked) sums.rankCount = settings.topK;
        assertTrue(checker.samplePartial(packed, 0, settings, row, sums), "sums");
        assertTrue(checker.sampleRow(settings, row, sums), "cuts");
        sums.shareSum ^= 1;
        assertTrue(!checker.samplePartial(packed, 0, settings, row, sums), "other sums");
        sums.shareSum ^= 1;
        if (ranked) {
            sums.rankCount += 1;
            assertTrue(!checker.sampleRow(settings, row, sums), "one too many");
            sums.rankCount -= 1;
        }
        if (sums.rankSum == 0) return;
        sums.rankSum = type(uint64).max;
        assertTrue(!checker.sampleRow(settings, row, sums), "share not reached");
        sums.rankSum = 0;
        assertTrue(!checker.sampleRow(settings, row, sums), "share reached before");
    }

    function tokenOf(int256[] memory logits, uint256 id)
        private
        pure
        returns (Sampler.Token memory)
    {
        return Sampler.Token(uint32(id), int32(logits[id]));
    }

    /// @notice Leaves in the bytes that packages/engine/src/commitment.ts makes of a model.
    function test_committedLeaves() public view {
        string memory json = vm.readFile("../vectors/court/leaves.json");
        for (uint256 i = 0; i < 8; ++i) {
            string memory where = string.concat(".leaves[", vm.toString(i), "]");
            bytes memory weights = vm.parseJsonBytes(json, string.concat(where, ".weights"));
            bytes memory x = vm.parseJsonBytes(json, string.concat(where, ".activations"));
            int64 sum = int64(courtVm.parseJsonInt(json, string.concat(where, ".sum")));
            int32 base = int32(courtVm.parseJsonInt(json, string.concat(where, ".base")));
            int256[] memory h = readInts(json, string.concat(where, ".embedded"));
            assertTrue(checker.matmulPartial(x, weights, sum), "partial");
            assertTrue(!checker.matmulPartial(x, weights, sum ^ 1), "other partial");
            for (uint256 k = 0; k < h.length; ++k) {
                assertTrue(checker.embedElement(weights, k, base, int32(h[k])), "element");
            }
            assertEq(h.length, 64);
        }
    }
}
