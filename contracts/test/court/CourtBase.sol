// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IReceipts} from "../../compute/IReceipts.sol";
import {Descent} from "../../dispute/Descent.sol";
import {ICourt} from "../../dispute/ICourt.sol";
import {IJudge} from "../../dispute/IJudge.sol";
import {IVaults} from "../../dispute/IVaults.sol";
import {IModelRegistry} from "../../model/IModelRegistry.sol";
import {IStake} from "../../settlement/IStake.sol";
import {ChannelsTest} from "../base/ChannelsTest.sol";
import {CourtVm} from "../dispute/CourtVm.sol";
import {TraceTrees} from "./TraceTrees.sol";

/// @notice Finds guilty what the first byte of a proof says. The court's states and money do not depend on what a judge
/// recomputes; the real judges have tests of their own.
contract ByteJudge is IJudge {
    function isGuilty(Case calldata facts, uint8, bytes calldata proof)
        external
        pure
        returns (bool)
    {
        return proof.length != 0 && proof[0] == 0x01 && facts.inputCount != 0;
    }
}

/// @notice A court over a stake, a provider who signed a receipt, and somebody who disputes it.
abstract contract CourtBase is ChannelsTest {
    uint256 internal constant PROVIDER_KEY = 0x9201;
    bytes32 internal constant SPEC_ID = keccak256("arithmetic");
    uint96 internal constant STAKED = 500e6;
    uint128 internal constant PRICE = 3e6;
    uint32 internal constant CLOCK = 6 hours;
    uint32 internal constant WINDOW = 2 days;
    uint32 internal constant RELEASE = 1 days;
    uint256 internal constant BOND = 0.01 ether;
    address internal constant BURNED = 0x000000000000000000000000000000000000dEaD;

    CourtVm internal constant courtVm = CourtVm(address(vm));

    ICourt internal court;
    IReceipts internal receipts;
    IStake internal stake;
    IVaults internal vaults;
    /// @dev Of the stake and the court, which are put on chain before audits are; zero where there are none.
    address internal audits;
    TraceTrees internal trees;
    address internal provider = vm.addr(PROVIDER_KEY);
    /// @dev Execution of the last move.
    uint256 internal executionOfMove;
    address internal challenger = vm.addr(0xC4A1);
    IModelRegistry.Model internal model;

    function setUp() public virtual override {
        super.setUp();
        trees = new TraceTrees(37, 19, 273);
        model.weightsRoot = keccak256("weights");
        model.specId = SPEC_ID;
        receipts = IReceipts(vm.deployCode("Receipts.sol:Receipts"));
        address judge = address(new ByteJudge());
        // Stake and vaults know the court, and the court knows them: its address follows from the count of creations.
        uint64 nonce = courtVm.getNonce(address(this));
        address courtAddress = courtVm.computeCreateAddress(address(this), nonce + 2);
        stake = IStake(
            vm.deployCode(
                "Stake.sol:Stake", abi.encode(dollar, courtAddress, audits, uint64(7 days))
            )
        );
        vaults = IVaults(
            vm.deployCode(
                "Vaults.sol:Vaults",
                abi.encode(dollar, channels, stake, courtAddress, uint64(2 days))
            )
        );
        ICourt.Parts memory parts = ICourt.Parts(
            address(stake),
            address(vaults),
            address(receipts),
            SPEC_ID,
            [judge, judge, judge, judge, judge],
            audits
        );
        ICourt.Terms memory terms = ICourt.Terms(CLOCK, WINDOW, RELEASE, BOND);
        court = ICourt(vm.deployCode("Court.sol:Court", abi.encode(parts, terms)));
        assertEq(address(court), courtAddress);
        dollar.mint(provider, 1000e6);
        vm.prank(provider);
        dollar.approve(address(stake), type(uint256).max);
        vm.prank(provider);
        stake.deposit(provider, STAKED);
        courtVm.deal(challenger, 10 ether);
        courtVm.deal(stranger, 10 ether);
    }

    // CLAIMS

    function job(uint256 number) internal view returns (IReceipts.Job memory made) {
        made.modelId = keccak256(
            abi.encode(
                keccak256(
                    "Model(bytes32 weightsRoot,bytes32 graphRoot,bytes32 tablesRoot,bytes32 tokenizerHash,bytes32 templateHash,bytes32 boundsHash,bytes32 specId)"
                ),
                model
            )
        );
        made.provider = provider;
        made.requester = payer;
        made.inputRoot = keccak256("input");
        made.inputCount = 7;
        made.outputCountMax = 31;
        made.sampler.stopIds = new uint32[](1);
        made.expiresAt = uint64(START + 60);
        made.nonce = bytes32(number);
    }

    function claimOf(IReceipts.Job memory job_) internal view returns (ICourt.Claim memory claim) {
        claim.job = job_;
        claim.receipt = IReceipts.Receipt({
            jobId: receipts.hashJob(job_),
            outputRoot: keccak256("output"),
            outputCount: 31,
            finish: 1,
            streamHead: keccak256("head"),
            price: PRICE,
            completedAt: uint64(START)
        });
        claim.signature = signed(receipts.hashReceipt(claim.receipt));
    }

    function signed(bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(PROVIDER_KEY, digest);
        return abi.encodePacked(r, s, v);
    }

    function traceOf(ICourt.Claim memory claim, bytes32 root)
        internal
        view
        returns (ICourt.Trace memory)
    {
        return ICourt.Trace(root, signed(receipts.hashTrace(claim.receipt.jobId, root)));
    }

    function noTrace() internal pure returns (ICourt.Trace memory trace) {}

    function guilty() internal pure returns (ICourt.Proof memory) {
        return ICourt.Proof(0x11, hex"01aa");
    }

    function innocent() internal pure returns (ICourt.Proof memory) {
        return ICourt.Proof(0x11, hex"00aa");
    }

    // MOVES

    function noteExecution() internal {
        executionOfMove = courtVm.lastCallGas().gasTotalUsed;
    }

    /// @dev The dispute right after {ICourt.open}.
    function opened(ICourt.Claim memory claim) internal returns (ICourt.Dispute memory dispute) {
        vm.prank(challenger);
        court.open{value: BOND}(claim);
        noteExecution();
        dispute.jobId = claim.receipt.jobId;
        dispute.challenger = challenger;
        dispute.provider = provider;
        dispute.phase = ICourt.Phase.Answering;
        dispute.walks = court.WALKS() - 1;
        dispute.positions = uint32(trees.POSITIONS());
        (dispute.challengerTime, dispute.providerTime) = (CLOCK, CLOCK);
        dispute.movedAt = uint64(block.timestamp);
        dispute.receiptHash = receipts.hashReceipt(claim.receipt);
        dispute.bond = BOND;
    }

    /// @dev Subtracts what the mover used, as the court does.
    function moved(ICourt.Dispute memory dispute) internal view {
        uint32 used = uint32(block.timestamp - dispute.movedAt);
        bool choosing =
            dispute.phase == ICourt.Phase.Choosing || dispute.phase == ICourt.Phase.Proving;
        if (choosing) dispute.challengerTime -= used;
        else dispute.providerTime -= used;
        dispute.movedAt = uint64(block.timestamp);
    }

    /// @dev The provider shows what is below; the state follows as the library that the court uses says.
    function shows(ICourt.Dispute memory dispute, uint256 position, uint256 row)
        internal
        returns (Descent.Reveal memory shown)
    {
        bool first = dispute.phase == ICourt.Phase.Answering;
        if (first) dispute.place.level = Descent.SEALED;
        shown = trees.reveal(dispute.place, position, row);
        if (first) dispute.place.level = 0;
        bytes32 root = trees.root(position, row);
        vm.prank(provider);
        if (first) court.answer(dispute, root, shown);
        else court.reveal(dispute, shown);
        noteExecution();
        moved(dispute);
        if (first) {
            dispute.traceRoot = root;
            dispute.place.node = root;
            dispute.place.level = Descent.SEALED;
        }
        dispute.place = trees.openedPlace(dispute.place, shown);
        dispute.children = keccak256(abi.encodePacked(shown.children));
        dispute.phase = ICourt.Phase.Choosing;
    }

    function chooses(ICourt.Dispute memory dispute, bytes32[] memory children, uint256 child)
        internal
    {
        vm.prank(challenger);
        court.choose(dispute, children, child);
        noteExecution();
        moved(dispute);
        bool isLeaf;
        (dispute.place, isLeaf) = trees.chosenPlace(dispute.place, children, child);
        dispute.children = 0;
        dispute.phase = isLeaf ? ICourt.Phase.Showing : ICourt.Phase.Revealing;
    }

    /// @dev Walks from a fresh dispute to a leaf and has it shown.
    function walks(ICourt.Dispute memory dispute, uint256 position, uint256 row, uint256 leaf)
        internal
        returns (uint256 moves)
    {
        while (dispute.phase != ICourt.Phase.Showing) {
            Descent.Reveal memory shown = shows(dispute, position, row);
            uint256 goal = dispute.place.tree == 0 ? position : dispute.place.tree == 1 ? row : leaf;
            chooses(dispute, shown.children, trees.childTowards(dispute.place, goal));
            moves += 2;
        }
        bytes memory data = trees.leafData(position, row, leaf);
        vm.prank(provider);
        court.show(dispute, data);
        noteExecution();
        moved(dispute);
        dispute.phase = ICourt.Phase.Proving;
        return moves + 1;
    }
}
