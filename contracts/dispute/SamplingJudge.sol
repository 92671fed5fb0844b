// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Descriptor} from "./Descriptor.sol";
import {Fields} from "./Fields.sol";
import {IChecker} from "./IChecker.sol";
import {Judge} from "./Judge.sol";
import {Kinds} from "./Kinds.sol";
import {Layout} from "./Layout.sol";
import {Sampler} from "./Sampler.sol";

/// @title Judge of what was sampled
/// @notice From the row of logits to the token of the answer: F8 of docs/reference/court.md. Where controls act on the
/// logits first, the trace ends with the largest logit, and the choice is judged by re-computation only.
contract SamplingJudge is Judge {
    using Fields for bytes;

    /// @dev Facts of a row of logits: largest, rank cut and share cut as id u32 and logit i32, then three sums of u64.
    uint256 private constant FACTS_BYTES = 48;
    uint256 private constant RANK_CUT_AT = 8;
    uint256 private constant SHARE_CUT_AT = 16;
    uint256 private constant TOTALS_AT = 24;

    /// @dev The sampler of the job makes no such cut, or controls act before it.
    error CutOff();

    constructor(IChecker checker, bytes32 tablesRoot) Judge(checker, tablesRoot) {}

    function _isGuilty(Case calldata case_, uint8 kind, Proof calldata proof)
        internal
        view
        override
        returns (bool)
    {
        if (kind == Kinds.LOGITS_TOP) return _logitsTop(case_, proof);
        if (kind == Kinds.SAMPLE_PARTIAL) return _samplePartial(case_, proof);
        if (kind == Kinds.SAMPLE_TOTAL) return _sampleTotal(case_, proof);
        if (kind == Kinds.SAMPLE_CUTS) return _sampleCuts(case_, proof);
        if (kind == Kinds.CUT_VALUE) return _cutValue(case_, proof);
        if (kind == Kinds.TOKEN) return _token(case_, proof);
        revert KindUnknown(kind);
    }

    /// @dev The largest logit; the row names the lowest id that has it.
    function _logitsTop(Case calldata case_, Proof calldata proof) private view returns (bool) {
        Site memory site = _enter(case_, proof, Descriptor.LOGITS);
        int32 logit = _element(site.here, site.row, 0, proof.index, proof.rows, 0);
        Sampler.Token memory top = _tokenOf(_logitsFacts(site, proof, 1), 0);
        if (!_isRight(abi.encodeCall(IChecker.maximum, (logit, top.logit, proof.index == top.id)))) return true;
        return proof.index < top.id && logit == top.logit;
    }

    /// @dev 7.3, 7.4: sums over 1,024 logits.
    function _samplePartial(Case calldata case_, Proof calldata proof) private view returns (bool) {
        Site memory site = _enter(case_, proof, Descriptor.LOGITS);
        bytes calldata logits = _run(site.here, site.row, 0, proof.part, proof.rows, 0);
        Sampler.Row memory row = _rowOf(site, _logitsFacts(site, proof, 1));
        Sampler.Sums memory claimed = _sumsOf(_sums(site, proof.part, proof, 2), 0);
        // SAFETY: a vocabulary has at most 2^20 tokens.
        uint32 first = uint32(proof.part * Layout.PART_ELEMENTS);
        return !_isRight(
            abi.encodeCall(IChecker.samplePartial, (logits, first, _settings(case_), row, claimed))
        );
    }

    /// @dev The totals of all partial sums.
    function _sampleTotal(Case calldata case_, Proof calldata proof) private view returns (bool) {
        Site memory site = _enter(case_, proof, Descriptor.LOGITS);
        if (site.row.items == 0) revert CutOff();
        Layout.Spot memory spot = Layout.sums(site.row, 0);
        uint256 size = site.row.itemBytes;
        spot.length = site.row.items * size;
        bytes calldata partials =
            _open(site.here, site.row, spot, size * site.row.itemsPerLeaf, proof.rows, 0);
        bytes calldata facts = _logitsFacts(site, proof, 1);
        for (uint256 field = 0; field < size; field += Layout.SUM_BYTES) {
            uint256 total = 0;
            for (uint256 offset = field; offset < partials.length; offset += size) {
                total += partials.unsigned(offset, Layout.SUM_BYTES);
            }
            if (total != facts.unsigned(TOTALS_AT + field, Layout.SUM_BYTES)) return true;
        }
        return false;
    }

    /// @dev 7.3, 7.4: the cuts that follow from the totals.
    function _sampleCuts(Case calldata case_, Proof calldata proof) private view returns (bool) {
        Site memory site = _enter(case_, proof, Descriptor.LOGITS);
        if (site.row.items == 0) revert CutOff();
        bytes calldata facts = _logitsFacts(site, proof, 0);
        Sampler.Row memory row = _rowOf(site, facts);
        return !_isRight(
            abi.encodeCall(IChecker.sampleRow, (_settings(case_), row, _sumsOf(facts, TOTALS_AT)))
        );
    }

    /// @dev The logit of a cut is that of its id, which the proof repeats as its element.
    function _cutValue(Case calldata case_, Proof calldata proof) private view returns (bool) {
        Site memory site = _enter(case_, proof, Descriptor.LOGITS);
        (bool rank, bool share) = Layout.cuts(case_.sampler, site.row.size);
        if (!(proof.part == 0 ? rank : share)) revert CutOff();
        int32 logit = _element(site.here, site.row, 0, proof.index, proof.rows, 0);
        uint256 offset = proof.part == 0 ? RANK_CUT_AT : SHARE_CUT_AT;
        Sampler.Token memory cut = _tokenOf(_logitsFacts(site, proof, 1), offset);
        if (cut.id != proof.index) revert Layout.NumberOutOfRange(proof.index, cut.id);
        return cut.logit != logit;
    }

    /// @dev 7: the token of the answer against any other one.
    function _token(Case calldata case_, Proof calldata proof) private view returns (bool) {
        Site memory site = _enter(case_, proof, Descriptor.LOGITS);
        if (case_.sampler.controls != 0) revert CutOff();
        uint32 position = proof.position + 1;
        // INVARIANT: only tokens of the answer were sampled, whatever a graph says of its logits.
        if (position < case_.inputCount) revert RowUnknown(proof.node, proof.position);
        uint256 id = _tokenAt(case_, position, proof, 0);
        if (id >= site.row.size) return true;
        Sampler.Row memory row = _rowOf(site, _logitsFacts(site, proof, 0));
        Sampler.Token memory chosen = _candidate(site, proof, id, 1);
        Sampler.Token memory other = _candidate(site, proof, proof.index, 2);
        bytes32 seed = case_.sampler.seed;
        return !_isRight(
            abi.encodeCall(
                IChecker.sampleToken, (_settings(case_), row, seed, position, chosen, other)
            )
        );
    }

    function _candidate(Site memory site, Proof calldata proof, uint256 id, uint256 number)
        private
        view
        returns (Sampler.Token memory)
    {
        int32 logit = _element(site.here, site.row, 0, id, proof.rows, number);
        // SAFETY: an element of the row, so below its size of 32 bits.
        return Sampler.Token(uint32(id), logit);
    }

    function _settings(Case calldata case_) private pure returns (Sampler.Settings memory) {
        return Sampler.Settings(
            case_.sampler.tau, case_.sampler.topK, case_.sampler.topP, case_.sampler.minP
        );
    }

    function _logitsFacts(Site memory site, Proof calldata proof, uint256 number)
        private
        view
        returns (bytes calldata)
    {
        return _facts(site.here, site.row, 0, FACTS_BYTES, proof.rows, number);
    }

    function _rowOf(Site memory site, bytes calldata facts)
        private
        pure
        returns (Sampler.Row memory row)
    {
        // SAFETY: sizes have 32 bits.
        row.vocabularySize = uint32(site.row.size);
        row.top = _tokenOf(facts, 0);
        row.rankCut = _tokenOf(facts, RANK_CUT_AT);
        row.shareCut = _tokenOf(facts, SHARE_CUT_AT);
    }

    function _tokenOf(bytes calldata facts, uint256 offset)
        private
        pure
        returns (Sampler.Token memory)
    {
        // SAFETY: four bytes each.
        return Sampler.Token(uint32(facts.unsigned(offset, 4)), int32(facts.signed(offset + 4, 4)));
    }

    function _sumsOf(bytes calldata data, uint256 offset)
        private
        pure
        returns (Sampler.Sums memory)
    {
        // SAFETY: eight bytes each.
        return Sampler.Sums(
            uint64(data.unsigned(offset, 8)),
            uint64(data.unsigned(offset + 8, 8)),
            uint64(data.unsigned(offset + 16, 8))
        );
    }
}
