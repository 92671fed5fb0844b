// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Arithmetic} from "../../dispute/Arithmetic.sol";
import {HeadNorm} from "../../dispute/HeadNorm.sol";
import {Norm} from "../../dispute/Norm.sol";
import {CourtTest} from "./CourtTest.sol";

/// @notice Each checker against vectors/arithmetic, which a Python program computed from the specification alone:
/// every element of every case is right, and the element beside it is wrong.
contract VectorsOpsTest is CourtTest {
    using Arithmetic for int256;

    string private json;

    function open(string memory op) private {
        json = vm.readFile(string.concat("../vectors/arithmetic/op-", op, ".json"));
    }

    function exists(uint256 index) private view returns (bool) {
        return vm.keyExistsJson(json, string.concat(".cases[", vm.toString(index), "]"));
    }

    function ints(uint256 index, string memory key) private view returns (int256[] memory) {
        return readInts(json, string.concat(".cases[", vm.toString(index), "]", key));
    }

    function int_(uint256 index, string memory key) private view returns (int256) {
        return courtVm.parseJsonInt(json, string.concat(".cases[", vm.toString(index), "]", key));
    }

    function has(uint256 index, string memory key) private view returns (bool) {
        return vm.keyExistsJson(json, string.concat(".cases[", vm.toString(index), "]", key));
    }

    function item(string memory list, uint256 index, string memory key)
        private
        pure
        returns (string memory)
    {
        return string.concat(list, "[", vm.toString(index), "]", key);
    }

    /// @dev The claim of element k; a mantissa beyond half the range makes it a witness.
    function claimAt(int256[] memory row, uint256 k, int256 exponent, uint256 bits)
        private
        pure
        returns (Arithmetic.Claim memory)
    {
        int256 half = int256(1 << (bits - 1));
        return claimOf(row[k], exponent, row[k] > half || row[k] < -half);
    }

    function slice(int256[] memory values, uint256 from, uint256 size)
        private
        pure
        returns (int256[] memory part)
    {
        part = new int256[](size);
        for (uint256 i = 0; i < size; ++i) {
            part[i] = values[from + i];
        }
    }

    function leafOf(uint256 c, string memory matrix, uint256 row, uint256 cols, uint256 from)
        private
        view
        returns (bytes memory)
    {
        uint256 size = cols - from < 1024 ? cols - from : 1024;
        int256[] memory data = ints(c, string.concat(matrix, ".data"));
        int256[] memory all = ints(c, string.concat(matrix, ".scales"));
        uint256[] memory scales = new uint256[](size / 32);
        for (uint256 i = 0; i < scales.length; ++i) {
            scales[i] = uint256(all[(row * cols + from) / 32 + i]);
        }
        int256[] memory shifts = ints(c, string.concat(matrix, ".rowShifts"));
        return packWeights(uint256(shifts[row]), scales, slice(data, row * cols + from, size));
    }

    function test_matmul() public {
        open("matmul");
        uint256 count = 0;
        for (uint256 c = 0; exists(c); ++c) {
            int256[] memory x = ints(c, ".input.values");
            int256[] memory result = ints(c, ".output.values");
            int32 base = int32(int_(c, ".input.exponent") + int_(c, ".input.matrix.exponent"));
            uint256 leaves = (x.length + 1023) / 1024;
            bytes[] memory activations = new bytes[](leaves);
            for (uint256 i = 0; i < leaves; ++i) {
                uint256 rest = x.length - 1024 * i;
                activations[i] = packActivations(x, 1024 * i, rest < 1024 ? rest : 1024);
            }
            for (uint256 o = 0; o < result.length; ++o) {
                bytes[] memory weights = matrixRow(c, o, x.length);
                Arithmetic.Claim memory claim = claimAt(result, o, int_(c, ".output.exponent"), 30);
                assertTrue(checker.matmulRow(activations, weights, base, claim), "row");
                assertTrue(!checker.matmulRow(activations, weights, base, other(claim)), "other");
                ++count;
            }
        }
        assertTrue(count >= 20, "rows");
    }

    /// @dev The long case has one constant leaf 64 times over, so it is made once.
    function matrixRow(uint256 c, uint256 row, uint256 cols)
        private
        view
        returns (bytes[] memory weights)
    {
        weights = new bytes[]((cols + 1023) / 1024);
        bool constant_ = has(c, ".input.matrix.data.repeat");
        for (uint256 i = 0; i < weights.length; ++i) {
            weights[i] = constant_ && i > 0 && cols % 1024 == 0
                ? weights[0]
                : leafOf(c, ".input.matrix", row, cols, 1024 * i);
        }
    }

    function test_embed() public {
        open("embed");
        for (uint256 c = 0; exists(c); ++c) {
            int256[] memory result = ints(c, ".output.values");
            uint256 token = uint256(int_(c, ".input.token"));
            bytes memory leaf = leafOf(c, ".input.table", token, result.length, 0);
            int32 base = int32(int_(c, ".input.table.exponent") + int_(c, ".input.residualBits"));
            for (uint256 k = 0; k < result.length; ++k) {
                int32 h = int32(result[k]);
                assertTrue(checker.embedElement(leaf, k, base, h), "element");
                assertTrue(!checker.embedElement(leaf, k, base, h ^ 1), "other element");
            }
        }
    }

    function test_rmsNorm() public {
        open("rmsNorm");
        for (uint256 c = 0; exists(c); ++c) {
            int256[] memory h = ints(c, ".input.values");
            int256[] memory gains = ints(c, ".input.gains.data");
            int32 gainExponent = int32(int_(c, ".input.gains.exponent"));
            Norm.Row memory row = normRow(c, h);
            assertTrue(checker.normPartial(packWords(h), row.shift, int64(row.squares)), "squares");
            int256[] memory result = ints(c, ".output.values");
            int256 exponent = int_(c, ".output.exponent");
            for (uint256 k = 0; k < h.length; ++k) {
                Arithmetic.Claim memory claim = claimAt(result, k, exponent, 15);
                int32 x = int32(h[k]);
                int32 g = int32(gains[k]);
                assertTrue(checker.normShift(x, row.shift, false), "shift");
                assertTrue(checker.normElement(x, g, gainExponent, row, claim), "element");
                assertTrue(
                    !checker.normElement(x, g, gainExponent, row, other(claim)), "other element"
                );
            }
        }
    }

    function normRow(uint256 c, int256[] memory h) private view returns (Norm.Row memory row) {
        uint256 length = 0;
        for (uint256 i = 0; i < h.length; ++i) {
            uint256 own = h[i].bitLength();
            if (own > length) length = own;
        }
        row.shift = length > 24 ? uint8(length - 24) : 0;
        for (uint256 i = 0; i < h.length; ++i) {
            int256 x = h[i].roundShift(int256(uint256(row.shift)));
            row.squares += uint64(uint256(x * x));
        }
        row.width = uint32(h.length);
        row.residualBits = uint8(uint256(int_(c, ".input.residualBits")));
        row.epsilonQ40 = uint64(uint256(int_(c, ".input.epsilonQ40")));
    }

    function test_bias() public {
        open("bias");
        uint256 count = 0;
        for (uint256 c = 0; exists(c); ++c) {
            int256[] memory y = ints(c, ".input.values");
            int256[] memory b = ints(c, ".input.bias.data");
            int256[] memory result = ints(c, ".output.values");
            int32 exponent = int32(int_(c, ".input.exponent"));
            int32 own = int32(int_(c, ".input.bias.exponent"));
            for (uint256 k = 0; k < y.length; ++k) {
                Arithmetic.Claim memory claim = claimAt(result, k, int_(c, ".output.exponent"), 30);
                int32 x = int32(y[k]);
                int32 v = int32(b[k]);
                assertTrue(checker.biasElement(x, exponent, v, own, claim), "element");
                assertTrue(!checker.biasElement(x, exponent, v, own, other(claim)), "other");
                ++count;
            }
        }
        assertTrue(count >= 100, "elements");
    }

    function test_headNorm() public {
        open("headNorm");
        uint256 count = 0;
        for (uint256 c = 0; exists(c); ++c) {
            int256[] memory x = ints(c, ".input.values");
            uint256 heads = uint256(int_(c, ".input.headCount"));
            for (uint256 h = 0; h < heads; ++h) {
                count += assertNormedHead(c, h, slice(x, h * (x.length / heads), x.length / heads));
            }
        }
        assertTrue(count >= 500, "elements");
    }

    function assertNormedHead(uint256 c, uint256 h, int256[] memory x)
        private
        view
        returns (uint256)
    {
        int256[] memory gains = ints(c, ".input.gains.data");
        int256[] memory result = slice(ints(c, ".output.values"), h * x.length, x.length);
        int256 exponent = int_(c, ".output.exponent");
        int32 gainExponent = int32(int_(c, ".input.gains.exponent"));
        HeadNorm.Grid memory grid = HeadNorm.Grid({
            exponent: int32(int_(c, ".input.exponent")),
            epsilonQ40: uint64(uint256(int_(c, ".input.epsilonQ40")))
        });
        bytes memory head = packWords(x);
        for (uint256 k = 0; k < x.length; ++k) {
            Arithmetic.Claim memory claim = claimAt(result, k, exponent, 30);
            int32 g = int32(gains[k]);
            assertTrue(checker.headNormElement(head, k, grid, g, gainExponent, claim), "element");
            claim = other(claim);
            assertTrue(!checker.headNormElement(head, k, grid, g, gainExponent, claim), "other");
        }
        return x.length;
    }

    function test_rope() public {
        open("rope");
        for (uint256 c = 0; exists(c); ++c) {
            int256[] memory x = ints(c, ".input.values");
            uint256 heads = uint256(int_(c, ".input.headCount"));
            for (uint256 h = 0; h < heads; ++h) {
                uint256 size = x.length / heads;
                assertRopeHead(c, h, slice(x, h * size, size));
            }
        }
    }

    function assertRopeHead(uint256 c, uint256 head, int256[] memory x) private view {
        int256[] memory steps = ints(c, ".input.steps");
        int256[] memory result = ints(c, item(".output.heads", head, ".values"));
        int256 outExponent = int_(c, item(".output.heads", head, ".exponent"));
        int32 exponent = int32(int_(c, ".input.exponent"));
        uint256 position = uint256(int_(c, ".input.position"));
        for (uint256 k = 0; k < x.length; ++k) {
            uint64 phase = uint64(position * uint256(steps[k / 2]));
            int32 a = int32(x[k & ~uint256(1)]);
            int32 b = int32(x[k | 1]);
            Arithmetic.Claim memory claim = claimAt(result, k, outExponent, 15);
            assertTrue(checker.ropeElement(a, b, exponent, phase, k % 2 == 1, claim), "element");
            claim = other(claim);
            assertTrue(!checker.ropeElement(a, b, exponent, phase, k % 2 == 1, claim), "other");
        }
    }

    function test_splitHeads() public {
        open("splitHeads");
        for (uint256 c = 0; exists(c); ++c) {
            int256[] memory x = ints(c, ".input.values");
            int32 exponent = int32(int_(c, ".input.exponent"));
            uint256 size = x.length / uint256(int_(c, ".input.headCount"));
            for (uint256 h = 0; h < x.length / size; ++h) {
                int256[] memory result = ints(c, item(".output.heads", h, ".values"));
                int256 outExponent = int_(c, item(".output.heads", h, ".exponent"));
                for (uint256 k = 0; k < size; ++k) {
                    int32 m = int32(x[h * size + k]);
                    Arithmetic.Claim memory claim = claimAt(result, k, outExponent, 15);
                    assertTrue(checker.splitElement(m, exponent, claim), "element");
                    assertTrue(!checker.splitElement(m, exponent, other(claim)), "other element");
                }
            }
        }
    }

    function test_scores() public {
        open("scores");
        for (uint256 c = 0; exists(c); ++c) {
            int256[] memory q = ints(c, ".input.query.values");
            bytes memory query = packActivations(q, 0, q.length);
            int256[] memory result = ints(c, ".output.values");
            uint32 scale = uint32(uint256(int_(c, ".input.scaleQ24")));
            for (uint256 i = 0; i < result.length; ++i) {
                int256[] memory k = ints(c, item(".input.keys", i, ".values"));
                int256 exponents = int_(c, item(".input.keys", i, ".exponent"));
                exponents += int_(c, ".input.query.exponent");
                bytes memory key = packActivations(k, 0, k.length);
                int32 score = int32(result[i]);
                int32 sum = int32(exponents);
                assertTrue(checker.scoreElement(query, key, sum, scale, score), "score");
                assertTrue(!checker.scoreElement(query, key, sum, scale, score ^ 1), "other");
            }
        }
    }

    function test_softmax() public {
        open("softmax");
        for (uint256 c = 0; exists(c); ++c) {
            int256[] memory scores = ints(c, ".input.scores");
            int256[] memory exponents = ints(c, ".input.exponents");
            int256[] memory result = ints(c, ".output.values");
            int256 outExponent = int_(c, ".output.exponent");
            int32 largest = int32(maximumOf(scores));
            int32 top = int32(maximumOf(exponents));
            int64 sum = int64(int_(c, ".output.sum"));
            assertTrue(checker.softmaxPartial(packWords(scores), largest, sum), "sum");
            for (uint256 i = 0; i < scores.length; ++i) {
                int32 s = int32(scores[i]);
                int32 e = int32(exponents[i]);
                Arithmetic.Claim memory claim = claimAt(result, i, outExponent, 30);
                assertTrue(checker.softmaxElement(s, largest, e, top, claim), "weight");
                assertTrue(!checker.softmaxElement(s, largest, e, top, other(claim)), "other");
            }
        }
    }

    function maximumOf(int256[] memory values) private pure returns (int256 largest) {
        largest = values[0];
        for (uint256 i = 1; i < values.length; ++i) {
            if (values[i] > largest) largest = values[i];
        }
    }

    function test_mix() public {
        open("mix");
        for (uint256 c = 0; exists(c); ++c) {
            int256[] memory weights = ints(c, ".input.weights.values");
            assertTrue(weights.length <= 64, "one tile");
            int256[] memory result = ints(c, ".output.values");
            int256[] memory values = new int256[](weights.length * result.length);
            for (uint256 i = 0; i < weights.length; ++i) {
                int256[] memory v = ints(c, item(".input.values", i, ".values"));
                for (uint256 d = 0; d < v.length; ++d) {
                    values[i * v.length + d] = v[d];
                }
            }
            assertMix(c, weights, values, result);
        }
    }

    function assertMix(
        uint256 c,
        int256[] memory weights,
        int256[] memory values,
        int256[] memory result
    ) private view {
        int32 base = int32(int_(c, ".input.weights.exponent"));
        int256 exponent = int_(c, ".output.exponent");
        uint256 width = result.length;
        bytes memory tile = packActivations(values, 0, values.length);
        for (uint256 d = 0; d < width; ++d) {
            int64 sum = 0;
            for (uint256 i = 0; i < weights.length; ++i) {
                sum += int64(weights[i] * values[i * width + d]);
            }
            assertTrue(checker.mixPartial(packWords(weights), tile, d, sum), "partial");
            Arithmetic.Claim memory claim = claimAt(result, d, exponent, 30);
            assertTrue(checker.sumElement(abi.encodePacked(sum), base, claim), "element");
            assertTrue(!checker.sumElement(abi.encodePacked(sum), base, other(claim)), "other");
        }
    }

    function test_joinHeads() public {
        open("joinHeads");
        for (uint256 c = 0; exists(c); ++c) {
            uint256 heads = 0;
            int256 top = type(int256).min;
            for (; has(c, item(".input.mixed", heads, "")); ++heads) {
                int256 own = headExponent(c, heads);
                if (own > top) top = own;
            }
            for (uint256 h = 0; h < heads; ++h) {
                assertJoin(c, h, int32(top));
            }
        }
    }

    /// @dev e + z - 62 of section 5.9.
    function headExponent(uint256 c, uint256 head) private view returns (int256) {
        uint256 inverse = 2 ** 62 / uint256(int_(c, item(".input.sums", head, "")));
        uint256 z = 0;
        while (inverse >> z >= 2 ** 31) ++z;
        return int_(c, item(".input.mixed", head, ".exponent")) + int256(z) - 62;
    }

    function assertJoin(uint256 c, uint256 head, int32 top) private view {
        int256[] memory mixed = ints(c, item(".input.mixed", head, ".values"));
        int32 exponent = int32(int_(c, item(".input.mixed", head, ".exponent")));
        uint64 sum = uint64(uint256(int_(c, item(".input.sums", head, ""))));
        int256[] memory result = ints(c, ".output.values");
        int256 outExponent = int_(c, ".output.exponent");
        assertTrue(checker.joinTop(exponent, sum, top, headExponent(c, head) == top), "top");
        for (uint256 k = 0; k < mixed.length; ++k) {
            Arithmetic.Claim memory claim =
                claimAt(result, head * mixed.length + k, outExponent, 15);
            int32 m = int32(mixed[k]);
            assertTrue(checker.joinElement(m, exponent, sum, top, claim), "element");
            assertTrue(!checker.joinElement(m, exponent, sum, top, other(claim)), "other element");
        }
    }

    function test_swiGlu() public {
        open("swiGlu");
        for (uint256 c = 0; exists(c); ++c) {
            int256[] memory gate = ints(c, ".input.gate.values");
            int256[] memory up = ints(c, ".input.up.values");
            int256[] memory result = ints(c, ".output.values");
            int32 gateExponent = int32(int_(c, ".input.gate.exponent"));
            int32 upExponent = int32(int_(c, ".input.up.exponent"));
            int256 exponent = int_(c, ".output.exponent");
            for (uint256 k = 0; k < gate.length; ++k) {
                int32 g = int32(gate[k]);
                int32 u = int32(up[k]);
                Arithmetic.Claim memory claim = claimAt(result, k, exponent, 15);
                assertTrue(checker.swiGluElement(g, gateExponent, u, upExponent, claim), "element");
                claim = other(claim);
                assertTrue(!checker.swiGluElement(g, gateExponent, u, upExponent, claim), "other");
            }
        }
    }

    function test_residualAdd() public {
        open("residualAdd");
        for (uint256 c = 0; exists(c); ++c) {
            int256[] memory h = ints(c, ".input.residual");
            int256[] memory row = ints(c, ".input.row.values");
            int256[] memory result = ints(c, ".output.values");
            int32 shift = int32(-int_(c, ".input.residualBits") - int_(c, ".input.row.exponent"));
            for (uint256 k = 0; k < h.length; ++k) {
                int32 x = int32(h[k]);
                int32 y = int32(row[k]);
                int32 z = int32(result[k]);
                assertTrue(checker.residualElement(x, y, shift, z), "element");
                assertTrue(!checker.residualElement(x, y, shift, z ^ 1), "other element");
            }
        }
    }

    function test_logits() public {
        open("logits");
        for (uint256 c = 0; exists(c); ++c) {
            int256[] memory row = ints(c, ".input.values");
            int256[] memory result = ints(c, ".output.values");
            int32 exponent = int32(int_(c, ".input.exponent"));
            for (uint256 k = 0; k < row.length; ++k) {
                int32 y = int32(row[k]);
                int32 z = int32(result[k]);
                assertTrue(checker.logitElement(y, exponent, z), "element");
                assertTrue(!checker.logitElement(y, exponent, z ^ 1), "other element");
            }
        }
    }
}
