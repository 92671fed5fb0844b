// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Arithmetic} from "./Arithmetic.sol";
import {Descriptor} from "./Descriptor.sol";
import {Fields} from "./Fields.sol";
import {HeadNorm} from "./HeadNorm.sol";
import {IChecker} from "./IChecker.sol";
import {Judge} from "./Judge.sol";
import {Kinds} from "./Kinds.sol";
import {Layout} from "./Layout.sol";
import {Norm} from "./Norm.sol";

/// @title Judge of ops that reduce a row before they map it
/// @notice Normalisation and softmax: F3, F4, F7 of docs/reference/court.md.
contract RowJudge is Judge {
    using Fields for bytes;

    /// @dev Facts of a normalised row: exponent, witness, pre-shift u8, its witness u32, then sums of u64.
    uint256 private constant SHIFT_AT = 6;
    uint256 private constant SHIFT_WITNESS_AT = 7;
    uint256 private constant SQUARES_AT = 11;

    constructor(IChecker checker, bytes32 tablesRoot) Judge(checker, tablesRoot) {}

    function _isGuilty(Case calldata case_, uint8 kind, Proof calldata proof)
        internal
        view
        override
        returns (bool)
    {
        if (kind == Kinds.NORM_ELEMENT) return _normElement(case_, proof);
        if (kind == Kinds.NORM_SHIFT) return _normShift(case_, proof);
        if (kind == Kinds.NORM_PARTIAL) return _normPartial(case_, proof);
        if (kind == Kinds.SOFTMAX_ELEMENT) return _softmaxElement(case_, proof);
        if (kind == Kinds.SOFTMAX_LARGEST) return _softmaxLargest(case_, proof);
        if (kind == Kinds.SOFTMAX_TOP) return _softmaxTop(case_, proof);
        if (kind == Kinds.SOFTMAX_PARTIAL) return _softmaxPartial(case_, proof);
        if (kind == Kinds.HEAD_NORM_ELEMENT) return _headNormElement(case_, proof);
        revert KindUnknown(kind);
    }

    // NORMALISATION, 5.2

    function _normElement(Case calldata case_, Proof calldata proof) private view returns (bool) {
        Site memory site = _enter(case_, proof, Descriptor.RMS_NORM);
        uint256 k = proof.index;
        int32 residual = _residual(site, proof);
        bytes calldata facts = _normFacts(site, proof);
        int32 mantissa = _element(site.here, site.row, 0, k, proof.rows, 2);
        Arithmetic.Claim memory claim = _claim(facts, 0, mantissa, k);
        int32 gain = _vectorElement(case_, site, k, proof, 0);
        int32 gainExponent = _weightExponent(case_, site, proof, 1);
        Norm.Row memory row = _normRow(site, facts);
        bytes memory question =
            abi.encodeCall(IChecker.normElement, (residual, gain, gainExponent, row, claim));
        return _isWrong(question, 11, facts, 0, k);
    }

    function _normRow(Site memory site, bytes calldata facts)
        private
        pure
        returns (Norm.Row memory row)
    {
        row.squares = _total(facts, SQUARES_AT);
        // SAFETY: the checker refuses what lies beyond its bounds, and a model within them fits these types.
        row.residualBits = uint8(int8(site.node.parameters[0]));
        row.epsilonQ40 = uint64(int64(site.node.parameters[1]));
        row.width = uint32(site.row.size);
        row.shift = uint8(facts.unsigned(SHIFT_AT, 1));
    }

    /// @dev The row names the lowest element that forces its pre-shift.
    function _normShift(Case calldata case_, Proof calldata proof) private view returns (bool) {
        Site memory site = _enter(case_, proof, Descriptor.RMS_NORM);
        int32 residual = _residual(site, proof);
        bytes calldata facts = _normFacts(site, proof);
        uint8 shift = uint8(facts.unsigned(SHIFT_AT, 1));
        uint256 named = facts.unsigned(SHIFT_WITNESS_AT, 4);
        if (!_isRight(abi.encodeCall(IChecker.normShift, (residual, shift, proof.index == named)))) return true;
        return proof.index < named
            && _isRight(abi.encodeCall(IChecker.normShift, (residual, shift, true)));
    }

    function _normPartial(Case calldata case_, Proof calldata proof) private view returns (bool) {
        Site memory site = _enter(case_, proof, Descriptor.RMS_NORM);
        Layout.Row memory input = Layout.fixedWords(site.node.inputs[0], 0);
        bytes calldata residual = _run(site.here, input, 0, proof.part, proof.rows, 0);
        bytes calldata facts = _normFacts(site, proof);
        uint8 shift = uint8(facts.unsigned(SHIFT_AT, 1));
        int64 claimed = _sumAt(facts, SQUARES_AT, proof.part);
        return !_isRight(abi.encodeCall(IChecker.normPartial, (residual, shift, claimed)));
    }

    function _residual(Site memory site, Proof calldata proof) private view returns (int32) {
        Layout.Row memory input = Layout.fixedWords(site.node.inputs[0], 0);
        return _element(site.here, input, 0, proof.index, proof.rows, 0);
    }

    function _normFacts(Site memory site, Proof calldata proof)
        private
        view
        returns (bytes calldata)
    {
        uint256 length = SQUARES_AT + Layout.SUM_BYTES * Layout.parts(site.row.size);
        return _facts(site.here, site.row, 0, length, proof.rows, 1);
    }

    /// @dev 5.14, with the whole head in hand.
    function _headNormElement(Case calldata case_, Proof calldata proof)
        private
        view
        returns (bool)
    {
        Site memory site = _enter(case_, proof, Descriptor.HEAD_NORM);
        uint256 k = proof.index;
        uint256 place = k % site.node.weight.cols;
        bytes calldata head = _head(site, proof, k - place);
        HeadNorm.Grid memory grid = _grid(site, proof);
        bytes calldata facts = _facts(site.here, site.row, 0, QUANTISED_BYTES, proof.rows, 2);
        int32 mantissa = _element(site.here, site.row, 0, k, proof.rows, 3);
        Arithmetic.Claim memory claim = _claim(facts, 0, mantissa, k);
        int32 gain = _vectorElement(case_, site, place, proof, 0);
        int32 exponent = _weightExponent(case_, site, proof, 1);
        bytes memory question =
            abi.encodeCall(IChecker.headNormElement, (head, place, grid, gain, exponent, claim));
        return _isWrong(question, 9, facts, 0, k);
    }

    /// @dev As many elements of the input as there are gains, from `from` on.
    function _head(Site memory site, Proof calldata proof, uint256 from)
        private
        view
        returns (bytes calldata)
    {
        Layout.Row memory input = Layout.words(site.node.inputs[0], 0);
        uint256 size = site.node.weight.cols;
        Layout.Spot memory spot = Layout.span(input, from, size);
        uint256 leafBytes = Layout.LEAF_ELEMENTS * Layout.WORD_BYTES;
        bytes calldata data = _open(site.here, input, spot, leafBytes, proof.rows, 0);
        return data[spot.offset:spot.offset + Layout.WORD_BYTES * size];
    }

    function _grid(Site memory site, Proof calldata proof)
        private
        view
        returns (HeadNorm.Grid memory)
    {
        Layout.Row memory input = Layout.words(site.node.inputs[0], 0);
        // SAFETY: a model keeps epsilon within 2^34, and the checker refuses what lies beyond.
        uint64 epsilonQ40 = uint64(int64(site.node.parameters[1]));
        return HeadNorm.Grid(_exponent(site.here, input, 0, proof.rows, 1), epsilonQ40);
    }

    // SOFTMAX, 5.7

    function _softmaxElement(Case calldata case_, Proof calldata proof)
        private
        view
        returns (bool)
    {
        Site memory site = _enter(case_, proof, Descriptor.SOFTMAX);
        int32 score = _score(site, proof);
        bytes calldata facts = _softmaxFacts(site, proof, 1);
        int32 mantissa = _element(site.here, site.row, proof.head, proof.index, proof.rows, 2);
        int32 valueExponent = _valueExponent(case_, site, proof, 3);
        uint256 offset = Layout.SOFTMAX_EXPONENT_AT;
        Arithmetic.Claim memory claim = _claim(facts, offset, mantissa, proof.index);
        int32 largest = int32(facts.signed(0, 4));
        int32 top = _exponentAt(facts, Layout.SOFTMAX_TOP_AT);
        bytes memory question =
            abi.encodeCall(IChecker.softmaxElement, (score, largest, valueExponent, top, claim));
        return _isWrong(question, 7, facts, offset, proof.index);
    }

    /// @dev The largest score; the row names its lowest position.
    function _softmaxLargest(Case calldata case_, Proof calldata proof)
        private
        view
        returns (bool)
    {
        Site memory site = _enter(case_, proof, Descriptor.SOFTMAX);
        int32 score = _score(site, proof);
        bytes calldata facts = _softmaxFacts(site, proof, 1);
        return _isMaximumWrong(score, facts.signed(0, 4), facts.unsigned(4, 4), proof.index);
    }

    /// @dev The largest exponent of the values read; the row names its lowest position.
    function _softmaxTop(Case calldata case_, Proof calldata proof) private view returns (bool) {
        Site memory site = _enter(case_, proof, Descriptor.SOFTMAX);
        bytes calldata facts = _softmaxFacts(site, proof, 0);
        if (proof.index >= site.row.size) {
            revert Layout.NumberOutOfRange(proof.index, site.row.size);
        }
        int32 exponent = _valueExponent(case_, site, proof, 1);
        uint256 offset = Layout.SOFTMAX_TOP_AT;
        return _isMaximumWrong(
            exponent, facts.signed(offset, 2), facts.unsigned(offset + 2, 4), proof.index
        );
    }

    function _isMaximumWrong(int32 value, int256 claimed, uint256 named, uint256 index)
        private
        view
        returns (bool)
    {
        // SAFETY: at most four bytes.
        if (!_isRight(abi.encodeCall(IChecker.maximum, (value, int32(claimed), index == named)))) {
            return true;
        }
        return
            index < named
                && _isRight(abi.encodeCall(IChecker.maximum, (value, int32(claimed), true)));
    }

    function _softmaxPartial(Case calldata case_, Proof calldata proof)
        private
        view
        returns (bool)
    {
        Site memory site = _enter(case_, proof, Descriptor.SOFTMAX);
        Layout.Row memory input = Layout.fixedWords(site.node.inputs[0], proof.position);
        bytes calldata scores = _run(site.here, input, proof.head, proof.part, proof.rows, 0);
        bytes calldata facts = _softmaxFacts(site, proof, 1);
        int64 claimed = _sumAt(facts, Layout.SOFTMAX_SUMS_AT, proof.part);
        return !_isRight(
            abi.encodeCall(IChecker.softmaxPartial, (scores, int32(facts.signed(0, 4)), claimed))
        );
    }

    function _score(Site memory site, Proof calldata proof) private view returns (int32) {
        Layout.Row memory input = Layout.fixedWords(site.node.inputs[0], proof.position);
        return _element(site.here, input, proof.head, proof.index, proof.rows, 0);
    }

    function _softmaxFacts(Site memory site, Proof calldata proof, uint256 number)
        private
        view
        returns (bytes calldata)
    {
        uint256 length = Layout.softmaxFacts(proof.position);
        return _facts(site.here, site.row, proof.head, length, proof.rows, number);
    }

    /// @dev e_v of the position that the proof names, for the head of values that the judged head reads.
    function _valueExponent(
        Case calldata case_,
        Site memory site,
        Proof calldata proof,
        uint256 number
    ) private view returns (int32) {
        Descriptor.Tensor memory values = site.node.inputs[1];
        uint256 head = Layout.sharedHead(proof.head, site.row.heads, values.heads);
        Place memory there = _place(case_, site, proof, 1, proof.index);
        return _exponent(there, Layout.activations(values), head, proof.rows, number);
    }

    /// @dev Sum number `part` of those that begin at `offset`.
    function _sumAt(bytes calldata facts, uint256 offset, uint256 part)
        private
        pure
        returns (int64)
    {
        // SAFETY: eight bytes; one beyond the range of int64 becomes negative, which no sum is.
        return int64(facts.signed(offset + Layout.SUM_BYTES * part, Layout.SUM_BYTES));
    }
}
