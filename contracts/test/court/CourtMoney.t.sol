// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IReceipts} from "../../compute/IReceipts.sol";
import {ICourt} from "../../dispute/ICourt.sol";
import {IJudge} from "../../dispute/IJudge.sol";
import {IVault} from "../../dispute/IVaults.sol";
import {IModelRegistry} from "../../model/IModelRegistry.sol";
import {IChannels} from "../../settlement/IChannels.sol";
import {IStake} from "../../settlement/IStake.sol";
import {CourtBase} from "./CourtBase.sol";

/// @notice Convictions in one transaction, who is paid for them, and what nobody can get.
contract CourtMoneyTest is CourtBase {
    function convicted(ICourt.Claim memory claim, address by)
        private
        returns (ICourt.Verdict memory verdict)
    {
        (uint96 staked,,) = stake.stakes(provider);
        ICourt.Trace memory trace = traceOf(claim, keccak256("root"));
        vm.prank(by);
        court.convict(claim, trace, model, guilty(), 0);
        verdict = ICourt.Verdict({
            jobId: claim.receipt.jobId,
            provider: provider,
            requester: payer,
            claimant: by,
            committedAt: uint64(block.number),
            proofHash: keccak256(guilty().data),
            releaseAt: uint64(block.timestamp) + RELEASE,
            price: PRICE,
            taken: staked,
            slashed: staked
        });
        assertEq(court.verdicts(verdict.jobId), keccak256(abi.encode(verdict)));
    }

    function testConvictionTakesTheStakeAndPaysAfterTheDelay() external {
        ICourt.Verdict memory verdict = convicted(claimOf(job(1)), challenger);
        (uint96 staked,,) = stake.stakes(provider);
        assertEq(staked, 0);
        assertEq(dollar.balanceOf(address(court)), STAKED);
        vm.expectPartialRevert(ICourt.ReleaseNotReady.selector);
        court.release(verdict);
        uint256 before = dollar.balanceOf(payer);
        vm.warp(verdict.releaseAt);
        court.release(verdict);
        assertEq(dollar.balanceOf(payer), before + PRICE);
        assertEq(dollar.balanceOf(challenger), STAKED / 2);
        (uint128 kept, uint64 burnAt) = court.remainders(provider);
        assertEq(kept, STAKED - STAKED / 2 - PRICE);
        vm.expectPartialRevert(ICourt.NotConvicted.selector);
        court.release(verdict);
        vm.expectPartialRevert(ICourt.BurnNotReady.selector);
        court.burn(provider);
        vm.warp(burnAt);
        court.burn(provider);
        assertEq(dollar.balanceOf(BURNED), kept);
        assertEq(dollar.balanceOf(address(court)), 0);
        vm.expectPartialRevert(ICourt.NothingToBurn.selector);
        court.burn(provider);
    }

    function testLaterVictimsAreRefundedFromWhatIsKept() external {
        ICourt.Verdict memory first = convicted(claimOf(job(1)), challenger);
        ICourt.Verdict memory second = convicted(claimOf(job(2)), stranger);
        assertEq(second.taken, 0);
        uint256 before = dollar.balanceOf(payer);
        vm.warp(first.releaseAt);
        court.release(first);
        court.release(second);
        assertEq(dollar.balanceOf(payer), before + 2 * PRICE);
        assertEq(dollar.balanceOf(stranger), 0);
    }

    function testOneConvictionPerJob() external {
        ICourt.Claim memory claim = claimOf(job(1));
        convicted(claim, challenger);
        vm.expectPartialRevert(ICourt.AlreadyConvicted.selector);
        court.convict(claim, noTrace(), model, guilty(), 0);
    }

    function testBondOfADisputeAfterTheConvictionComesBack() external {
        ICourt.Claim memory claim = claimOf(job(1));
        convicted(claim, stranger);
        ICourt.Dispute memory dispute = opened(claim);
        uint256 before = challenger.balance;
        court.returnBond(dispute);
        assertEq(challenger.balance, before + BOND);
    }

    function testSelfConvictionLosesMoney() external {
        // The provider is its own requester and challenger, and still loses at least half of its stake.
        IReceipts.Job memory own = job(1);
        own.requester = provider;
        ICourt.Claim memory claim = claimOf(own);
        uint256 before = dollar.balanceOf(provider) + STAKED;
        vm.prank(provider);
        court.convict(claim, noTrace(), model, guilty(), 0);
        vm.warp(block.timestamp + RELEASE);
        court.release(
            ICourt.Verdict({
                jobId: claim.receipt.jobId,
                provider: provider,
                requester: provider,
                claimant: provider,
                committedAt: uint64(block.number),
                proofHash: keccak256(guilty().data),
                releaseAt: uint64(block.timestamp),
                price: PRICE,
                taken: STAKED,
                slashed: STAKED
            })
        );
        assertEq(dollar.balanceOf(provider), before - STAKED / 2 + PRICE);
    }

    function testSelfConvictionOfAFullVaultLosesTheVault() external {
        // Half of the stake comes back as the bounty, nothing of what customers paid.
        earn(2 * STAKED);
        IVault(vaults.vaultOf(provider)).collect();
        ICourt.Claim memory claim = claimOf(job(1));
        vm.prank(stranger);
        court.convict(claim, noTrace(), model, guilty(), 0);
        ICourt.Verdict memory verdict = ICourt.Verdict({
            jobId: claim.receipt.jobId,
            provider: provider,
            requester: payer,
            claimant: stranger,
            committedAt: uint64(block.number),
            proofHash: keccak256(guilty().data),
            releaseAt: uint64(block.timestamp) + RELEASE,
            price: PRICE,
            taken: 3 * STAKED,
            slashed: STAKED
        });
        vm.warp(verdict.releaseAt);
        court.release(verdict);
        assertEq(dollar.balanceOf(stranger), STAKED / 2);
    }

    // WHO IS PAID

    function testCopiedProofPaysWhoCommittedToIt() external {
        ICourt.Claim memory claim = claimOf(job(1));
        bytes32 proofHash = keccak256(guilty().data);
        bytes32 salt = keccak256("secret");
        vm.prank(challenger);
        court.commit(keccak256(abi.encode(claim.receipt.jobId, proofHash, challenger, salt)));
        courtVm.roll(block.number + 1);
        ICourt.Verdict memory verdict = convicted(claim, stranger);
        vm.prank(challenger);
        court.claimBounty(verdict, salt);
        (verdict.claimant, verdict.committedAt) = (challenger, uint64(block.number - 1));
        vm.warp(verdict.releaseAt);
        court.release(verdict);
        assertEq(dollar.balanceOf(challenger), STAKED / 2);
        assertEq(dollar.balanceOf(stranger), 0);
    }

    function testCommitmentWithoutTheProofIsWorthNothing() external {
        ICourt.Claim memory claim = claimOf(job(1));
        bytes32 salt = keccak256("secret");
        vm.prank(stranger);
        court.commit(keccak256(abi.encode(claim.receipt.jobId, bytes32(0), stranger, salt)));
        courtVm.roll(block.number + 1);
        ICourt.Verdict memory verdict = convicted(claim, challenger);
        vm.prank(stranger);
        vm.expectPartialRevert(ICourt.CommitmentLater.selector);
        court.claimBounty(verdict, salt);
    }

    function testCommitmentAfterTheProofIsTooLate() external {
        ICourt.Claim memory claim = claimOf(job(1));
        ICourt.Verdict memory verdict = convicted(claim, challenger);
        bytes32 salt = keccak256("secret");
        vm.prank(stranger);
        court.commit(keccak256(abi.encode(claim.receipt.jobId, verdict.proofHash, stranger, salt)));
        vm.prank(stranger);
        vm.expectPartialRevert(ICourt.CommitmentLater.selector);
        court.claimBounty(verdict, salt);
    }

    function testBountyOfAForcedDisputeIsTheChallengersWhoeverSendsTheProof() external {
        ICourt.Claim memory claim = claimOf(job(1));
        ICourt.Dispute memory dispute = opened(claim);
        walks(dispute, 5, 3, 8);
        vm.recordLogs();
        vm.prank(stranger);
        court.convictOpened(dispute, claim, model, guilty());
        ICourt.Verdict memory verdict = ICourt.Verdict({
            jobId: dispute.jobId,
            provider: provider,
            requester: payer,
            claimant: challenger,
            committedAt: uint64(block.number),
            proofHash: 0,
            releaseAt: uint64(block.timestamp) + RELEASE,
            price: PRICE,
            taken: STAKED,
            slashed: STAKED
        });
        assertEq(court.verdicts(dispute.jobId), keccak256(abi.encode(verdict)));
    }

    // EQUIVOCATION

    function testTwoReceiptsConvict() external {
        ICourt.Claim memory claim = claimOf(job(1));
        IReceipts.Receipt memory second = claimOf(job(1)).receipt;
        bytes memory same = signed(receipts.hashReceipt(second));
        vm.expectRevert(ICourt.NotEquivocal.selector);
        court.convictOfTwoReceipts(claim, second, same, 0);
        second.outputRoot = keccak256("another answer");
        vm.expectPartialRevert(ICourt.SignatureInvalid.selector);
        court.convictOfTwoReceipts(claim, second, same, 0);
        bytes memory signature = signed(receipts.hashReceipt(second));
        court.convictOfTwoReceipts(claim, second, signature, 0);
        assertTrue(court.verdicts(claim.receipt.jobId) != 0, "convicted");
    }

    function testReceiptOfAnotherJobIsNoEquivocation() external {
        ICourt.Claim memory claim = claimOf(job(1));
        ICourt.Claim memory other = claimOf(job(2));
        vm.expectPartialRevert(ICourt.ReceiptOfAnotherJob.selector);
        court.convictOfTwoReceipts(claim, other.receipt, other.signature, 0);
    }

    function testTwoTracesConvict() external {
        ICourt.Claim memory claim = claimOf(job(1));
        ICourt.Trace memory first = traceOf(claim, keccak256("a"));
        vm.expectRevert(ICourt.NotEquivocal.selector);
        court.convictOfTwoTraces(claim, first, first, 0);
        ICourt.Trace memory other = traceOf(claimOf(job(2)), keccak256("b"));
        vm.expectPartialRevert(ICourt.SignatureInvalid.selector);
        court.convictOfTwoTraces(claim, first, other, 0);
        court.convictOfTwoTraces(claim, first, traceOf(claim, keccak256("b")), 0);
        assertTrue(court.verdicts(claim.receipt.jobId) != 0, "convicted");
    }

    // WHAT IS SIGNED

    function testTraceMustBeSignedForThisJobByThisProvider() external {
        ICourt.Claim memory claim = claimOf(job(1));
        ICourt.Trace memory other = traceOf(claimOf(job(2)), keccak256("root"));
        vm.expectPartialRevert(ICourt.SignatureInvalid.selector);
        court.convict(claim, other, model, guilty(), 0);
    }

    function testModelMustBeTheJobs() external {
        ICourt.Claim memory claim = claimOf(job(1));
        ICourt.Trace memory trace = traceOf(claim, keccak256("root"));
        IModelRegistry.Model memory other = model;
        other.graphRoot = keccak256("another graph");
        vm.expectPartialRevert(ICourt.ModelOfAnotherJob.selector);
        court.convict(claim, trace, other, guilty(), 0);
    }

    function testModelsOfAnotherArithmeticAreNotJudged() external {
        model.specId = keccak256("another arithmetic");
        ICourt.Claim memory claim = claimOf(job(1));
        ICourt.Trace memory trace = traceOf(claim, keccak256("root"));
        vm.expectRevert(abi.encodeWithSelector(ICourt.SpecUnknown.selector, model.specId));
        court.convict(claim, trace, model, guilty(), 0);
    }

    function testKindsOfNoJudgeAreRefused() external {
        ICourt.Claim memory claim = claimOf(job(1));
        vm.expectRevert(abi.encodeWithSelector(IJudge.KindUnknown.selector, uint8(0x50)));
        court.convict(claim, noTrace(), model, ICourt.Proof(0x50, hex"01"), 0);
    }

    function testClaimOfAnotherChainOrContractIsNotSigned() external {
        ICourt.Claim memory claim = claimOf(job(1));
        vm.chainId(10);
        vm.expectPartialRevert(ICourt.ReceiptOfAnotherJob.selector);
        court.convict(claim, noTrace(), model, guilty(), 0);
    }

    // EARNINGS

    function vaultConfig() private returns (IChannels.ChannelConfig memory config) {
        config = plainConfig();
        config.receiver = vaults.create(provider);
        config.receiverAuthorizer = provider;
    }

    function earn(uint128 amount) private {
        claim(vaultConfig(), amount);
    }

    function claim(IChannels.ChannelConfig memory config, uint128 amount) private {
        open(config, amount);
        IChannels.LaneClaim[] memory claims = new IChannels.LaneClaim[](1);
        claims[0] = laneClaim(PAYER_KEY, config, 0, amount, keccak256("receipts"));
        channels.claimLanes(payeeOf(config), claims);
    }

    function testEarningsWaitInTheVaultAndNoMoreThanTheStakeLeavesPerWindow() external {
        vm.prank(provider);
        stake.requestWithdrawal(STAKED - 40e6);
        earn(100e6);
        IVault vault = IVault(vaults.vaultOf(provider));
        assertEq(vault.collect(), 0);
        (uint128 amount, uint64 readyAt) = vault.batch();
        assertEq(amount, 40e6);
        vm.warp(readyAt - 1);
        assertEq(vault.collect(), 0);
        uint256 before = dollar.balanceOf(provider);
        vm.warp(readyAt);
        assertEq(vault.collect(), 40e6);
        assertEq(dollar.balanceOf(provider), before + 40e6);
        vm.warp(block.timestamp + 2 days);
        assertEq(vault.collect(), 40e6);
        vm.warp(block.timestamp + 2 days);
        assertEq(vault.collect(), 20e6);
        assertEq(dollar.balanceOf(address(vault)), 0);
        assertEq(vault.collect(), 0);
    }

    function testWithoutStakeNothingLeaves() external {
        vm.prank(provider);
        stake.requestWithdrawal(STAKED);
        earn(100e6);
        IVault vault = IVault(vaults.vaultOf(provider));
        vault.collect();
        vm.warp(block.timestamp + 30 days);
        assertEq(vault.collect(), 0);
        assertEq(dollar.balanceOf(address(vault)), 100e6);
    }

    function testMassCheatAndExitLosesWhatIsNotYetPaid() external {
        earn(100e6);
        IVault vault = IVault(vaults.vaultOf(provider));
        vault.collect();
        ICourt.Claim memory claim = claimOf(job(1));
        court.convict(claim, noTrace(), model, guilty(), 0);
        assertEq(dollar.balanceOf(address(vault)), 0);
        assertEq(dollar.balanceOf(address(court)), STAKED + 100e6);
        vm.warp(block.timestamp + 2 days);
        assertEq(vault.collect(), 0);
    }

    function testVaultThatWasNeverCreatedIsConfiscatedAllTheSame() external {
        address vault = vaults.vaultOf(provider);
        dollar.mint(vault, 70e6);
        court.convict(claimOf(job(1)), noTrace(), model, guilty(), 0);
        assertTrue(vault.code.length != 0, "created");
        assertEq(dollar.balanceOf(vault), 0);
        assertEq(dollar.balanceOf(address(court)), STAKED + 70e6);
    }

    function testWhatChannelsPromiseAVaultThatWasNeverCreatedIsConfiscated() external {
        IChannels.ChannelConfig memory config = plainConfig();
        config.receiver = vaults.vaultOf(provider);
        config.receiverAuthorizer = provider;
        claim(config, 60e6);
        court.convict(claimOf(job(1)), noTrace(), model, guilty(), 0);
        assertEq(dollar.balanceOf(address(court)), STAKED + 60e6);
    }

    function testNoVaultIsMadeForNothing() external {
        court.convict(claimOf(job(1)), noTrace(), model, guilty(), 0);
        assertEq(vaults.vaultOf(provider).code.length, 0);
    }

    // AFTER A CONVICTION

    function testVouchersClaimedAfterTheConvictionAreSwept() external {
        ICourt.Verdict memory verdict = convicted(claimOf(job(1)), challenger);
        earn(80e6);
        court.sweep(verdict);
        assertEq(dollar.balanceOf(vaults.vaultOf(provider)), 0);
        (uint128 kept, uint64 burnAt) = court.remainders(provider);
        assertEq(kept, 80e6);
        assertEq(burnAt, verdict.releaseAt + RELEASE);
        vm.expectPartialRevert(ICourt.NothingToSweep.selector);
        court.sweep(verdict);
        vm.expectPartialRevert(ICourt.BurnNotReady.selector);
        court.burn(provider);
        // The bounty is half of the stake, whatever was swept.
        vm.warp(verdict.releaseAt);
        court.release(verdict);
        assertEq(dollar.balanceOf(challenger), STAKED / 2);
        (kept,) = court.remainders(provider);
        assertEq(kept, 80e6 + STAKED - STAKED / 2 - PRICE);
        assertEq(dollar.balanceOf(address(court)), kept);
    }

    function testSweptMoneyRefundsLaterVictims() external {
        ICourt.Verdict memory first = convicted(claimOf(job(1)), challenger);
        vm.warp(first.releaseAt);
        court.release(first);
        (uint128 kept,) = court.remainders(provider);
        earn(80e6);
        court.sweep(first);
        (uint128 more,) = court.remainders(provider);
        assertEq(more, kept + 80e6);
        ICourt.Verdict memory second = convicted(claimOf(job(2)), stranger);
        uint256 before = dollar.balanceOf(payer);
        vm.warp(second.releaseAt);
        court.release(second);
        assertEq(dollar.balanceOf(payer), before + PRICE);
        (uint128 left,) = court.remainders(provider);
        assertEq(left, more - PRICE);
    }

    function testNobodySweepsAProviderThatIsNotConvicted() external {
        ICourt.Verdict memory verdict;
        verdict.provider = provider;
        verdict.releaseAt = uint64(block.timestamp + 1);
        vm.expectPartialRevert(ICourt.SweepOver.selector);
        court.sweep(verdict);
        // Nor by the verdict of another provider, nor by one that was changed.
        verdict = convicted(claimOf(job(1)), challenger);
        earn(80e6);
        verdict.provider = stranger;
        vm.expectPartialRevert(ICourt.SweepOver.selector);
        court.sweep(verdict);
    }

    function testProviderEarnsAgainOnceItsConvictionIsOver() external {
        ICourt.Verdict memory verdict = convicted(claimOf(job(1)), challenger);
        vm.warp(verdict.releaseAt);
        court.release(verdict);
        (, uint64 burnAt) = court.remainders(provider);
        earn(80e6);
        vm.warp(burnAt);
        vm.expectPartialRevert(ICourt.SweepOver.selector);
        court.sweep(verdict);
        vm.prank(provider);
        stake.deposit(provider, 100e6);
        IVault vault = IVault(vaults.vaultOf(provider));
        vault.collect();
        vm.warp(block.timestamp + 2 days);
        assertEq(vault.collect(), 80e6);
    }

    function testSweepingDoesNotMakeTheTimeLonger() external {
        ICourt.Verdict memory verdict = convicted(claimOf(job(1)), challenger);
        vm.warp(verdict.releaseAt);
        court.release(verdict);
        (, uint64 burnAt) = court.remainders(provider);
        earn(80e6);
        vm.warp(burnAt - 1);
        court.sweep(verdict);
        (, uint64 after_) = court.remainders(provider);
        assertEq(after_, burnAt);
        vm.warp(burnAt);
        court.burn(provider);
        assertEq(dollar.balanceOf(address(court)), 0);
    }

    function testStakeCannotLeaveWithinTheWindow() external {
        vm.prank(provider);
        stake.requestWithdrawal(STAKED);
        vm.warp(block.timestamp + 7 days - 1);
        vm.prank(provider);
        vm.expectPartialRevert(IStake.WithdrawNotReady.selector);
        stake.withdraw();
        court.convict(claimOf(job(1)), noTrace(), model, guilty(), 0);
        vm.warp(block.timestamp + 1);
        vm.prank(provider);
        vm.expectPartialRevert(IStake.NothingToWithdraw.selector);
        stake.withdraw();
    }

    function testOnlyTheCourtConfiscates() external {
        vm.expectPartialRevert(bytes4(keccak256("CallerNotCourt(address)")));
        vaults.confiscate(provider);
        IVault vault = IVault(vaults.create(provider));
        vm.expectPartialRevert(IVault.CallerNotVaults.selector);
        vault.confiscate(stranger);
    }

    function testVaultAddressIsKnownBefore() external {
        address expected = vaults.vaultOf(provider);
        assertEq(vaults.create(provider), expected);
        assertEq(vaults.create(provider), expected);
        assertEq(IVault(expected).PROVIDER(), provider);
    }
}
