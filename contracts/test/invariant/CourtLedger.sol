// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IReceipts} from "../../compute/IReceipts.sol";
import {ICourt} from "../../dispute/ICourt.sol";
import {IVaults} from "../../dispute/IVaults.sol";
import {IChannels} from "../../settlement/IChannels.sol";
import {IStake} from "../../settlement/IStake.sol";
import {ITestDollar} from "../../settlement/ITestDollar.sol";
import {Test} from "../base/Test.sol";
import {CourtVm} from "../dispute/CourtVm.sol";

/// @notice Who must have which money, and which disputes and verdicts there are: an account of its own, kept by the
/// words of {ICourt} and apart from the contracts. It makes no move itself.
abstract contract CourtLedger is Test {
    /// @dev The contracts of one network.
    struct World {
        ICourt court;
        IStake stake;
        IVaults vaults;
        IReceipts receipts;
        IChannels channels;
        ITestDollar dollar;
    }

    struct Sentence {
        ICourt.Verdict verdict;
        bool paid;
    }

    uint256 public constant JOB_COUNT = 12;
    uint256 public constant CHALLENGER_COUNT = 3;
    uint256 public constant SLOT_COUNT = JOB_COUNT * CHALLENGER_COUNT;
    address public constant BURNED = 0x000000000000000000000000000000000000dEaD;

    CourtVm internal constant courtVm = CourtVm(address(vm));

    World internal world;
    ICourt.Terms internal terms;
    /// @dev The first is honest, the second does anything. Jobs are dealt to them in turn.
    address[2] internal providers;
    /// @dev Of every job; pays into the channels, too.
    address internal requester;
    /// @dev The last one is a contract that refuses money.
    address[CHALLENGER_COUNT] internal challengers;

    /// @notice Atomic units that each account must have; vaults and channels are one account.
    mapping(address account => uint256) public money;
    mapping(address account => uint256) public coins;
    mapping(address provider => uint256) public stakeOf;
    mapping(address provider => uint256) public earnedOf;
    mapping(address provider => uint256) public keptOf;
    mapping(address provider => uint256) public burnAtOf;
    mapping(uint256 job => bool) public convicted;
    mapping(uint256 job => mapping(address account => uint256)) internal commitBlock;
    /// @notice Disputes that are open.
    uint256 public storedCount;
    /// @notice How often something happened.
    mapping(bytes32 what => uint256) public seen;
    mapping(uint256 slot => ICourt.Dispute) internal _disputes;
    Sentence[] internal _sentences;

    // WHO

    function jobOf(uint256 slot) internal pure returns (uint256) {
        return slot / CHALLENGER_COUNT;
    }

    function providerOf(uint256 job) internal view returns (address) {
        return providers[job % 2];
    }

    function challengerOf(uint256 slot) internal view returns (address) {
        return challengers[slot % CHALLENGER_COUNT];
    }

    function isHonest(uint256 job) internal pure returns (bool) {
        return job % 2 == 0;
    }

    function isStored(uint256 slot) internal view returns (bool) {
        return _disputes[slot].phase != ICourt.Phase.None;
    }

    function isProviders(ICourt.Phase phase) internal pure returns (bool) {
        return phase == ICourt.Phase.Answering || phase == ICourt.Phase.Revealing
            || phase == ICourt.Phase.Showing;
    }

    function moverOf(ICourt.Dispute memory dispute) internal pure returns (address) {
        return isProviders(dispute.phase) ? dispute.provider : dispute.challenger;
    }

    function upAt(ICourt.Dispute memory dispute) internal pure returns (uint256) {
        bool own = isProviders(dispute.phase);
        return dispute.movedAt + (own ? dispute.providerTime : dispute.challengerTime);
    }

    /// @dev The next slot with a dispute, so that few calls are in vain.
    function near(uint256 slot) internal view returns (uint256) {
        slot %= SLOT_COUNT;
        for (uint256 i = 0; i < SLOT_COUNT; ++i) {
            if (isStored((slot + i) % SLOT_COUNT)) return (slot + i) % SLOT_COUNT;
        }
        return slot;
    }

    /// @dev Somebody who committed himself, if there is one.
    function committer(uint256 job, uint256 by) internal view returns (address account) {
        for (uint256 i = 0; i < CHALLENGER_COUNT; ++i) {
            account = challengers[(by % CHALLENGER_COUNT + i) % CHALLENGER_COUNT];
            if (commitBlock[job][account] != 0) return account;
        }
    }

    // WHAT HAPPENED

    function pays(address from, address to, uint256 amount) internal {
        money[from] -= amount;
        money[to] += amount;
    }

    function closed(uint256 slot, address recipient) internal {
        // A recipient that refuses its bond loses it.
        if (recipient == challengers[CHALLENGER_COUNT - 1]) recipient = BURNED;
        coins[address(world.court)] -= terms.bond;
        coins[recipient] += terms.bond;
        delete _disputes[slot];
        --storedCount;
    }

    function condemned(uint256 job, address claimant, uint256 committedAt, bytes32 proofHash)
        internal
    {
        assertTrue(!isHonest(job), "nobody honest is convicted");
        address provider = providerOf(job);
        uint256 slashed = stakeOf[provider];
        uint256 taken = slashed + earnedOf[provider];
        pays(address(world.stake), address(world.court), stakeOf[provider]);
        pays(address(world.vaults), address(world.court), earnedOf[provider]);
        (stakeOf[provider], earnedOf[provider], convicted[job]) = (0, 0, true);
        Sentence storage sentence = _sentences.push();
        sentence.verdict = ICourt.Verdict({
            jobId: jobIdOf(job),
            provider: provider,
            requester: requester,
            claimant: claimant,
            committedAt: uint64(committedAt),
            proofHash: proofHash,
            releaseAt: uint64(block.timestamp) + terms.releaseDelay,
            price: priceOf(job),
            taken: uint128(taken),
            slashed: uint128(slashed)
        });
    }

    /// @dev First the requester's price, then at most half of the stake, the rest is kept.
    function released(uint256 index) internal {
        ICourt.Verdict memory verdict = _sentences[index].verdict;
        _sentences[index].paid = true;
        ++seen["released"];
        uint256 there = verdict.taken + keptOf[verdict.provider];
        uint256 refund = verdict.price > there ? there : verdict.price;
        there -= refund;
        uint256 bounty = verdict.slashed / 2 > there ? there : verdict.slashed / 2;
        pays(address(world.court), verdict.requester, refund);
        pays(address(world.court), verdict.claimant, bounty);
        keptOf[verdict.provider] = there - bounty;
        burnAtOf[verdict.provider] = block.timestamp + terms.releaseDelay;
    }

    function burned(address provider) internal {
        pays(address(world.court), BURNED, keptOf[provider]);
        keptOf[provider] = 0;
        ++seen["burned"];
    }

    /// @dev Atomic units that the court owes: unpaid verdicts and what is kept.
    function owed() public view returns (uint256 sum) {
        for (uint256 i = 0; i < _sentences.length; ++i) {
            if (!_sentences[i].paid) sum += _sentences[i].verdict.taken;
        }
        return sum + keptOf[providers[0]] + keptOf[providers[1]];
    }

    function jobIdOf(uint256 job) internal view virtual returns (bytes32);
    function priceOf(uint256 job) internal view virtual returns (uint128);

    // WHAT IS

    /// @notice Every account has what it must have, to the unit.
    function assertMoney() external view {
        ITestDollar dollar = world.dollar;
        address[9] memory accounts = allAccounts();
        for (uint256 i = 0; i < accounts.length; ++i) {
            assertEq(dollar.balanceOf(accounts[i]), money[accounts[i]]);
            assertEq(accounts[i].balance, coins[accounts[i]]);
        }
        uint256 waiting = dollar.balanceOf(address(world.channels));
        for (uint256 i = 0; i < providers.length; ++i) {
            waiting += dollar.balanceOf(world.vaults.vaultOf(providers[i]));
            (uint96 staked,,) = world.stake.stakes(providers[i]);
            assertEq(staked, stakeOf[providers[i]]);
        }
        assertEq(waiting, money[address(world.vaults)]);
    }

    /// @notice Nothing comes from nowhere: the accounts together have what they had at the start.
    function assertNothingLost(uint256 total) external view {
        address[9] memory accounts = allAccounts();
        uint256 sum = money[address(world.vaults)];
        for (uint256 i = 0; i < accounts.length; ++i) {
            sum += money[accounts[i]];
        }
        assertEq(sum, total);
    }

    /// @notice The court stores the disputes and verdicts of this account and no others.
    function assertStored() external view {
        for (uint256 slot = 0; slot < SLOT_COUNT; ++slot) {
            bytes32 stored = world.court.disputes(jobIdOf(jobOf(slot)), challengerOf(slot));
            bytes32 expected = isStored(slot) ? keccak256(abi.encode(_disputes[slot])) : bytes32(0);
            assertEq(stored, expected);
        }
        for (uint256 i = 0; i < _sentences.length; ++i) {
            ICourt.Verdict memory verdict = _sentences[i].verdict;
            bytes32 hash = _sentences[i].paid ? bytes32(uint256(1)) : keccak256(abi.encode(verdict));
            assertEq(world.court.verdicts(verdict.jobId), hash);
        }
    }

    /// @notice Whoever moves in time and is never proved guilty is not convicted and keeps its stake.
    function assertHonestKeepsItsStake() external view {
        for (uint256 job = 0; job < JOB_COUNT; ++job) {
            if (isHonest(job)) assertEq(world.court.verdicts(jobIdOf(job)), 0);
        }
        (uint96 staked,,) = world.stake.stakes(providers[0]);
        assertEq(staked, stakeOf[providers[0]]);
    }

    function allAccounts() internal view returns (address[9] memory) {
        return [
            providers[0],
            providers[1],
            challengers[0],
            challengers[1],
            challengers[2],
            address(world.court),
            address(world.stake),
            BURNED,
            requester
        ];
    }
}
