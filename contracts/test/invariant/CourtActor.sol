// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IReceipts} from "../../compute/IReceipts.sol";
import {ICourt} from "../../dispute/ICourt.sol";
import {IVault} from "../../dispute/IVaults.sol";
import {IModelRegistry} from "../../model/IModelRegistry.sol";
import {IChannels} from "../../settlement/IChannels.sol";
import {CourtMoves} from "../court/CourtMoves.sol";
import {TraceTrees} from "../court/TraceTrees.sol";
import {CourtLedger} from "./CourtLedger.sol";

/// @notice Everything that two providers, three challengers and strangers can do to a court, a stake and vaults, in any
/// order, wrong moves among it. After each it says whether that had to work. The judge of the court must be the one of
/// test/court/CourtBase.sol, which finds guilty what the first byte of a proof says.
contract CourtActor is CourtLedger {
    uint256 private constant REQUESTER_KEY = 0xA11CE;
    uint128 private constant PRICE = 3e6;
    uint40 private constant CHANNEL_DELAY = 1 hours;
    bytes32 private constant SALT = keccak256("salt of every commitment");
    bytes32 private constant PROOF_HASH = keccak256(hex"01aa");

    uint64 private constant POSITIONS = 3;

    CourtMoves private immutable MOVES = new CourtMoves(new TraceTrees(POSITIONS, 2, 20));
    address private immutable TEST = msg.sender;

    IModelRegistry.Model private _model;
    bytes[JOB_COUNT] private _claims;
    bytes32[JOB_COUNT] private _jobIds;

    constructor(
        World memory world_,
        IReceipts.Job memory template,
        IModelRegistry.Model memory model
    ) {
        (world, terms, _model) = (world_, world_.court.terms(), model);
        requester = vm.addr(REQUESTER_KEY);
        challengers = [vm.addr(0xC4A1), vm.addr(0xC4A2), vm.addr(0xC4A3)];
        vm.etch(challengers[2], hex"5f5ffd");
        for (uint256 i = 0; i < providers.length; ++i) {
            providers[i] = vm.addr(providerKey(i));
            world.vaults.create(providers[i]);
            world.dollar.mint(providers[i], 1_000_000e6);
            vm.prank(providers[i]);
            world.dollar.approve(address(world.stake), type(uint256).max);
        }
        world.dollar.mint(requester, 1_000_000e6);
        vm.prank(requester);
        world.dollar.approve(address(world.channels), type(uint256).max);
        for (uint256 job = 0; job < JOB_COUNT; ++job) {
            ICourt.Claim memory claim = signClaim(template, job);
            (_claims[job], _jobIds[job]) = (abi.encode(claim), claim.receipt.jobId);
        }
        noteBeginning();
    }

    function noteBeginning() private {
        for (uint256 i = 0; i < CHALLENGER_COUNT; ++i) {
            courtVm.deal(challengers[i], 100 ether);
        }
        address[9] memory accounts = allAccounts();
        for (uint256 i = 0; i < accounts.length; ++i) {
            money[accounts[i]] = world.dollar.balanceOf(accounts[i]);
            coins[accounts[i]] = accounts[i].balance;
        }
        for (uint256 i = 0; i < providers.length; ++i) {
            stakeMore(i, 50e6);
        }
    }

    // DISPUTES

    function open(uint256 slot, bool wrongBond) external {
        slot %= SLOT_COUNT;
        ICourt.Claim memory claim = claimOf(jobOf(slot));
        uint256 bond = wrongBond ? terms.bond - 1 : terms.bond;
        bool due =
            !isStored(slot) && !wrongBond && block.timestamp <= claim.job.expiresAt + terms.window;
        bool done = sends(challengerOf(slot), bond, abi.encodeCall(ICourt.open, (claim)));
        assertTrue(done == due, "open");
        if (done) opened(slot, claim);
    }

    function opened(uint256 slot, ICourt.Claim memory claim) private {
        ICourt.Dispute memory dispute;
        (dispute.jobId, dispute.challenger) = (claim.receipt.jobId, challengerOf(slot));
        dispute.provider = claim.job.provider;
        dispute.phase = ICourt.Phase.Answering;
        dispute.walks = world.court.WALKS() - 1;
        dispute.positions = uint32(POSITIONS);
        (dispute.challengerTime, dispute.providerTime) = (terms.clock, terms.clock);
        dispute.movedAt = uint64(block.timestamp);
        dispute.receiptHash = world.receipts.hashReceipt(claim.receipt);
        dispute.bond = terms.bond;
        _disputes[slot] = dispute;
        ++storedCount;
        ++seen["open"];
        coins[dispute.challenger] -= terms.bond;
        coins[address(world.court)] += terms.bond;
    }

    /// @dev Right moves of whoever it is to move, as long as he may.
    function play(uint256 slot, uint256 moves, uint256 leaf) external {
        slot = near(slot);
        moves = bound(moves, 1, 24);
        for (uint256 i = 0; i < moves && mayMove(slot); ++i) {
            playOne(slot, leaf);
        }
    }

    function mayMove(uint256 slot) private view returns (bool) {
        ICourt.Dispute memory dispute = _disputes[slot];
        if (!isStored(slot) || convicted[jobOf(slot)]) return false;
        if (dispute.phase == ICourt.Phase.Proving && dispute.walks == 0) return false;
        return block.timestamp <= upAt(dispute);
    }

    function playOne(uint256 slot, uint256 leaf) private {
        ICourt.Dispute memory dispute = _disputes[slot];
        bytes memory call = MOVES.moveOf(dispute, goalOf(slot, leaf));
        assertTrue(sends(moverOf(dispute), 0, call), "a right move works");
        ++seen[nameOf(dispute.phase)];
        _disputes[slot] = MOVES.next(dispute, goalOf(slot, leaf));
    }

    function nameOf(ICourt.Phase phase) private pure returns (bytes32) {
        bytes32[6] memory names = [bytes32("open"), "answer", "reveal", "choose", "show", "again"];
        return names[uint256(phase)];
    }

    function goalOf(uint256 slot, uint256 leaf) private pure returns (CourtMoves.Goal memory) {
        return CourtMoves.Goal(slot % 3, slot % 2, leaf);
    }

    /// @dev A move that is wrong in one way: its mover, its phase, its state or its bytes.
    function moveWrong(uint256 slot, uint256 way, uint256 leaf) external {
        slot = near(slot);
        ICourt.Dispute memory dispute = _disputes[slot];
        if (!isStored(slot)) {
            (dispute.jobId, dispute.challenger) = (_jobIds[jobOf(slot)], challengerOf(slot));
            (dispute.provider, dispute.phase) = (providerOf(jobOf(slot)), ICourt.Phase.Proving);
        }
        address mover = moverOf(dispute);
        bytes memory call;
        way %= 6;
        if (way == 0) {
            call = MOVES.moveOf(dispute, goalOf(slot, leaf));
            mover = mover == dispute.provider ? dispute.challenger : dispute.provider;
        } else if (way == 1) {
            call = MOVES.moveOf(dispute, goalOf(slot, leaf));
            // Of the last node, of the bytes of a leaf, or of the state.
            call[call.length - 1] ^= 0x01;
        } else {
            call = wrongState(slot, dispute, way, leaf);
        }
        assertTrue(!sends(mover, 0, call), "a wrong move is refused");
        ++seen["refused"];
    }

    /// @dev A state that would be good for somebody, or that was a moment ago.
    function wrongState(uint256 slot, ICourt.Dispute memory dispute, uint256 way, uint256 leaf)
        private
        view
        returns (bytes memory)
    {
        if (way == 2) dispute.bond += 1;
        if (way == 3) (dispute.challengerTime, dispute.providerTime) = (1 days, 1 days);
        if (way == 4) dispute.jobId = _jobIds[(jobOf(slot) + 1) % JOB_COUNT];
        if (way == 5) dispute.phase = ICourt.Phase(1 + (uint256(dispute.phase) + leaf % 4) % 5);
        return way == 5
            ? abi.encodeCall(ICourt.again, (dispute))
            : MOVES.moveOf(dispute, goalOf(slot, leaf));
    }

    function timeOut(uint256 slot) public {
        slot = near(slot);
        ICourt.Dispute memory dispute = _disputes[slot];
        uint256 job = jobOf(slot);
        bool due = isStored(slot) && block.timestamp > upAt(dispute) && !convicted[job];
        bytes memory call = abi.encodeCall(ICourt.timeOut, (dispute, claimOf(job)));
        assertTrue(sends(address(this), 0, call) == due, "time out");
        if (!due) return;
        if (isProviders(dispute.phase)) {
            closed(slot, dispute.challenger);
            condemned(job, dispute.challenger, block.number, 0);
            ++seen["silent"];
        } else {
            closed(slot, dispute.provider);
            ++seen["dismissed"];
        }
    }

    function returnBond(uint256 slot) public {
        slot = near(slot);
        ICourt.Dispute memory dispute = _disputes[slot];
        bool due = isStored(slot) && convicted[jobOf(slot)];
        bytes memory call = abi.encodeCall(ICourt.returnBond, (dispute));
        assertTrue(sends(address(this), 0, call) == due, "return a bond");
        if (!due) return;
        closed(slot, dispute.challenger);
        ++seen["returned"];
    }

    // CONVICTIONS

    function commit(uint256 job, uint256 by) external {
        (job, by) = (job % JOB_COUNT, by % CHALLENGER_COUNT);
        address account = challengers[by];
        bytes32 hash = keccak256(abi.encode(_jobIds[job], PROOF_HASH, account, SALT));
        assertTrue(sends(account, 0, abi.encodeCall(ICourt.commit, (hash))), "commit");
        if (commitBlock[job][account] == 0) commitBlock[job][account] = block.number;
    }

    function convict(uint256 job, uint256 by, bool withTrace, bool withSalt) external {
        (job, by) = (job % JOB_COUNT, by % CHALLENGER_COUNT);
        ICourt.Trace memory trace;
        if (withTrace) trace = signTrace(job, keccak256("root"));
        bytes memory call = abi.encodeCall(
            ICourt.convict,
            (claimOf(job), trace, _model, proofAgainst(job), withSalt ? SALT : bytes32(0))
        );
        bool due = !isHonest(job) && !convicted[job];
        assertTrue(sends(challengers[by], 0, call) == due, "convict");
        uint256 since = withSalt ? commitBlock[job][challengers[by]] : 0;
        if (due) condemned(job, challengers[by], since == 0 ? block.number : since, PROOF_HASH);
    }

    function convictOpened(uint256 slot, uint256 by) external {
        slot = near(slot);
        ICourt.Dispute memory dispute = _disputes[slot];
        uint256 job = jobOf(slot);
        bytes memory call = abi.encodeCall(
            ICourt.convictOpened, (dispute, claimOf(job), _model, proofAgainst(job))
        );
        bool due = isStored(slot) && dispute.traceRoot != 0 && !isHonest(job) && !convicted[job];
        bool done = sends(challengers[by % CHALLENGER_COUNT], 0, call);
        assertTrue(done == due, "convict in a dispute");
        if (!due) return;
        closed(slot, dispute.challenger);
        condemned(job, dispute.challenger, block.number, 0);
        ++seen["convicted"];
    }

    /// @dev The honest provider signs one receipt and one root; whoever shows them twice shows nothing.
    function equivocate(uint256 job, uint256 by, bool traces) external {
        (job, by) = (job % JOB_COUNT, by % CHALLENGER_COUNT);
        (bytes memory call, bytes32 hash) = traces ? twoTraces(job) : twoReceipts(job);
        bool due = !isHonest(job) && !convicted[job];
        assertTrue(sends(challengers[by], 0, call) == due, "convict of equivocation");
        if (due) condemned(job, challengers[by], block.number, hash);
    }

    function twoTraces(uint256 job) private view returns (bytes memory call, bytes32 hash) {
        hash = isHonest(job) ? keccak256("root") : keccak256("other root");
        ICourt.Trace memory first = signTrace(job, keccak256("root"));
        ICourt.Trace memory second = signTrace(job, hash);
        call = abi.encodeCall(ICourt.convictOfTwoTraces, (claimOf(job), first, second, 0));
    }

    function twoReceipts(uint256 job) private view returns (bytes memory call, bytes32 hash) {
        IReceipts.Receipt memory second = claimOf(job).receipt;
        if (!isHonest(job)) second.outputRoot = keccak256("another answer");
        hash = world.receipts.hashReceipt(second);
        bytes memory signature = signs(job, hash);
        call = abi.encodeCall(ICourt.convictOfTwoReceipts, (claimOf(job), second, signature, 0));
    }

    // AFTERWARDS

    function claimBounty(uint256 index, uint256 by) external {
        if (_sentences.length == 0) return;
        index %= _sentences.length;
        ICourt.Verdict memory verdict = _sentences[index].verdict;
        address account = committer(jobOfId(verdict.jobId), by);
        uint256 since = commitBlock[jobOfId(verdict.jobId)][account];
        bool due = !_sentences[index].paid && verdict.proofHash == PROOF_HASH && since != 0
            && since < verdict.committedAt;
        bytes memory call = abi.encodeCall(ICourt.claimBounty, (verdict, SALT));
        assertTrue(sends(account, 0, call) == due, "claim a bounty");
        if (!due) return;
        ++seen["bounty claimed"];
        _sentences[index].verdict.claimant = account;
        _sentences[index].verdict.committedAt = uint64(since);
    }

    function release(uint256 index) public {
        if (_sentences.length == 0) return;
        index %= _sentences.length;
        ICourt.Verdict memory verdict = _sentences[index].verdict;
        bool due = !_sentences[index].paid && block.timestamp >= verdict.releaseAt;
        bytes memory call = abi.encodeCall(ICourt.release, (verdict));
        assertTrue(sends(address(this), 0, call) == due, "release");
        if (due) released(index);
    }

    function burn(uint256 provider) public {
        address account = providers[provider % 2];
        bool due = keptOf[account] != 0 && block.timestamp >= burnAtOf[account];
        bytes memory call = abi.encodeCall(ICourt.burn, (account));
        assertTrue(sends(address(this), 0, call) == due, "burn");
        if (due) burned(account);
    }

    // STAKE AND EARNINGS

    function stakeMore(uint256 provider, uint96 amount) public {
        address account = providers[provider % 2];
        amount = uint96(bound(amount, 1, 50e6));
        vm.prank(account);
        world.stake.deposit(account, amount);
        stakeOf[account] += amount;
        pays(account, address(world.stake), amount);
    }

    /// @dev Rarely anew while one waits: each begins the delay again.
    function requestStake(uint256 provider, uint96 amount) external {
        address account = providers[provider % 2];
        (, uint96 requested,) = world.stake.stakes(account);
        if (requested != 0 && amount % 8 != 0) return;
        vm.prank(account);
        world.stake.requestWithdrawal(uint96(bound(amount, 0, stakeOf[account])));
    }

    function withdrawStake(uint256 provider) external {
        address account = providers[provider % 2];
        (, uint96 requested, uint64 readyAt) = world.stake.stakes(account);
        bool due = requested != 0 && block.timestamp >= readyAt;
        vm.prank(account);
        try world.stake.withdraw() {
            assertTrue(due, "withdrawn in time");
            stakeOf[account] -= requested;
            pays(address(world.stake), account, requested);
            ++seen["withdrawn"];
        } catch {
            assertTrue(!due, "a ready withdrawal works");
        }
    }

    /// @dev The requester pays a vault over its channel; the money stays in the contract of channels until somebody
    /// fetches it.
    function earn(uint256 provider, uint128 amount) external {
        address vault = world.vaults.vaultOf(providers[provider % 2]);
        amount = uint128(bound(amount, 1, 30e6));
        IChannels.ChannelConfig memory config = IChannels.ChannelConfig({
            payer: requester,
            payerAuthorizer: address(0),
            receiver: vault,
            receiverAuthorizer: providers[provider % 2],
            token: address(world.dollar),
            withdrawDelay: CHANNEL_DELAY,
            salt: 0
        });
        vm.prank(requester);
        world.channels.deposit(config, amount);
        world.channels
            .claimLanes(
                IChannels.Payee(vault, config.receiverAuthorizer, config.token, CHANNEL_DELAY),
                signLane(config)
            );
        earnedOf[providers[provider % 2]] += amount;
        pays(requester, address(world.vaults), amount);
    }

    function collect(uint256 provider) external {
        address account = providers[provider % 2];
        IVault vault = IVault(world.vaults.vaultOf(account));
        (uint128 before, uint64 readyAt) = vault.batch();
        bool due = before != 0 && block.timestamp >= readyAt;
        assertEq(vault.collect(), due ? before : 0);
        if (due) earnedOf[account] -= before;
        if (due) pays(address(world.vaults), account, before);
        if (due) ++seen["collected"];
        (uint128 next, uint64 nextReadyAt) = vault.batch();
        if (next == 0 || nextReadyAt == readyAt) return;
        (uint96 staked, uint96 requested,) = world.stake.stakes(account);
        assertTrue(next <= staked - requested, "a batch is at most the stake behind it");
        assertTrue(next <= earnedOf[account], "a batch is at most what is there");
    }

    // TIME

    /// @dev The honest provider moves before its time is up, if it has not moved before.
    function wait(uint256 time, bool long) public {
        uint256 until = block.timestamp + bound(time, 1, long ? 2 days : 3 hours);
        courtVm.roll(block.number + 1);
        for (uint256 slot = 0; slot < SLOT_COUNT; ++slot) {
            ICourt.Dispute memory dispute = _disputes[slot];
            if (!isHonest(jobOf(slot)) || !isStored(slot) || !isProviders(dispute.phase)) continue;
            if (upAt(dispute) < until) playOne(slot, time);
        }
        vm.warp(until);
    }

    /// @notice Whoever is left moves no more, and everything ends. Only the test ends the game.
    function finish() external {
        if (msg.sender != TEST) return;
        wait(2 days, true);
        for (uint256 slot = 0; slot < SLOT_COUNT; ++slot) {
            if (!isStored(slot)) continue;
            // Refused where the provider is convicted: it must not win a bond.
            timeOut(slot);
            if (isStored(slot)) returnBond(slot);
            assertTrue(!isStored(slot), "every dispute ends");
        }
        vm.warp(block.timestamp + terms.releaseDelay);
        for (uint256 i = 0; i < _sentences.length; ++i) {
            if (!_sentences[i].paid) release(i);
        }
        vm.warp(block.timestamp + terms.releaseDelay);
        for (uint256 i = 0; i < providers.length; ++i) {
            burn(i);
        }
    }

    // SIGNATURES

    function sends(address from, uint256 value, bytes memory call) private returns (bool done) {
        vm.prank(from);
        (done,) = address(world.court).call{value: value}(call);
    }

    function signClaim(IReceipts.Job memory job_, uint256 job)
        private
        view
        returns (ICourt.Claim memory claim)
    {
        job_.provider = providerOf(job);
        job_.requester = requester;
        (job_.inputCount, job_.outputCountMax, job_.nonce) = (2, 2, bytes32(job));
        job_.expiresAt = uint64(block.timestamp + job * 4 days);
        claim.job = job_;
        claim.receipt.jobId = world.receipts.hashJob(job_);
        claim.receipt.outputRoot = keccak256("output");
        claim.receipt.outputCount = 2;
        claim.receipt.finish = 1;
        claim.receipt.price = PRICE;
        claim.signature = signs(job, world.receipts.hashReceipt(claim.receipt));
    }

    function signTrace(uint256 job, bytes32 root) private view returns (ICourt.Trace memory) {
        return ICourt.Trace(root, signs(job, world.receipts.hashTrace(_jobIds[job], root)));
    }

    function signs(uint256 job, bytes32 digest) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(providerKey(job % 2), digest);
        return abi.encodePacked(r, s, v);
    }

    /// @dev A voucher for all that is in the channel.
    function signLane(IChannels.ChannelConfig memory config)
        private
        view
        returns (IChannels.LaneClaim[] memory claims)
    {
        bytes32 id = world.channels.getChannelId(config);
        (uint128 balance,) = world.channels.channels(id);
        bytes32 digest = world.channels.getLaneVoucherDigest(id, 0, balance, 0);
        (bytes32 r, bytes32 vs) = vm.signCompact(REQUESTER_KEY, digest);
        claims = new IChannels.LaneClaim[](1);
        claims[0] = IChannels.LaneClaim(requester, address(0), 0, 0, balance, 0, r, vs);
    }

    function proofAgainst(uint256 job) private pure returns (ICourt.Proof memory) {
        return ICourt.Proof(0x11, isHonest(job) ? bytes(hex"00aa") : bytes(hex"01aa"));
    }

    function claimOf(uint256 job) private view returns (ICourt.Claim memory) {
        return abi.decode(_claims[job], (ICourt.Claim));
    }

    function jobOfId(bytes32 jobId) private view returns (uint256 job) {
        while (_jobIds[job] != jobId) ++job;
    }

    function providerKey(uint256 provider) private pure returns (uint256) {
        return 0x9301 + provider % 2;
    }

    function jobIdOf(uint256 job) internal view override returns (bytes32) {
        return _jobIds[job];
    }

    function priceOf(uint256) internal pure override returns (uint128) {
        return PRICE;
    }
}
