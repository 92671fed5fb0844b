// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Arithmetic} from "./Arithmetic.sol";
import {Descriptor} from "./Descriptor.sol";
import {Fields} from "./Fields.sol";
import {Fold} from "./Fold.sol";
import {IChecker} from "./IChecker.sol";
import {IJudge} from "./IJudge.sol";
import {Layout} from "./Layout.sol";
import {ModelTree} from "./ModelTree.sol";
import {TraceTree} from "./TraceTree.sol";

/// @title What all judges of a trace do
/// @notice A proof names a node, a position and an element, and opens leaves. The judge derives from the node's
/// descriptor which leaves these must be, opens them, and asks the checker whether what they claim is right.
///
/// INVARIANT: an address comes from the descriptor, the counts of the job and the numbers of the proof, never from a
/// leaf; so no provider can lie about wiring, and no challenger can show the right leaf in the wrong place.
/// INVARIANT: nothing in a trace that follows the specification makes any judge say guilty.
abstract contract Judge is IJudge {
    using Fields for bytes;

    /// @notice One shape for every kind; docs/reference/court.md lists which numbers and openings each kind reads.
    /// @param descriptor leaf 1 + node of the graph; its count is the number of nodes and 1
    /// @param positions where the openings of rows stand: that of `position`, then, for some kinds, another one
    /// @param rows leaves of the trace
    /// @param others leaves of weights and of tokens
    struct Proof {
        uint32 position;
        uint32 node;
        uint32 head;
        uint32 index;
        uint32 part;
        TraceTree.Opening descriptor;
        TraceTree.Position[] positions;
        TraceTree.Opening[] rows;
        TraceTree.Opening[] others;
    }

    /// @notice A position whose root has been opened.
    /// @param rows how many rows it has
    /// @param first node of the row that was opened first, and where in calldata its way up to the position begins
    /// @param known rows that have been opened: node and root of each
    struct Place {
        bytes32 root;
        uint256 rows;
        uint256 first;
        uint256 firstAt;
        uint256 knownCount;
        bytes32[] known;
    }

    /// @notice The judged row, as far as every kind needs it.
    /// @param count positions of the trace
    /// @param weightRoot root of the node's weight, once a leaf of it has been opened
    struct Site {
        Descriptor.Node node;
        Layout.Row row;
        Place here;
        uint256 nodeCount;
        uint256 count;
        bytes32 weightRoot;
    }

    /// @dev A proof opens at most the judged row and two that it reads.
    uint256 private constant KNOWN_MAX = 3;
    /// @dev 64 tiles of 64 positions: as many partial sums as one leaf holds.
    uint256 internal constant POSITIONS_MAX = 4096;
    /// @dev Exponent and witness.
    uint256 internal constant QUANTISED_BYTES = 6;
    /// @dev Kind, rows and columns of a weight stand before its exponent.
    uint256 private constant EXPONENT_AT = 9;

    IChecker internal immutable CHECKER;
    /// @notice Root of the tables that the checker reads.
    bytes32 public immutable TABLES_ROOT;

    error ProofMalformed();
    error OpeningMissing(uint256 number);
    /// @dev The model belongs to another arithmetic than the checker.
    error TablesUnknown(bytes32 tablesRoot);
    /// @dev Jobs without output, and those too long for a trace, can be judged by their receipt only.
    error TraceImpossible(uint256 positions);
    error OpUnexpected(uint256 op);
    /// @dev The row exists at positions only whose logits were wanted.
    error RowUnknown(uint256 node, uint256 position);

    constructor(IChecker checker, bytes32 tablesRoot) {
        CHECKER = checker;
        TABLES_ROOT = tablesRoot;
    }

    /// @inheritdoc IJudge
    function isGuilty(Case calldata case_, uint8 kind, bytes calldata proof)
        external
        view
        returns (bool)
    {
        return _isGuilty(case_, kind, _decode(proof));
    }

    function _isGuilty(Case calldata case_, uint8 kind, Proof calldata proof)
        internal
        view
        virtual
        returns (bool);

    /// @dev Where the proof stands in calldata. Solidity checks every offset below it when it is used.
    function _decode(bytes calldata encoded) private pure returns (Proof calldata proof) {
        if (encoded.length < 32 || uint256(bytes32(encoded)) != 32) revert ProofMalformed();
        assembly ("memory-safe") {
            proof := add(encoded.offset, 32)
        }
    }

    // PLACES

    /// @dev Opens the descriptor and the position of a row made by `op`.
    function _enter(Case calldata case_, Proof calldata proof, uint256 op)
        internal
        view
        returns (Site memory site)
    {
        site = _enterAny(case_, proof);
        if (site.node.op != op) revert OpUnexpected(site.node.op);
    }

    function _enterAny(Case calldata case_, Proof calldata proof)
        internal
        view
        returns (Site memory)
    {
        if (case_.tablesRoot != TABLES_ROOT) revert TablesUnknown(case_.tablesRoot);
        uint256 count = _positions(case_);
        ModelTree.requireLeaf(case_.graphRoot, 1 + uint256(proof.node), proof.descriptor);
        Descriptor.Node memory node = Descriptor.decode(proof.descriptor.data, proof.node);
        Layout.Row memory row = Layout.own(node, proof.position, case_.sampler);
        // SAFETY: a leaf stands in the tree, so its count is not 0.
        uint256 nodeCount = proof.descriptor.count - 1;
        uint256 rows = _rowsAt(case_, node, nodeCount, proof.position);
        if (proof.node >= rows) revert RowUnknown(proof.node, proof.position);
        Place memory here = _placeOf(case_, proof, 0, proof.position, count, rows);
        return Site(node, row, here, nodeCount, count, 0);
    }

    /// @dev Positions of the job's trace.
    function _positions(Case calldata case_) internal pure returns (uint256 count) {
        if (case_.inputCount == 0 || case_.outputCount == 0) revert TraceImpossible(0);
        count = uint256(case_.inputCount) + case_.outputCount - 1;
        if (count > POSITIONS_MAX) revert TraceImpossible(count);
    }

    /// @dev Opens position `position`, which the proof holds as number `number`.
    function _place(
        Case calldata case_,
        Site memory site,
        Proof calldata proof,
        uint256 number,
        uint256 position
    ) internal view returns (Place memory) {
        uint256 rows = _rowsAt(case_, site.node, site.nodeCount, position);
        return _placeOf(case_, proof, number, position, site.count, rows);
    }

    /// @dev Rows of a position: those for logits only exist from the last token of the prompt on.
    function _rowsAt(
        Case calldata case_,
        Descriptor.Node memory node,
        uint256 nodeCount,
        uint256 position
    ) private pure returns (uint256) {
        return position + 1 < case_.inputCount ? node.logitsFrom : nodeCount;
    }

    function _placeOf(
        Case calldata case_,
        Proof calldata proof,
        uint256 number,
        uint256 position,
        uint256 count,
        uint256 rows
    ) private view returns (Place memory) {
        if (number >= proof.positions.length) revert OpeningMissing(number);
        TraceTree.Position calldata opened = proof.positions[number];
        TraceTree.requirePosition(case_.traceRoot, position, count, opened);
        return Place(opened.root, rows, 0, 0, 0, new bytes32[](2 * KNOWN_MAX));
    }

    // ROWS: openings are read in the order in which a proof holds them, since later ones lean on earlier ones.

    /// @dev Opens the leaf or run at `spot`. Only the first opening of a position has to lead up to it: the path of a
    /// later one may end at a row that was opened before, or where it meets the path of the first row.
    function _open(
        Place memory place,
        Layout.Row memory row,
        Layout.Spot memory spot,
        uint256 leafBytes,
        TraceTree.Opening[] calldata openings,
        uint256 number
    ) internal view returns (bytes calldata) {
        if (number >= openings.length) revert OpeningMissing(number);
        TraceTree.Opening calldata opening = openings[number];
        (bytes32 root, uint256 used) = TraceTree.rowRoot(spot.leaf, leafBytes, spot.length, opening);
        if (used != opening.path.length || !_isKnown(place, row.node, root)) {
            _requireRow(place, row.node, root, opening.path, used);
            _remember(place, row.node, root);
        }
        return opening.data;
    }

    /// @dev Requires that `root` is that of the row of `node`, with the rest of the path.
    function _requireRow(
        Place memory place,
        uint256 node,
        bytes32 root,
        bytes32[] calldata path,
        uint256 used
    ) private view {
        bool isFirst = place.knownCount == 0;
        if (!isFirst && place.first != node) {
            (bool isEnd, bytes32 top, bytes32 sibling) =
                Fold.meet(root, node, place.rows, path, used, place.first, place.firstAt);
            if (isEnd) {
                if (top != sibling) revert TraceTree.RootUnequal(sibling, top);
                return;
            }
        }
        TraceTree.requireNode(place.root, root, node, place.rows, path, used);
        if (isFirst) (place.first, place.firstAt) = (node, _itemAt(path, used));
    }

    /// @dev Where item `used` of a path stands in calldata.
    function _itemAt(bytes32[] calldata path, uint256 used) private pure returns (uint256 offset) {
        assembly ("memory-safe") {
            offset := add(path.offset, shl(5, used))
        }
    }

    /// @dev True if `root` has been proved to be that of the row of `node`.
    function _isKnown(Place memory place, uint256 node, bytes32 root) private pure returns (bool) {
        for (uint256 i = 0; i < 2 * place.knownCount; i += 2) {
            if (uint256(place.known[i]) == node && place.known[i + 1] == root) return true;
        }
        return false;
    }

    function _remember(Place memory place, uint256 node, bytes32 root) private pure {
        uint256 count = place.knownCount;
        if (count == KNOWN_MAX) return;
        (place.known[2 * count], place.known[2 * count + 1]) = (bytes32(node), root);
        place.knownCount = count + 1;
    }

    /// @dev The leaf that holds an element, and where in it.
    function _leaf(
        Place memory place,
        Layout.Row memory row,
        uint256 head,
        uint256 index,
        TraceTree.Opening[] calldata openings,
        uint256 number
    ) internal view returns (bytes calldata data, uint256 offset) {
        Layout.Spot memory spot = Layout.element(row, head, index);
        return (_open(place, row, spot, spot.length, openings, number), spot.offset);
    }

    /// @dev One element.
    function _element(
        Place memory place,
        Layout.Row memory row,
        uint256 head,
        uint256 index,
        TraceTree.Opening[] calldata openings,
        uint256 number
    ) internal view returns (int32) {
        (bytes calldata data, uint256 offset) = _leaf(place, row, head, index, openings, number);
        return _elementAt(row, data, offset);
    }

    function _elementAt(Layout.Row memory row, bytes calldata data, uint256 offset)
        internal
        pure
        returns (int32)
    {
        // SAFETY: two or four bytes.
        return row.width == Layout.A16_BYTES
            ? int32(int256(data.unsigned(offset, 2)) - 32_768)
            : int32(data.signed(offset, 4));
    }

    /// @dev The elements of one part of a head, 1,024 unless it is the last.
    function _run(
        Place memory place,
        Layout.Row memory row,
        uint256 head,
        uint256 part,
        TraceTree.Opening[] calldata openings,
        uint256 number
    ) internal view returns (bytes calldata) {
        Layout.Spot memory spot = Layout.run(row, head, part);
        return _open(place, row, spot, Layout.LEAF_ELEMENTS * row.width, openings, number);
    }

    /// @dev The facts of a head, which have a known length.
    function _facts(
        Place memory place,
        Layout.Row memory row,
        uint256 head,
        uint256 length,
        TraceTree.Opening[] calldata openings,
        uint256 number
    ) internal view returns (bytes calldata) {
        if (head >= row.facts) revert Layout.NumberOutOfRange(head, row.facts);
        Layout.Spot memory spot = Layout.Spot(head, length, 0);
        return _open(place, row, spot, length, openings, number);
    }

    /// @dev The exponent of a head that is read: it stands first in the facts of whatever op made the row, and what
    /// follows is that row's matter.
    function _exponent(
        Place memory place,
        Layout.Row memory row,
        uint256 head,
        TraceTree.Opening[] calldata openings,
        uint256 number
    ) internal view returns (int32) {
        if (number >= openings.length) revert OpeningMissing(number);
        uint256 length = openings[number].data.length;
        return _exponentAt(_facts(place, row, head, length, openings, number), 0);
    }

    /// @dev An exponent among facts.
    function _exponentAt(bytes calldata facts, uint256 offset) internal pure returns (int32) {
        // SAFETY: two bytes.
        return int32(facts.signed(offset, 2));
    }

    /// @dev The partial sums of item `item` of the judged row.
    function _sums(Site memory site, uint256 item, Proof calldata proof, uint256 number)
        internal
        view
        returns (bytes calldata)
    {
        Layout.Row memory row = site.row;
        Layout.Spot memory spot = Layout.sums(row, item);
        bytes calldata data = _open(site.here, row, spot, spot.length, proof.rows, number);
        return data[spot.offset:spot.offset + row.itemBytes];
    }

    /// @dev The total of the sums of u64 from `offset` to the end of facts.
    function _total(bytes calldata facts, uint256 offset) internal pure returns (uint64) {
        uint256 total = 0;
        for (; offset < facts.length; offset += Layout.SUM_BYTES) {
            total += facts.unsigned(offset, Layout.SUM_BYTES);
        }
        // A total that is too large is larger than any that the checker takes; the part that made it so convicts.
        return total > type(uint64).max ? type(uint64).max : uint64(total);
    }

    // CLAIMS

    /// @dev What the judged row claims of one element: exponent and witness stand at `offset` of its facts.
    function _claim(bytes calldata facts, uint256 offset, int32 mantissa, uint256 index)
        internal
        pure
        returns (Arithmetic.Claim memory claim)
    {
        claim.mantissa = mantissa;
        claim.exponent = _exponentAt(facts, offset);
        claim.witness = facts.unsigned(offset + 2, 4) == index;
    }

    /// @dev True if the checker refuses what the row claims of element `index`; or if the row names a higher witness
    /// than this element, and the checker would take this one: a row names the lowest.
    /// @param question put to the checker; its claim is the last of its fixed arguments
    /// @param words of the fixed arguments
    /// @param offset of exponent and witness in the facts
    function _isWrong(
        bytes memory question,
        uint256 words,
        bytes calldata facts,
        uint256 offset,
        uint256 index
    ) internal view returns (bool) {
        if (!_isRight(question)) return true;
        if (index >= facts.unsigned(offset + 2, 4)) return false;
        assembly ("memory-safe") {
            // | length 32 | selector 4 | arguments |, the witness being the last word of the fixed ones.
            mstore(add(question, add(4, shl(5, words))), 1)
        }
        return _isRight(question);
    }

    /// @dev Asks the checker.
    function _isRight(bytes memory question) internal view returns (bool right) {
        address checker = address(CHECKER);
        assembly ("memory-safe") {
            if iszero(staticcall(gas(), checker, add(question, 32), mload(question), 0, 32)) {
                let reason := mload(0x40)
                returndatacopy(reason, 0, returndatasize())
                revert(reason, returndatasize())
            }
            if lt(returndatasize(), 32) { revert(0, 0) }
            right := mload(0)
        }
    }

    // WEIGHTS AND TOKENS

    /// @dev Leaf `index` of the node's weight, of whatever length: the model commits to it, not the provider. As with
    /// rows, the path of a second leaf may end at the weight.
    function _weightLeaf(
        Case calldata case_,
        Site memory site,
        uint256 index,
        uint256 leaves,
        Proof calldata proof,
        uint256 number
    ) internal view returns (bytes calldata) {
        if (number >= proof.others.length) revert OpeningMissing(number);
        TraceTree.Opening calldata opening = proof.others[number];
        (bytes32 root, uint256 used) = ModelTree.weightRoot(index, leaves, opening);
        if (used != opening.path.length || root != site.weightRoot) {
            uint256 weight = site.node.weight.index;
            ModelTree.requireWeight(case_.weightsRoot, root, weight, opening, used);
            site.weightRoot = root;
        }
        return opening.data;
    }

    /// @dev The leaf of columns 1,024 * part .. of a row of the node's weight.
    function _weightPart(
        Case calldata case_,
        Site memory site,
        uint256 row,
        uint256 part,
        Proof calldata proof,
        uint256 number
    ) internal view returns (bytes calldata) {
        Descriptor.Weight memory weight = site.node.weight;
        if (row >= weight.rows) revert Layout.NumberOutOfRange(row, weight.rows);
        uint256 parts = Layout.parts(weight.cols);
        if (part >= parts) revert Layout.NumberOutOfRange(part, parts);
        uint256 index = 1 + row * parts + part;
        return _weightLeaf(case_, site, index, 1 + weight.rows * parts, proof, number);
    }

    /// @dev Element `index` of the node's vector of 24-bit numbers.
    function _vectorElement(
        Case calldata case_,
        Site memory site,
        uint256 index,
        Proof calldata proof,
        uint256 number
    ) internal view returns (int32) {
        uint256 part = index / Layout.PART_ELEMENTS;
        bytes calldata numbers = _weightPart(case_, site, 0, part, proof, number);
        uint256 offset = Layout.WORD_BYTES * (index % Layout.PART_ELEMENTS);
        // SAFETY: four bytes.
        return int32(numbers.signed(offset, Layout.WORD_BYTES));
    }

    /// @dev The exponent of the node's weight.
    function _weightExponent(
        Case calldata case_,
        Site memory site,
        Proof calldata proof,
        uint256 number
    ) internal view returns (int32) {
        Descriptor.Weight memory weight = site.node.weight;
        uint256 leaves = 1 + weight.rows * Layout.parts(weight.cols);
        bytes calldata header = _weightLeaf(case_, site, 0, leaves, proof, number);
        // SAFETY: a model has exponents from -127 to 127.
        return int32(header.signed(EXPONENT_AT, 8));
    }

    /// @dev The token at `position` of prompt and answer.
    function _tokenAt(Case calldata case_, uint256 position, Proof calldata proof, uint256 number)
        internal
        view
        returns (uint256)
    {
        if (number >= proof.others.length) revert OpeningMissing(number);
        TraceTree.Opening calldata opening = proof.others[number];
        uint256 inputCount = case_.inputCount;
        if (position < inputCount) {
            return ModelTree.tokenAt(case_.inputRoot, position, inputCount, opening);
        }
        uint256 index = position - inputCount;
        return ModelTree.tokenAt(case_.outputRoot, index, case_.outputCount, opening);
    }
}
