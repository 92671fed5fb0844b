// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Arithmetic} from "./Arithmetic.sol";
import {HeadNorm} from "./HeadNorm.sol";
import {Norm} from "./Norm.sol";
import {Sampler} from "./Sampler.sol";

/// @title One element of one op, recomputed
/// @notice Every function takes what an op reads, and what somebody claims that it gives, and says whether that is
/// right. Nothing is stored and nobody has a role: a court opens leaves under committed roots, hands them over, and
/// acts on the answer. Section numbers are those of docs/reference/arithmetic.md.
///
/// What long rows add up is claimed in parts, so that no proof grows with a row: a partial sum per 1,024 columns (64
/// positions for a tile of values), then their total. A row's shared exponent is checked through single elements:
/// none may need a larger one, and the one that the row names as its witness must need it ({Arithmetic.isQuantised}).
///
/// Bytes: mantissas of A16 are stored + 32,768 in 2 bytes, weights + 128 in lane order, I30, H, Q16 and P30 as 4 bytes,
/// partial sums as 8 bytes; all big-endian, all but those with an offset in two's complement.
///
/// INVARIANT: for inputs within the formats' bounds, the honest claim is right and every other claim is wrong.
interface IChecker {
    // --- Sums ------------------------------------------------------------------------------------------------------

    /// @notice 5.3 What one leaf of a matrix adds to one element: 2^r * sum of s * (sum of w * x).
    /// @param activations A16 [K'], K' = 32, 64, .. 1,024
    /// @param weights W8 leaf: r (1 byte), s (2 bytes each), w + 128 in lane order
    /// @param claimed below 2^55
    function matmulPartial(bytes calldata activations, bytes calldata weights, int64 claimed)
        external
        pure
        returns (bool right);

    /// @notice 5.3 One element of a row in one go, for whoever does not want to wait for partial sums.
    /// @param activations one entry per leaf, 1 to 64
    /// @param base exponent of the activations plus exponent of the matrix
    function matmulRow(
        bytes[] calldata activations,
        bytes[] calldata weights,
        int32 base,
        Arithmetic.Claim calldata claim
    ) external pure returns (bool right);

    /// @notice 5.3, 5.8 The element whose partial sums are given: their total with exponent `base`, stored as I30.
    /// @param partials 1 to 64 sums of 8 bytes; beyond 4,096 positions, 5.8 adds up totals of tiles ({partialTotal})
    /// @param base 5.3: exponent of the activations plus exponent of the matrix; 5.8: exponent of the weights
    function sumElement(bytes calldata partials, int32 base, Arithmetic.Claim calldata claim)
        external
        pure
        returns (bool right);

    /// @notice A claimed total of up to 64 claimed parts; sums over more positions are trees of these.
    function partialTotal(bytes calldata partials, int64 claimed) external pure returns (bool right);

    // --- Rows: embed, rope, splitHeads, swiGlu, residualAdd, logits, bias, headNorm ----------------------------------

    /// @notice 5.1 One element of the token's row.
    /// @param weights W8 leaf that holds it
    /// @param index of the element in the leaf
    /// @param base exponent of the table plus residual bits
    function embedElement(bytes calldata weights, uint256 index, int32 base, int32 claimed)
        external
        pure
        returns (bool right);

    /// @notice 5.4 One element of a rotated pair.
    /// @param first I30 element 2i of the head
    /// @param second I30 element 2i + 1
    /// @param exponent of the row
    /// @param phase (position * step(i)) mod 2^64
    /// @param odd True for element 2i + 1 of the result
    function ropeElement(
        int32 first,
        int32 second,
        int32 exponent,
        uint64 phase,
        bool odd,
        Arithmetic.Claim calldata claim
    ) external view returns (bool right);

    /// @notice 5.5 One element of a head, I30 to A16.
    function splitElement(int32 mantissa, int32 exponent, Arithmetic.Claim calldata claim)
        external
        pure
        returns (bool right);

    /// @notice 5.10 gate * sigmoid(gate) * up, A16.
    function swiGluElement(
        int32 gate,
        int32 gateExponent,
        int32 up,
        int32 upExponent,
        Arithmetic.Claim calldata claim
    ) external view returns (bool right);

    /// @notice 5.11 One element of the residual stream.
    /// @param shift -hg - exponent of the row
    function residualElement(int32 residual, int32 row, int32 shift, int32 claimed)
        external
        pure
        returns (bool right);

    /// @notice 5.12 One logit.
    function logitElement(int32 row, int32 exponent, int32 claimed)
        external
        pure
        returns (bool right);

    /// @notice 5.13 One element of a row plus a vector, I30.
    function biasElement(
        int32 row,
        int32 exponent,
        int32 bias,
        int32 biasExponent,
        Arithmetic.Claim calldata claim
    ) external pure returns (bool right);

    /// @notice 5.14 One element of a normalised head, I30.
    /// @param head I30 [D], 4 bytes each, D <= 256
    /// @param index of the element in the head
    /// @param grid exponent of the row, and epsilon
    function headNormElement(
        bytes calldata head,
        uint256 index,
        HeadNorm.Grid calldata grid,
        int32 gain,
        int32 gainExponent,
        Arithmetic.Claim calldata claim
    ) external pure returns (bool right);

    // --- rmsNorm -----------------------------------------------------------------------------------------------------

    /// @notice 5.2 sh, as far as one element shows it.
    function normShift(int32 residual, uint8 shift, bool witness) external pure returns (bool right);

    /// @notice 5.2 Sum of h'^2 over one leaf.
    /// @param residual H, 1 to 1,024 elements of 4 bytes
    function normPartial(bytes calldata residual, uint8 shift, int64 claimed)
        external
        pure
        returns (bool right);

    /// @notice 5.2 One element, A16.
    /// @param row what is claimed of the whole row
    function normElement(
        int32 residual,
        int32 gain,
        int32 gainExponent,
        Norm.Row calldata row,
        Arithmetic.Claim calldata claim
    ) external pure returns (bool right);

    // --- Attention ---------------------------------------------------------------------------------------------------

    /// @notice 5.6 One score.
    /// @param query A16 [D], D <= 256
    /// @param key A16 [D]
    /// @param exponents of the query plus of the key
    function scoreElement(
        bytes calldata query,
        bytes calldata key,
        int32 exponents,
        uint32 scaleQ24,
        int32 claimed
    ) external pure returns (bool right);

    /// @notice A claimed maximum, as far as one of its values shows it: the largest score, the top exponent.
    /// @param witness True if the claim names this value as the largest.
    function maximum(int32 value, int32 claimed, bool witness) external pure returns (bool right);

    /// @notice 5.7 Sum of exp2n(largest - score) over up to 1,024 scores of 4 bytes.
    function softmaxPartial(bytes calldata scores, int32 largest, int64 claimed)
        external
        view
        returns (bool right);

    /// @notice 5.7 One weight, P30.
    /// @param valueExponent e_v of its position
    /// @param top largest e_v
    function softmaxElement(
        int32 score,
        int32 largest,
        int32 valueExponent,
        int32 top,
        Arithmetic.Claim calldata claim
    ) external view returns (bool right);

    /// @notice 5.8 Sum of P * v over up to 64 positions for one column of a tile.
    /// @param weights P30, 4 bytes per position
    /// @param tile A16, position after position, 1 to 32 columns
    function mixPartial(bytes calldata weights, bytes calldata tile, uint256 column, int64 claimed)
        external
        pure
        returns (bool right);

    /// @notice 5.9 The exponent to which all heads are aligned, as far as one head shows it.
    /// @param exponent of the head
    /// @param sum S of the head
    function joinTop(int32 exponent, uint64 sum, int32 top, bool witness)
        external
        pure
        returns (bool right);

    /// @notice 5.9 One element, A16.
    function joinElement(
        int32 mixed,
        int32 exponent,
        uint64 sum,
        int32 top,
        Arithmetic.Claim calldata claim
    ) external pure returns (bool right);

    // --- Sampling ----------------------------------------------------------------------------------------------------

    /// @notice 7.3, 7.4 What up to 1,024 logits add to the sizes that fix top-k and top-p.
    /// @param logits Q16, 4 bytes each
    /// @param first id of the first one
    function samplePartial(
        bytes calldata logits,
        uint32 first,
        Sampler.Settings calldata settings,
        Sampler.Row calldata row,
        Sampler.Sums calldata claimed
    ) external view returns (bool right);

    /// @notice 7.3, 7.4 The cuts of a row, given the totals of all parts; the largest logit is judged by {maximum}.
    function sampleRow(
        Sampler.Settings calldata settings,
        Sampler.Row calldata row,
        Sampler.Sums calldata total
    ) external view returns (bool right);

    /// @notice 7 The token that was chosen, as far as one other token shows it: wrong if it is not kept itself, or if
    /// the other one is kept and better.
    /// @param position of the chosen token, over prompt and answer
    function sampleToken(
        Sampler.Settings calldata settings,
        Sampler.Row calldata row,
        bytes32 seed,
        uint32 position,
        Sampler.Token calldata chosen,
        Sampler.Token calldata other
    ) external view returns (bool right);
}
