// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Arithmetic} from "./Arithmetic.sol";
import {Descriptor} from "./Descriptor.sol";
import {Fields} from "./Fields.sol";
import {IChecker} from "./IChecker.sol";
import {Judge} from "./Judge.sol";
import {Kinds} from "./Kinds.sol";
import {Layout} from "./Layout.sol";

/// @title Judge of elements that follow from a few others
/// @notice Rotation, split and joined heads, gates, the residual stream and logits: F3 of docs/reference/court.md, and
/// of F4 the exponent to which heads are aligned.
contract MapJudge is Judge {
    using Fields for bytes;

    /// @dev Exponent, witness, top i16, its head u16.
    uint256 private constant JOIN_BYTES = 10;
    uint256 private constant JOIN_TOP_AT = 6;
    uint256 private constant JOIN_HEAD_AT = 8;

    constructor(IChecker checker, bytes32 tablesRoot) Judge(checker, tablesRoot) {}

    function _isGuilty(Case calldata case_, uint8 kind, Proof calldata proof)
        internal
        view
        override
        returns (bool)
    {
        if (kind == Kinds.ROPE_ELEMENT) return _ropeElement(case_, proof);
        if (kind == Kinds.SPLIT_ELEMENT) return _splitElement(case_, proof);
        if (kind == Kinds.SWI_GLU_ELEMENT) return _swiGluElement(case_, proof);
        if (kind == Kinds.RESIDUAL_ELEMENT) return _residualElement(case_, proof);
        if (kind == Kinds.LOGIT_ELEMENT) return _logitElement(case_, proof);
        if (kind == Kinds.JOIN_ELEMENT) return _joinElement(case_, proof);
        if (kind == Kinds.JOIN_TOP) return _joinTop(case_, proof);
        revert KindUnknown(kind);
    }

    /// @dev 5.4 Both elements of a pair stand in one leaf, since leaves hold an even number and so do heads.
    function _ropeElement(Case calldata case_, Proof calldata proof) private view returns (bool) {
        Site memory site = _enter(case_, proof, Descriptor.ROPE);
        uint256 k = proof.index;
        Layout.Row memory input = Layout.words(site.node.inputs[0], 0);
        uint256 pair = uint256(proof.head) * site.row.size + k - k % 2;
        (bytes calldata data, uint256 offset) = _leaf(site.here, input, 0, pair, proof.rows, 0);
        int32 first = _elementAt(input, data, offset);
        int32 second = _elementAt(input, data, offset + Layout.WORD_BYTES);
        int32 exponent = _exponent(site.here, input, 0, proof.rows, 1);
        (bytes calldata facts, Arithmetic.Claim memory claim) = _own(site, proof, proof.head, 2);
        uint64 phase = _phase(case_, site, proof, k / 2);
        bool odd = k % 2 == 1;
        bytes memory question =
            abi.encodeCall(IChecker.ropeElement, (first, second, exponent, phase, odd, claim));
        return _isWrong(question, 8, facts, 0, k);
    }

    /// @dev (position * step) mod 2^64.
    function _phase(Case calldata case_, Site memory site, Proof calldata proof, uint256 pair)
        private
        view
        returns (uint64)
    {
        bytes calldata steps = _weightLeaf(case_, site, 1, 2, proof, 0);
        // SAFETY: modulo 2^64 on purpose.
        return uint64(steps.unsigned(8 * pair, 8) * proof.position);
    }

    /// @dev 5.5
    function _splitElement(Case calldata case_, Proof calldata proof) private view returns (bool) {
        Site memory site = _enter(case_, proof, Descriptor.SPLIT_HEADS);
        Layout.Row memory input = Layout.words(site.node.inputs[0], 0);
        uint256 index = uint256(proof.head) * site.row.size + proof.index;
        int32 mantissa = _element(site.here, input, 0, index, proof.rows, 0);
        int32 exponent = _exponent(site.here, input, 0, proof.rows, 1);
        (bytes calldata facts, Arithmetic.Claim memory claim) = _own(site, proof, proof.head, 2);
        bytes memory question = abi.encodeCall(IChecker.splitElement, (mantissa, exponent, claim));
        return _isWrong(question, 5, facts, 0, proof.index);
    }

    /// @dev 5.10
    function _swiGluElement(Case calldata case_, Proof calldata proof) private view returns (bool) {
        Site memory site = _enter(case_, proof, Descriptor.SWI_GLU);
        Layout.Row memory row = Layout.words(site.node.inputs[0], 0);
        int32 gate = _element(site.here, row, 0, proof.index, proof.rows, 0);
        int32 gateExponent = _exponent(site.here, row, 0, proof.rows, 1);
        row = Layout.words(site.node.inputs[1], 0);
        int32 up = _element(site.here, row, 0, proof.index, proof.rows, 2);
        int32 upExponent = _exponent(site.here, row, 0, proof.rows, 3);
        (bytes calldata facts, Arithmetic.Claim memory claim) = _own(site, proof, 0, 4);
        bytes memory question =
            abi.encodeCall(IChecker.swiGluElement, (gate, gateExponent, up, upExponent, claim));
        return _isWrong(question, 7, facts, 0, proof.index);
    }

    /// @dev 5.11
    function _residualElement(Case calldata case_, Proof calldata proof)
        private
        view
        returns (bool)
    {
        Site memory site = _enter(case_, proof, Descriptor.RESIDUAL_ADD);
        Layout.Row memory row = Layout.fixedWords(site.node.inputs[0], 0);
        int32 residual = _element(site.here, row, 0, proof.index, proof.rows, 0);
        row = Layout.words(site.node.inputs[1], 0);
        int32 added = _element(site.here, row, 0, proof.index, proof.rows, 1);
        int32 exponent = _exponent(site.here, row, 0, proof.rows, 2);
        int32 claimed = _element(site.here, site.row, 0, proof.index, proof.rows, 3);
        int32 shift = -int32(site.node.parameters[0]) - exponent;
        return
            !_isRight(abi.encodeCall(IChecker.residualElement, (residual, added, shift, claimed)));
    }

    /// @dev 5.12
    function _logitElement(Case calldata case_, Proof calldata proof) private view returns (bool) {
        Site memory site = _enter(case_, proof, Descriptor.LOGITS);
        Layout.Row memory input = Layout.words(site.node.inputs[0], 0);
        int32 mantissa = _element(site.here, input, 0, proof.index, proof.rows, 0);
        int32 exponent = _exponent(site.here, input, 0, proof.rows, 1);
        int32 claimed = _element(site.here, site.row, 0, proof.index, proof.rows, 2);
        return !_isRight(abi.encodeCall(IChecker.logitElement, (mantissa, exponent, claimed)));
    }

    /// @dev 5.9, one element.
    function _joinElement(Case calldata case_, Proof calldata proof) private view returns (bool) {
        Site memory site = _enter(case_, proof, Descriptor.JOIN_HEADS);
        Layout.Row memory mixed = Layout.words(site.node.inputs[0], 0);
        uint256 head = proof.index / mixed.size;
        int32 value = _element(site.here, mixed, head, proof.index % mixed.size, proof.rows, 0);
        int32 exponent = _exponent(site.here, mixed, head, proof.rows, 1);
        uint64 sum = _sum(site, proof, head, 2);
        bytes calldata facts = _facts(site.here, site.row, 0, JOIN_BYTES, proof.rows, 3);
        int32 mantissa = _element(site.here, site.row, 0, proof.index, proof.rows, 4);
        int32 top = _exponentAt(facts, JOIN_TOP_AT);
        Arithmetic.Claim memory claim = _claim(facts, 0, mantissa, proof.index);
        bytes memory question =
            abi.encodeCall(IChecker.joinElement, (value, exponent, sum, top, claim));
        return _isWrong(question, 7, facts, 0, proof.index);
    }

    /// @dev 5.9, the exponent to which all heads are aligned; the row names the lowest head that has it.
    function _joinTop(Case calldata case_, Proof calldata proof) private view returns (bool) {
        Site memory site = _enter(case_, proof, Descriptor.JOIN_HEADS);
        uint256 head = proof.head;
        Layout.Row memory mixed = Layout.words(site.node.inputs[0], 0);
        int32 exponent = _exponent(site.here, mixed, head, proof.rows, 0);
        uint64 sum = _sum(site, proof, head, 1);
        bytes calldata facts = _facts(site.here, site.row, 0, JOIN_BYTES, proof.rows, 2);
        int32 top = _exponentAt(facts, JOIN_TOP_AT);
        uint256 named = facts.unsigned(JOIN_HEAD_AT, 2);
        if (!_isRight(abi.encodeCall(IChecker.joinTop, (exponent, sum, top, head == named)))) {
            return true;
        }
        return
            head < named && _isRight(abi.encodeCall(IChecker.joinTop, (exponent, sum, top, true)));
    }

    /// @dev S of a head of the weights that the node reads second.
    function _sum(Site memory site, Proof calldata proof, uint256 head, uint256 number)
        private
        view
        returns (uint64)
    {
        Layout.Row memory weights = Layout.words(site.node.inputs[1], proof.position);
        uint256 length = Layout.softmaxFacts(proof.position);
        bytes calldata facts = _facts(site.here, weights, head, length, proof.rows, number);
        return _total(facts, Layout.SOFTMAX_SUMS_AT);
    }

    /// @dev What a quantised row claims of one element of a head: its facts are opening `number`, its leaf the next.
    function _own(Site memory site, Proof calldata proof, uint256 head, uint256 number)
        private
        view
        returns (bytes calldata facts, Arithmetic.Claim memory claim)
    {
        facts = _facts(site.here, site.row, head, QUANTISED_BYTES, proof.rows, number);
        int32 mantissa = _element(site.here, site.row, head, proof.index, proof.rows, number + 1);
        claim = _claim(facts, 0, mantissa, proof.index);
    }
}
