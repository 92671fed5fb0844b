// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Arithmetic} from "./Arithmetic.sol";
import {IChecker} from "./IChecker.sol";
import {HeadNorm} from "./HeadNorm.sol";
import {Lanes} from "./Lanes.sol";
import {Maps} from "./Maps.sol";
import {Norm} from "./Norm.sol";
import {Sampler} from "./Sampler.sol";
import {TableData} from "./TableData.sol";

/// @title One element of one op, recomputed
/// @dev See {IChecker}. Each function is the formula of one section; the libraries hold what takes more than a line.
contract Checker is IChecker {
    using Arithmetic for int256;

    uint256 private constant A16_BITS = 15;
    uint256 private constant I30_BITS = 30;
    uint256 private constant P30_BITS = 30;
    uint256 private constant Q16_BITS = 31;
    uint256 private constant NORM_BITS = 24;
    uint256 private constant ROW_LEAVES_MAX = 64;

    /// @dev Data of {Tables}.
    address private immutable tables;

    constructor(address tables_) {
        tables = tables_;
    }

    /// @inheritdoc IChecker
    function matmulPartial(bytes calldata activations, bytes calldata weights, int64 claimed)
        external
        pure
        returns (bool)
    {
        return Lanes.dot(activations, weights) == claimed;
    }

    /// @inheritdoc IChecker
    function matmulRow(
        bytes[] calldata activations,
        bytes[] calldata weights,
        int32 base,
        Arithmetic.Claim calldata claim
    ) external pure returns (bool) {
        uint256 count = activations.length;
        if (count == 0 || count > ROW_LEAVES_MAX || weights.length != count) {
            revert Lanes.LeafMalformed(count);
        }
        int256 sum = 0;
        for (uint256 i = 0; i < count; ++i) {
            sum += Lanes.dot(activations[i], weights[i]);
        }
        return Arithmetic.isQuantised(sum, base, I30_BITS, claim);
    }

    /// @inheritdoc IChecker
    function sumElement(bytes calldata partials, int32 base, Arithmetic.Claim calldata claim)
        external
        pure
        returns (bool)
    {
        return Arithmetic.isQuantised(Maps.sumPartials(partials), base, I30_BITS, claim);
    }

    /// @inheritdoc IChecker
    function partialTotal(bytes calldata partials, int64 claimed) external pure returns (bool) {
        return Maps.sumPartials(partials) == claimed;
    }

    /// @inheritdoc IChecker
    function embedElement(bytes calldata weights, uint256 index, int32 base, int32 claimed)
        external
        pure
        returns (bool)
    {
        int256 value = Maps.weightAt(weights, index);
        return value.roundShift(-int256(base)).clamp(Q16_BITS) == claimed;
    }

    /// @inheritdoc IChecker
    function ropeElement(
        int32 first,
        int32 second,
        int32 exponent,
        uint64 phase,
        bool odd,
        Arithmetic.Claim calldata claim
    ) external view returns (bool) {
        (int256 cos, int256 sin) = TableData.cosSin(tables, phase);
        int256 value = odd ? first * sin + second * cos : first * cos - second * sin;
        return Arithmetic.isQuantised(value, int256(exponent) - 30, A16_BITS, claim);
    }

    /// @inheritdoc IChecker
    function splitElement(int32 mantissa, int32 exponent, Arithmetic.Claim calldata claim)
        external
        pure
        returns (bool)
    {
        return Arithmetic.isQuantised(mantissa, exponent, A16_BITS, claim);
    }

    /// @inheritdoc IChecker
    function swiGluElement(
        int32 gate,
        int32 gateExponent,
        int32 up,
        int32 upExponent,
        Arithmetic.Claim calldata claim
    ) external view returns (bool) {
        int256 value = Maps.swiGlu(TableData.loadPowers(tables), gate, gateExponent, up);
        return Arithmetic.isQuantised(value, int256(upExponent) - 16, A16_BITS, claim);
    }

    /// @inheritdoc IChecker
    function residualElement(int32 residual, int32 row, int32 shift, int32 claimed)
        external
        pure
        returns (bool)
    {
        int256 sum = residual + int256(row).roundShift(shift);
        return sum.clamp(Q16_BITS) == claimed;
    }

    /// @inheritdoc IChecker
    function logitElement(int32 row, int32 exponent, int32 claimed) external pure returns (bool) {
        return int256(row).roundShift(-16 - int256(exponent)).clamp(Q16_BITS) == claimed;
    }

    /// @inheritdoc IChecker
    function biasElement(
        int32 row,
        int32 exponent,
        int32 bias,
        int32 biasExponent,
        Arithmetic.Claim calldata claim
    ) external pure returns (bool) {
        int256 grid =
            int256(exponent > biasExponent ? exponent : biasExponent) - 30;
        int256 sum =
            int256(row).roundShift(grid - exponent) + int256(bias).roundShift(grid - biasExponent);
        return Arithmetic.isQuantised(sum, grid, I30_BITS, claim);
    }

    /// @inheritdoc IChecker
    function headNormElement(
        bytes calldata head,
        uint256 index,
        HeadNorm.Grid calldata grid,
        int32 gain,
        int32 gainExponent,
        Arithmetic.Claim calldata claim
    ) external pure returns (bool) {
        int256 value = HeadNorm.value(head, index, gain, grid);
        return Arithmetic.isQuantised(value, int256(gainExponent) - 24, I30_BITS, claim);
    }

    /// @inheritdoc IChecker
    function normShift(int32 residual, uint8 shift, bool witness) external pure returns (bool) {
        return Arithmetic.isShift(residual, int256(uint256(shift)), NORM_BITS, witness);
    }

    /// @inheritdoc IChecker
    function normPartial(bytes calldata residual, uint8 shift, int64 claimed)
        external
        pure
        returns (bool)
    {
        return int256(Norm.sumSquares(residual, shift)) == claimed;
    }

    /// @inheritdoc IChecker
    function normElement(
        int32 residual,
        int32 gain,
        int32 gainExponent,
        Norm.Row calldata row,
        Arithmetic.Claim calldata claim
    ) external pure returns (bool) {
        int256 value = Norm.value(residual, gain, row);
        return Arithmetic.isQuantised(value, int256(gainExponent) - 24, A16_BITS, claim);
    }

    /// @inheritdoc IChecker
    function scoreElement(
        bytes calldata query,
        bytes calldata key,
        int32 exponents,
        uint32 scaleQ24,
        int32 claimed
    ) external pure returns (bool) {
        int256 product = Lanes.dotHeads(query, key) * int256(uint256(scaleQ24));
        return product.roundShift(8 - int256(exponents)).clamp(Q16_BITS) == claimed;
    }

    /// @inheritdoc IChecker
    function maximum(int32 value, int32 claimed, bool witness) external pure returns (bool) {
        return witness ? value == claimed : value <= claimed;
    }

    /// @inheritdoc IChecker
    function softmaxPartial(bytes calldata scores, int32 largest, int64 claimed)
        external
        view
        returns (bool)
    {
        uint256 sum = Maps.sumPowers(TableData.loadPowers(tables), scores, largest);
        return int256(sum) == claimed;
    }

    /// @inheritdoc IChecker
    function softmaxElement(
        int32 score,
        int32 largest,
        int32 valueExponent,
        int32 top,
        Arithmetic.Claim calldata claim
    ) external view returns (bool) {
        uint256 powers = TableData.loadPowers(tables);
        int256 folded = Maps.foldedPower(powers, score, largest, valueExponent, top);
        int256 shift = int256(claim.exponent) - (int256(top) - 16);
        if (!Arithmetic.isShift(folded, shift, P30_BITS, claim.witness)) return false;
        return folded.roundShift(shift).clamp(P30_BITS) == claim.mantissa;
    }

    /// @inheritdoc IChecker
    function mixPartial(bytes calldata weights, bytes calldata tile, uint256 column, int64 claimed)
        external
        pure
        returns (bool)
    {
        return Lanes.dotColumn(weights, tile, column) == claimed;
    }

    /// @inheritdoc IChecker
    function joinTop(int32 exponent, uint64 sum, int32 top, bool witness)
        external
        pure
        returns (bool)
    {
        (, int256 added) = Maps.inverseSum(sum);
        int256 own = exponent + added;
        return witness ? own == top : own <= top;
    }

    /// @inheritdoc IChecker
    function joinElement(
        int32 mixed,
        int32 exponent,
        uint64 sum,
        int32 top,
        Arithmetic.Claim calldata claim
    ) external pure returns (bool) {
        (int256 factor, int256 added) = Maps.inverseSum(sum);
        int256 value = (mixed * factor).roundShift(top - (exponent + added));
        return Arithmetic.isQuantised(value, top, A16_BITS, claim);
    }

    /// @inheritdoc IChecker
    function samplePartial(
        bytes calldata logits,
        uint32 first,
        Sampler.Settings calldata settings,
        Sampler.Row calldata row,
        Sampler.Sums calldata claimed
    ) external view returns (bool) {
        uint256 powers = TableData.loadPowers(tables);
        Sampler.Sums memory sums = Sampler.partialSums(powers, logits, first, settings, row);
        return sums.rankCount == claimed.rankCount && sums.rankSum == claimed.rankSum
            && sums.shareSum == claimed.shareSum;
    }

    /// @inheritdoc IChecker
    function sampleRow(
        Sampler.Settings calldata settings,
        Sampler.Row calldata row,
        Sampler.Sums calldata total
    ) external view returns (bool) {
        return Sampler.cutsAreRight(TableData.loadPowers(tables), settings, row, total);
    }

    /// @inheritdoc IChecker
    function sampleToken(
        Sampler.Settings calldata settings,
        Sampler.Row calldata row,
        bytes32 seed,
        uint32 position,
        Sampler.Token calldata chosen,
        Sampler.Token calldata other
    ) external view returns (bool) {
        uint256 powers = TableData.loadPowers(tables);
        if (!Sampler.isKept(powers, settings, row, chosen)) return false;
        if (!Sampler.isKept(powers, settings, row, other)) return true;
        return !Sampler.isBetter(settings.tau, seed, position, other, chosen);
    }
}
