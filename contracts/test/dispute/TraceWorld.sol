// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IJudge} from "../../dispute/IJudge.sol";
import {Judge} from "../../dispute/Judge.sol";
import {TraceTree} from "../../dispute/TraceTree.sol";
import {CourtTest} from "./CourtTest.sol";
import {SparseTree} from "./SparseTree.sol";

/// @notice A job, a trace and a model of any size of which a few leaves are written down, and proofs about them.
abstract contract TraceWorld is CourtTest {
    using SparseTree for SparseTree.Tree;

    struct Leaf {
        uint256 index;
        bytes data;
    }

    struct RowLeaves {
        uint64 count;
        Leaf[] leaves;
    }

    struct WeightLeaves {
        uint64 count;
        Leaf[] leaves;
    }

    IJudge internal formJudge;
    IJudge internal linearJudge;
    IJudge internal mapJudge;
    IJudge internal rowJudge;
    IJudge internal samplingJudge;
    bytes32 internal tablesRoot;

    IJudge.Case internal base;
    uint64 internal nodeCount;
    uint64 internal weightCount;
    uint256 internal logitsFrom;
    mapping(uint256 node => bytes) internal descriptors;
    uint256[] private _described;
    uint256[] private _positions;
    mapping(uint256 position => uint256[]) private _nodes;
    mapping(uint256 position => mapping(uint256 node => RowLeaves)) private _rows;
    uint256[] private _weights;
    mapping(uint256 weight => WeightLeaves) private _weightLeaves;

    function setUp() public virtual override {
        super.setUp();
        string memory json = vm.readFile("../vectors/court/tables.json");
        tablesRoot = vm.parseJsonBytes32(json, ".root");
        formJudge = deploy("FormJudge.sol:FormJudge");
        linearJudge = deploy("LinearJudge.sol:LinearJudge");
        mapJudge = deploy("MapJudge.sol:MapJudge");
        rowJudge = deploy("RowJudge.sol:RowJudge");
        samplingJudge = deploy("SamplingJudge.sol:SamplingJudge");
    }

    function deploy(string memory artifact) private returns (IJudge) {
        return IJudge(vm.deployCode(artifact, abi.encode(checker, tablesRoot)));
    }

    function judgeOf(uint8 kind) internal view returns (IJudge) {
        uint256 family = kind >> 4;
        if (family == 0) return formJudge;
        if (family == 1) return linearJudge;
        if (family == 2) return mapJudge;
        return family == 3 ? rowJudge : samplingJudge;
    }

    // WRITING

    function describe(uint256 node, bytes memory descriptor) internal {
        if (descriptors[node].length == 0) _described.push(node);
        descriptors[node] = descriptor;
    }

    /// @dev Writes one leaf of a row of `count` leaves.
    function write(uint256 position, uint256 node, uint256 count, uint256 leaf, bytes memory data)
        internal
    {
        RowLeaves storage row = _rows[position][node];
        if (_nodes[position].length == 0) _positions.push(position);
        if (row.count == 0) _nodes[position].push(node);
        row.count = uint64(count);
        row.leaves.push(Leaf(leaf, data));
    }

    /// @dev Writes neighbouring leaves of `leafBytes` each.
    function writeRun(
        uint256 position,
        uint256 node,
        uint256 count,
        uint256 leaf,
        bytes memory data,
        uint256 leafBytes
    ) internal {
        for (uint256 offset = 0; offset < data.length; offset += leafBytes) {
            uint256 rest = data.length - offset;
            write(
                position,
                node,
                count,
                leaf++,
                part(data, offset, rest < leafBytes ? rest : leafBytes)
            );
        }
    }

    function writeWeight(uint256 weight, uint256 count, uint256 leaf, bytes memory data) internal {
        WeightLeaves storage leaves = _weightLeaves[weight];
        if (leaves.count == 0) _weights.push(weight);
        leaves.count = uint64(count);
        leaves.leaves.push(Leaf(leaf, data));
    }

    function part(bytes memory data, uint256 from, uint256 size)
        internal
        pure
        returns (bytes memory out)
    {
        out = new bytes(size);
        assembly ("memory-safe") {
            mcopy(add(out, 32), add(add(data, 32), from), size)
        }
    }

    // TREES

    function rowTree(uint256 position, uint256 node)
        internal
        view
        returns (SparseTree.Tree memory tree)
    {
        RowLeaves storage row = _rows[position][node];
        bytes32 name = keccak256(abi.encode("row", position, node));
        tree = SparseTree.create(name, row.count, row.leaves.length, false);
        fill(tree, row.leaves);
    }

    function fill(SparseTree.Tree memory tree, Leaf[] storage leaves) private view {
        for (uint256 i = 0; i < leaves.length; ++i) {
            tree.indices[i] = leaves[i].index;
            tree.hashes[i] = tree.hashLeaf(leaves[i].data);
        }
    }

    function positionTree(uint256 position) internal view returns (SparseTree.Tree memory tree) {
        uint256[] storage nodes = _nodes[position];
        uint64 rows = position + 1 < base.inputCount ? uint64(logitsFrom) : nodeCount;
        tree = SparseTree.create(bytes32(position), rows, nodes.length, false);
        for (uint256 i = 0; i < nodes.length; ++i) {
            tree.indices[i] = nodes[i];
            tree.hashes[i] = rowTree(position, nodes[i]).root();
        }
    }

    function saltOf(uint256 position) internal pure virtual returns (bytes32) {
        return keccak256(abi.encode("salt", position));
    }

    function traceTree() internal view returns (SparseTree.Tree memory tree) {
        uint64 count = uint64(base.inputCount) + base.outputCount - 1;
        tree = SparseTree.create("trace", count, _positions.length, false);
        for (uint256 i = 0; i < _positions.length; ++i) {
            tree.indices[i] = _positions[i];
            bytes32 root = positionTree(_positions[i]).root();
            tree.hashes[i] = sha256(abi.encodePacked(uint8(3), saltOf(_positions[i]), root));
        }
    }

    function weightTree(uint256 weight) internal view returns (SparseTree.Tree memory tree) {
        WeightLeaves storage leaves = _weightLeaves[weight];
        bytes32 name = keccak256(abi.encode("weight", weight));
        tree = SparseTree.create(name, leaves.count, leaves.leaves.length, true);
        fill(tree, leaves.leaves);
    }

    function weightsTree() internal view returns (SparseTree.Tree memory tree) {
        tree = SparseTree.create("weights", weightCount, _weights.length, true);
        for (uint256 i = 0; i < _weights.length; ++i) {
            tree.indices[i] = _weights[i];
            tree.hashes[i] = tree.hashLeaf(abi.encodePacked(weightTree(_weights[i]).root()));
        }
    }

    function graphTree() internal view returns (SparseTree.Tree memory tree) {
        tree = SparseTree.create("graph", nodeCount + 1, _described.length, true);
        for (uint256 i = 0; i < _described.length; ++i) {
            tree.indices[i] = 1 + _described[i];
            tree.hashes[i] = tree.hashLeaf(descriptors[_described[i]]);
        }
    }

    /// @dev Roots of all that was written.
    function signed() internal view returns (IJudge.Case memory facts) {
        facts = base;
        facts.traceRoot = traceTree().root();
        facts.weightsRoot = weightsTree().root();
        facts.graphRoot = graphTree().root();
        facts.tablesRoot = tablesRoot;
    }

    // PROOFS

    function begin(uint256 position, uint256 node, uint256 rows, uint256 others)
        internal
        view
        returns (Judge.Proof memory proof)
    {
        proof.position = uint32(position);
        proof.node = uint32(node);
        proof.descriptor = TraceTree.Opening(
            descriptors[node], nodeCount + 1, graphTree().path(1 + node, 2 + node)
        );
        proof.positions = new TraceTree.Position[](1);
        proof.positions[0] = place(position);
        proof.rows = new TraceTree.Opening[](rows);
        proof.others = new TraceTree.Opening[](others);
    }

    function place(uint256 position) internal view returns (TraceTree.Position memory) {
        return TraceTree.Position(
            positionTree(position).root(),
            saltOf(position),
            traceTree().path(position, position + 1)
        );
    }

    /// @dev Adds the second position.
    function also(Judge.Proof memory proof, uint256 position) internal view {
        TraceTree.Position memory first = proof.positions[0];
        proof.positions = new TraceTree.Position[](2);
        proof.positions[0] = first;
        proof.positions[1] = place(position);
    }

    /// @dev Opens `leaves` leaves from `leaf` on.
    function openRow(uint256 position, uint256 node, uint256 leaf, uint256 leaves)
        internal
        view
        returns (TraceTree.Opening memory opening)
    {
        SparseTree.Tree memory tree = rowTree(position, node);
        opening.count = tree.count;
        opening.path =
            join(tree.path(leaf, leaf + leaves), positionTree(position).path(node, node + 1));
        for (uint256 i = 0; i < leaves; ++i) {
            opening.data =
                bytes.concat(opening.data, dataOf(_rows[position][node].leaves, leaf + i));
        }
    }

    /// @dev As {openRow} for a row that an earlier opening of the proof leads up from.
    function openAgain(uint256 position, uint256 node, uint256 leaf, uint256 leaves)
        internal
        view
        returns (TraceTree.Opening memory opening)
    {
        opening = openRow(position, node, leaf, leaves);
        opening.path = rowTree(position, node).path(leaf, leaf + leaves);
    }

    /// @dev As {openRow} beside the row of `first`, which an earlier opening of the proof leads up from.
    function openBeside(uint256 position, uint256 node, uint256 leaf, uint256 leaves, uint256 first)
        internal
        view
        returns (TraceTree.Opening memory opening)
    {
        opening = openRow(position, node, leaf, leaves);
        uint256 width = positionTree(position).count;
        uint256 length = rowTree(position, node).path(leaf, leaf + leaves).length;
        // Siblings exist at every level but where the last node moves up alone.
        for (uint256 index = node; index ^ first != 1; (index, first) = (index / 2, first / 2)) {
            if (index ^ 1 < width) ++length;
            width = (width + 1) / 2;
        }
        bytes32[] memory path = opening.path;
        assembly ("memory-safe") {
            mstore(path, length)
        }
    }

    function openWeightAgain(uint256 weight, uint256 leaf)
        internal
        view
        returns (TraceTree.Opening memory opening)
    {
        opening = openWeight(weight, leaf);
        opening.path = weightTree(weight).path(leaf, leaf + 1);
    }

    function openWeight(uint256 weight, uint256 leaf)
        internal
        view
        returns (TraceTree.Opening memory opening)
    {
        opening.count = weightCount;
        opening.path =
            join(weightTree(weight).path(leaf, leaf + 1), weightsTree().path(weight, weight + 1));
        opening.data = dataOf(_weightLeaves[weight].leaves, leaf);
    }

    /// @dev Makes `data` leaf `leaf` of the answer.
    function answer(uint256 leaf, bytes memory data)
        internal
        returns (TraceTree.Opening memory opening)
    {
        uint64 count = uint64((base.outputCount + 15) / 16);
        SparseTree.Tree memory tree = SparseTree.create("answer", count, 1, true);
        tree.indices[0] = leaf;
        tree.hashes[0] = tree.hashLeaf(data);
        base.outputRoot = tree.root();
        return TraceTree.Opening(data, count, tree.path(leaf, leaf + 1));
    }

    function dataOf(Leaf[] storage leaves, uint256 index) private view returns (bytes memory) {
        for (uint256 i = 0; i < leaves.length; ++i) {
            if (leaves[i].index == index) return leaves[i].data;
        }
        revert("unwritten leaf");
    }

    function join(bytes32[] memory a, bytes32[] memory b)
        internal
        pure
        returns (bytes32[] memory out)
    {
        out = new bytes32[](a.length + b.length);
        for (uint256 i = 0; i < a.length; ++i) {
            out[i] = a[i];
        }
        for (uint256 i = 0; i < b.length; ++i) {
            out[a.length + i] = b[i];
        }
    }
}
