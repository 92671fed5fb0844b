// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Descriptor} from "./Descriptor.sol";
import {Fields} from "./Fields.sol";
import {IChecker} from "./IChecker.sol";
import {Form} from "./Form.sol";
import {Judge} from "./Judge.sol";
import {Kinds} from "./Kinds.sol";
import {Layout} from "./Layout.sol";
import {ModelTree} from "./ModelTree.sol";
import {TraceTree} from "./TraceTree.sol";

/// @title Judge of shapes, counts and receipts
/// @notice F10 and F11 of docs/reference/court.md: a receipt that contradicts its job, and a trace that is not built as
/// its job and its graph say. Values are the other judges' matter: a number out of range is never what a checker gets.
contract FormJudge is Judge {
    using Fields for bytes;

    /// @dev How an answer ended, as in `Receipt.finish`.
    uint8 private constant STOP = 0;
    uint8 private constant LENGTH = 1;
    uint8 private constant CANCELLED = 2;
    /// @dev Tokens for which prices are named.
    uint256 private constant PRICE_TOKENS = 1_000_000;
    uint256 private constant TOP_BYTES = 32;

    /// @dev The trace key is another one than the job names.
    error TraceKeyUnknown(bytes32 keyHash);
    /// @dev The receipt does not say that the answer ended with a stop id.
    error FinishUnexpected(uint8 finish);

    constructor(IChecker checker, bytes32 tablesRoot) Judge(checker, tablesRoot) {}

    function _isGuilty(Case calldata case_, uint8 kind, Proof calldata proof)
        internal
        view
        override
        returns (bool)
    {
        if (kind == Kinds.LEAF_FORM) return _leafForm(case_, proof);
        if (kind == Kinds.ROW_COUNT) return _rowCount(case_, proof);
        if (kind == Kinds.POSITION_COUNT) return _positionCount(case_, proof);
        if (kind == Kinds.TRACE_COUNT) return _traceCount(case_, proof);
        if (kind == Kinds.SALT) return _salt(case_, proof);
        if (kind == Kinds.OUTPUT_COUNT) return case_.outputCount > case_.outputCountMax;
        if (kind == Kinds.PRICE) return case_.price != _priceUp(case_);
        if (kind == Kinds.FINISH) return _finish(case_);
        if (kind == Kinds.STOP_MISSING) return _stopMissing(case_, proof);
        if (kind == Kinds.STOP_PASSED) return _stopPassed(case_, proof);
        if (kind == Kinds.OUTPUT_LEAVES) return _outputLeaves(case_, proof);
        if (kind == Kinds.TOKEN_FORM) return _tokenForm(case_, proof);
        revert KindUnknown(kind);
    }

    // TRACE

    /// @dev A leaf of another length than its place has, or facts that name what their row does not have.
    function _leafForm(Case calldata case_, Proof calldata proof) private view returns (bool) {
        Site memory site = _enterAny(case_, proof);
        uint256 leaf = proof.part;
        if (proof.rows.length == 0) revert OpeningMissing(0);
        TraceTree.Opening calldata opening = proof.rows[0];
        uint256 length = opening.data.length;
        Layout.Spot memory spot = Layout.Spot(leaf, length, 0);
        _open(site.here, site.row, spot, length, proof.rows, 0);
        if (length != Form.lengthOf(site.node, site.row, proof.position, site.count, leaf)) {
            return true;
        }
        if (leaf >= site.row.facts) return false;
        if (site.node.op == Descriptor.LOGITS) {
            return Form.areLogitsWrong(site.row, case_.sampler, opening.data);
        }
        return Form.areIndicesWrong(site.node, site.row, opening.data);
    }

    function _rowCount(Case calldata case_, Proof calldata proof) private view returns (bool) {
        Site memory site = _enterAny(case_, proof);
        if (proof.rows.length == 0) revert OpeningMissing(0);
        TraceTree.Opening calldata opening = proof.rows[0];
        bytes32 root = _sealed(opening);
        Place memory here = site.here;
        TraceTree.requireNode(here.root, root, proof.node, here.rows, opening.path, 0);
        return opening.count != Form.leavesOf(site.node, site.row, proof.position, site.count);
    }

    /// @dev The count of rows is proved wrong with the top alone, so the node may be any of the graph.
    function _positionCount(Case calldata case_, Proof calldata proof) private view returns (bool) {
        Site memory site = _enterAny(case_, proof);
        return _isCountWrong(site.here.root, site.here.rows, proof);
    }

    function _traceCount(Case calldata case_, Proof calldata proof) private view returns (bool) {
        return _isCountWrong(case_.traceRoot, _positions(case_), proof);
    }

    function _isCountWrong(bytes32 root, uint256 count, Proof calldata proof)
        private
        view
        returns (bool)
    {
        if (proof.others.length == 0) revert OpeningMissing(0);
        bytes32 shown = _sealed(proof.others[0]);
        if (shown != root) revert TraceTree.RootUnequal(root, shown);
        return proof.others[0].count != count;
    }

    /// @dev The root that `count` and a top of 32 bytes make.
    function _sealed(TraceTree.Opening calldata opening) private view returns (bytes32) {
        if (opening.data.length != TOP_BYTES) {
            revert TraceTree.LeafLengthWrong(opening.data.length, TOP_BYTES);
        }
        return TraceTree.hashRoot(opening.count, bytes32(opening.data));
    }

    /// @dev Salts follow from a key that the job names by its hash, so whoever has it can check every one.
    function _salt(Case calldata case_, Proof calldata proof) private view returns (bool) {
        if (proof.others.length == 0) revert OpeningMissing(0);
        if (proof.positions.length == 0) revert OpeningMissing(0);
        bytes calldata key = proof.others[0].data;
        bytes32 keyHash = keccak256(key);
        if (keyHash != case_.traceKeyHash || key.length != 32) revert TraceKeyUnknown(keyHash);
        TraceTree.Position calldata opened = proof.positions[0];
        TraceTree.requirePosition(case_.traceRoot, proof.position, _positions(case_), opened);
        return opened.salt != TraceTree.saltOf(bytes32(key), proof.position);
    }

    // RECEIPT

    /// @dev As `jobPriceUp` of packages/protocol/src/price.ts.
    function _priceUp(Case calldata case_) private pure returns (uint256) {
        uint256 total = uint256(case_.inputCount) * case_.inputPrice + uint256(case_.outputCount)
            * case_.outputPrice;
        return (total + PRICE_TOKENS - 1) / PRICE_TOKENS;
    }

    /// @dev What counts alone say about the end of an answer.
    function _finish(Case calldata case_) private pure returns (bool) {
        bool full = case_.outputCount == case_.outputCountMax;
        if (case_.finish == STOP) return case_.outputCount == 0;
        if (case_.finish == LENGTH) return !full;
        return case_.finish != CANCELLED || full;
    }

    /// @dev The answer is said to end with a stop id, and its last token is none.
    function _stopMissing(Case calldata case_, Proof calldata proof) private view returns (bool) {
        if (case_.finish != STOP) revert FinishUnexpected(case_.finish);
        if (case_.outputCount == 0) revert TraceImpossible(0);
        uint256 last = uint256(case_.inputCount) + case_.outputCount - 1;
        return !_isStopId(case_, _tokenAt(case_, last, proof, 0));
    }

    /// @dev The answer goes on after a stop id, or ends with one and says that it ended otherwise.
    function _stopPassed(Case calldata case_, Proof calldata proof) private view returns (bool) {
        uint256 index = proof.index;
        if (index >= case_.outputCount) {
            revert Layout.NumberOutOfRange(index, case_.outputCount);
        }
        uint256 id = _tokenAt(case_, case_.inputCount + index, proof, 0);
        bool last = index + 1 == case_.outputCount;
        return _isStopId(case_, id) && !(last && case_.finish == STOP);
    }

    function _isStopId(Case calldata case_, uint256 id) private pure returns (bool) {
        uint32[] calldata stopIds = case_.sampler.stopIds;
        for (uint256 i = 0; i < stopIds.length; ++i) {
            if (stopIds[i] == id) return true;
        }
        return false;
    }

    /// @dev The commitment to the answer has another number of leaves than its tokens need.
    function _outputLeaves(Case calldata case_, Proof calldata proof) private pure returns (bool) {
        if (proof.others.length == 0) revert OpeningMissing(0);
        TraceTree.Opening calldata opening = proof.others[0];
        if (opening.data.length != TOP_BYTES) {
            revert TraceTree.LeafLengthWrong(opening.data.length, TOP_BYTES);
        }
        bytes32 shown = ModelTree.hashRoot(opening.count, bytes32(opening.data));
        if (shown != case_.outputRoot) revert TraceTree.RootUnequal(case_.outputRoot, shown);
        return opening.count != ModelTree.leavesOf(case_.outputCount);
    }

    /// @dev A leaf of the answer has another length or number than its place.
    function _tokenForm(Case calldata case_, Proof calldata proof) private view returns (bool) {
        if (proof.others.length == 0) revert OpeningMissing(0);
        TraceTree.Opening calldata opening = proof.others[0];
        uint256 count = case_.outputCount;
        ModelTree.requireTokenLeaf(case_.outputRoot, proof.part, count, opening);
        return !ModelTree.isTokenLeaf(proof.part, count, opening.data);
    }
}
