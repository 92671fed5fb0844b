// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Arithmetic} from "./Arithmetic.sol";
import {Descriptor} from "./Descriptor.sol";
import {Fields} from "./Fields.sol";
import {IChecker} from "./IChecker.sol";
import {Judge} from "./Judge.sol";
import {Kinds} from "./Kinds.sol";
import {Lanes} from "./Lanes.sol";
import {Layout} from "./Layout.sol";

/// @title Judge of sums of products
/// @notice Embedding, matrices, scores, mixes and the tiles that mixes read: F1, F2, F5, F6, F9 of
/// docs/reference/court.md.
contract LinearJudge is Judge {
    using Fields for bytes;

    constructor(IChecker checker, bytes32 tablesRoot) Judge(checker, tablesRoot) {}

    function _isGuilty(Case calldata case_, uint8 kind, Proof calldata proof)
        internal
        view
        override
        returns (bool)
    {
        if (kind == Kinds.EMBED_ELEMENT) return _embedElement(case_, proof);
        if (kind == Kinds.MATMUL_ELEMENT) return _matmulElement(case_, proof);
        if (kind == Kinds.MATMUL_SUM) return _matmulSum(case_, proof);
        if (kind == Kinds.MATMUL_PARTIAL) return _matmulPartial(case_, proof);
        if (kind == Kinds.SCORE_ELEMENT) return _scoreElement(case_, proof);
        if (kind == Kinds.MIX_ELEMENT) return _mixElement(case_, proof);
        if (kind == Kinds.MIX_PARTIAL) return _mixPartial(case_, proof);
        if (kind == Kinds.TILE) return _tile(case_, proof);
        if (kind == Kinds.BIAS_ELEMENT) return _biasElement(case_, proof);
        revert KindUnknown(kind);
    }

    /// @dev 5.1
    function _embedElement(Case calldata case_, Proof calldata proof) private view returns (bool) {
        Site memory site = _enter(case_, proof, Descriptor.EMBED);
        uint256 k = proof.index;
        int32 claimed = _element(site.here, site.row, 0, k, proof.rows, 0);
        uint256 token = _tokenAt(case_, proof.position, proof, 2);
        uint256 part = k / Layout.PART_ELEMENTS;
        bytes calldata weights = _weightPart(case_, site, token, part, proof, 0);
        int32 base = _weightExponent(case_, site, proof, 1) + int32(site.node.parameters[0]);
        return !_isRight(
            abi.encodeCall(
                IChecker.embedElement, (weights, k % Layout.PART_ELEMENTS, base, claimed)
            )
        );
    }

    /// @dev 5.3, rows of one part.
    function _matmulElement(Case calldata case_, Proof calldata proof) private view returns (bool) {
        Site memory site = _enter(case_, proof, Descriptor.MATMUL);
        uint256 cols = site.node.weight.cols;
        if (site.row.items != 0) revert Layout.NumberOutOfRange(cols, Layout.PART_ELEMENTS);
        Layout.Row memory input = Layout.activations(site.node.inputs[0]);
        bytes[] memory activations = new bytes[](1);
        bytes[] memory weights = new bytes[](1);
        activations[0] = _run(site.here, input, 0, 0, proof.rows, 0);
        weights[0] = _weightPart(case_, site, proof.index, 0, proof, 0);
        int32 base =
            _weightExponent(case_, site, proof, 1) + _exponent(site.here, input, 0, proof.rows, 1);
        bytes calldata facts = _facts(site.here, site.row, 0, QUANTISED_BYTES, proof.rows, 2);
        int32 mantissa = _element(site.here, site.row, 0, proof.index, proof.rows, 3);
        Arithmetic.Claim memory claim = _claim(facts, 0, mantissa, proof.index);
        bytes memory question =
            abi.encodeCall(IChecker.matmulRow, (activations, weights, base, claim));
        return _isWrong(question, 6, facts, 0, proof.index);
    }

    /// @dev 5.3, the total of the parts of longer rows.
    function _matmulSum(Case calldata case_, Proof calldata proof) private view returns (bool) {
        Site memory site = _enter(case_, proof, Descriptor.MATMUL);
        bytes calldata partials = _sums(site, proof.index, proof, 0);
        Layout.Row memory input = Layout.activations(site.node.inputs[0]);
        int32 base =
            _weightExponent(case_, site, proof, 0) + _exponent(site.here, input, 0, proof.rows, 1);
        return _isSumWrong(site, proof, 0, partials, base);
    }

    /// @dev The element that partial sums add up to; its facts are opening 2, its leaf opening 3.
    function _isSumWrong(
        Site memory site,
        Proof calldata proof,
        uint256 head,
        bytes calldata partials,
        int32 base
    ) private view returns (bool) {
        bytes calldata facts = _facts(site.here, site.row, head, QUANTISED_BYTES, proof.rows, 2);
        int32 mantissa = _element(site.here, site.row, head, proof.index, proof.rows, 3);
        Arithmetic.Claim memory claim = _claim(facts, 0, mantissa, proof.index);
        bytes memory question = abi.encodeCall(IChecker.sumElement, (partials, base, claim));
        return _isWrong(question, 5, facts, 0, proof.index);
    }

    /// @dev 5.3, one part. The longest reading of all, so the sum is made here and not copied to the checker.
    function _matmulPartial(Case calldata case_, Proof calldata proof) private view returns (bool) {
        Site memory site = _enter(case_, proof, Descriptor.MATMUL);
        Layout.Row memory input = Layout.activations(site.node.inputs[0]);
        bytes calldata activations = _run(site.here, input, 0, proof.part, proof.rows, 0);
        int64 claimed = _partial(_sums(site, proof.index, proof, 1), proof.part);
        bytes calldata weights = _weightPart(case_, site, proof.index, proof.part, proof, 0);
        return Lanes.dot(activations, weights) != claimed;
    }

    /// @dev 5.6
    function _scoreElement(Case calldata case_, Proof calldata proof) private view returns (bool) {
        Site memory site = _enter(case_, proof, Descriptor.SCORES);
        uint256 head = proof.head;
        Layout.Row memory row = Layout.activations(site.node.inputs[0]);
        bytes calldata query = _run(site.here, row, head, 0, proof.rows, 0);
        int32 exponents = _exponent(site.here, row, head, proof.rows, 1);
        int32 claimed = _element(site.here, site.row, head, proof.index, proof.rows, 2);

        Place memory there = _place(case_, site, proof, 1, proof.index);
        head = Layout.sharedHead(head, row.heads, site.node.inputs[1].heads);
        row = Layout.activations(site.node.inputs[1]);
        bytes calldata key = _run(there, row, head, 0, proof.rows, 3);
        exponents += _exponent(there, row, head, proof.rows, 4);
        uint32 scale = uint32(int32(site.node.parameters[0]));
        return
            !_isRight(
                abi.encodeCall(IChecker.scoreElement, (query, key, exponents, scale, claimed))
            );
    }

    /// @dev 5.8, the total of all blocks.
    function _mixElement(Case calldata case_, Proof calldata proof) private view returns (bool) {
        Site memory site = _enter(case_, proof, Descriptor.MIX);
        uint256 head = proof.head;
        bytes calldata partials = _sums(site, head * site.row.size + proof.index, proof, 0);
        Layout.Row memory weights = Layout.words(site.node.inputs[0], proof.position);
        uint256 length = Layout.softmaxFacts(proof.position);
        bytes calldata facts = _facts(site.here, weights, head, length, proof.rows, 1);
        int32 base = _exponentAt(facts, Layout.SOFTMAX_EXPONENT_AT);
        return _isSumWrong(site, proof, head, partials, base);
    }

    /// @dev 5.8, one block of 64 positions. The tile is that of the block's last position; of the block in which the
    /// judged position stands, only the part before it is read.
    function _mixPartial(Case calldata case_, Proof calldata proof) private view returns (bool) {
        Site memory site = _enter(case_, proof, Descriptor.MIX);
        Layout.Row memory row = Layout.words(site.node.inputs[0], proof.position);
        uint256 from = Layout.TILE_POSITIONS * uint256(proof.part);
        (bytes calldata weights,) = _leaf(site.here, row, proof.head, from, proof.rows, 0);
        uint256 item = uint256(proof.head) * site.row.size + proof.index;
        int64 claimed = _partial(_sums(site, item, proof, 1), proof.part);
        (bytes calldata tile, uint256 stride, uint256 column) = _tileOf(case_, site, proof);
        tile = tile[:stride * (weights.length / Layout.WORD_BYTES)];
        return !_isRight(abi.encodeCall(IChecker.mixPartial, (weights, tile, column, claimed)));
    }

    /// @dev The tile of block `part` that holds column `index` of the values of head `head`.
    function _tileOf(Case calldata case_, Site memory site, Proof calldata proof)
        private
        view
        returns (bytes calldata tile, uint256 stride, uint256 column)
    {
        uint256 closing = Layout.closing(proof.part, site.count);
        Descriptor.Tensor memory values = site.node.inputs[1];
        uint256 head = Layout.sharedHead(proof.head, site.row.heads, values.heads);
        Layout.Row memory row = Layout.own(site.node, closing, case_.sampler);
        Layout.Spot memory spot;
        (spot, stride) = Layout.tile(row, values, closing, head, proof.index);
        column = spot.offset / Layout.A16_BYTES;
        Place memory there = _place(case_, site, proof, 1, closing);
        tile = _open(there, row, spot, spot.length, proof.rows, 2);
    }

    /// @dev A tile repeats the rows of values, one position after the other.
    function _tile(Case calldata case_, Proof calldata proof) private view returns (bool) {
        Site memory site = _enter(case_, proof, Descriptor.MIX);
        uint256 closing = proof.position;
        if (!Layout.isClosing(closing, site.count)) {
            revert Layout.NumberOutOfRange(closing, site.count);
        }
        uint256 place = closing % Layout.TILE_POSITIONS;
        if (proof.part > place) revert Layout.NumberOutOfRange(proof.part, place);
        Descriptor.Tensor memory values = site.node.inputs[1];
        (Layout.Spot memory spot, uint256 stride) =
            Layout.tile(site.row, values, closing, proof.head, proof.index);
        bytes calldata tile = _open(site.here, site.row, spot, spot.length, proof.rows, 0);
        int256 held = int256(tile.unsigned(spot.offset + stride * proof.part, 2)) - 32_768;
        Place memory there = _place(case_, site, proof, 1, closing - place + proof.part);
        Layout.Row memory row = Layout.activations(values);
        return held != _element(there, row, proof.head, proof.index, proof.rows, 1);
    }

    /// @dev 5.13
    function _biasElement(Case calldata case_, Proof calldata proof) private view returns (bool) {
        Site memory site = _enter(case_, proof, Descriptor.BIAS);
        uint256 k = proof.index;
        Layout.Row memory input = Layout.words(site.node.inputs[0], 0);
        int32 row = _element(site.here, input, 0, k, proof.rows, 0);
        int32 exponent = _exponent(site.here, input, 0, proof.rows, 1);
        bytes calldata facts = _facts(site.here, site.row, 0, QUANTISED_BYTES, proof.rows, 2);
        int32 mantissa = _element(site.here, site.row, 0, k, proof.rows, 3);
        Arithmetic.Claim memory claim = _claim(facts, 0, mantissa, k);
        int32 bias = _vectorElement(case_, site, k, proof, 0);
        int32 biasExponent = _weightExponent(case_, site, proof, 1);
        bytes memory question =
            abi.encodeCall(IChecker.biasElement, (row, exponent, bias, biasExponent, claim));
        return _isWrong(question, 7, facts, 0, k);
    }

    /// @dev Sum number `part` of a list.
    function _partial(bytes calldata partials, uint256 part) private pure returns (int64) {
        // SAFETY: eight bytes; a part beyond the list reverts.
        return int64(partials.signed(Layout.SUM_BYTES * part, Layout.SUM_BYTES));
    }
}
