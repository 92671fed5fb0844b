// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Eip712} from "../protocol/Eip712.sol";
import {LocalChain} from "../protocol/LocalChain.sol";
import {IPaymentToken, Payments} from "../protocol/Payments.sol";
import {Signatures} from "../protocol/Signatures.sol";
import {AMOUNT_BITS, AMOUNT_MAX, ChannelState} from "./ChannelState.sol";
import {IChannels} from "./IChannels.sol";

/// @title Payment channels with lanes
/// @notice What it does and refuses is told in {IChannels}.
contract Channels is IChannels {
    using Payments for address;

    /// @dev Memory that one batch of lane claims is hashed in, laid out exactly as EIP-712 encodes it: what all claims
    /// share is written once, the rest is copied over it from calldata, claim after claim.
    struct Scratch {
        // 0x000: encoding of a ChannelConfig
        bytes32 configTypehash;
        address payer;
        address payerAuthorizer;
        address receiver;
        address receiverAuthorizer;
        address token;
        uint256 withdrawDelay;
        bytes32 salt;
        // 0x100: encoding of a LaneVoucher
        bytes32 voucherTypehash;
        bytes32 channelId;
        uint256 lane;
        uint256 maxClaimableAmount;
        bytes32 receiptRoot;
    }

    struct Channel {
        ChannelState state;
        /// Lanes 1 to 63, three to a word: lane l is 80 bits of word (l - 1) / 3 from bit 80 · ((l - 1) % 3).
        mapping(uint256 word => uint256) lanes;
        uint128 withdrawAmount;
        uint40 withdrawInitiatedAt;
    }

    struct Earnings {
        uint128 totalClaimed;
        uint128 totalSettled;
    }

    uint40 public constant WITHDRAW_DELAY_MAX = 30 days;
    uint32 public constant LANES_MAX = 64;

    bytes32 public constant CHANNEL_CONFIG_TYPEHASH = keccak256(
        "ChannelConfig(address payer,address payerAuthorizer,address receiver,address receiverAuthorizer,address token,uint40 withdrawDelay,bytes32 salt)"
    );
    bytes32 public constant VOUCHER_TYPEHASH =
        keccak256("Voucher(bytes32 channelId,uint128 maxClaimableAmount)");
    bytes32 public constant LANE_VOUCHER_TYPEHASH = keccak256(
        "LaneVoucher(bytes32 channelId,uint32 lane,uint128 maxClaimableAmount,bytes32 receiptRoot)"
    );
    bytes32 private constant NAME_HASH = keccak256("x402 Batch Settlement");
    bytes32 private constant VERSION_HASH = keccak256("1");

    // STORAGE

    mapping(bytes32 channelId => Channel) private _channels;
    mapping(address receiver => mapping(address token => Earnings)) public receivers;

    // INVARIANT: for every token, money held = Σ (balance - totalClaimed) of its channels
    //                                        + Σ (totalClaimed - totalSettled) of its receivers.
    // INVARIANT: for every channel, Σ lanes = totalClaimed <= balance.

    // MONEY IN

    /// @inheritdoc IChannels
    function deposit(ChannelConfig calldata config, uint128 amount) external {
        uint256 heldBefore = _held(config.token);
        _credit(config, getChannelId(config), amount);
        config.token.pull(msg.sender, amount);
        _requireReceived(config.token, heldBefore, amount);
    }

    /// @inheritdoc IChannels
    function depositWithAuthorization(
        ChannelConfig calldata config,
        uint128 amount,
        uint256 validAfter,
        uint256 validBefore,
        uint256 salt,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        uint256 heldBefore = _held(config.token);
        bytes32 channelId = getChannelId(config);
        _credit(config, channelId, amount);
        // INVARIANT: the nonce names the channel, so whoever submits the authorization can fund no other.
        bytes32 nonce = keccak256(abi.encode(channelId, salt));
        IPaymentToken(config.token)
            .receiveWithAuthorization(
                config.payer, address(this), amount, validAfter, validBefore, nonce, v, r, s
            );
        _requireReceived(config.token, heldBefore, amount);
    }

    /// @inheritdoc IChannels
    function depositWithPermit(
        ChannelConfig calldata config,
        uint128 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        uint256 heldBefore = _held(config.token);
        _credit(config, getChannelId(config), amount);
        // SAFETY: a failure is ignored, because anyone may have submitted the same permit before us; without an
        // allowance the next line fails. The money is the caller's own, so a permit seen by others is of no use to
        // them.
        try IPaymentToken(config.token)
            .permit(msg.sender, address(this), amount, deadline, v, r, s) {}
            catch {}
        config.token.pull(msg.sender, amount);
        _requireReceived(config.token, heldBefore, amount);
    }

    // MONEY EARNED

    /// @inheritdoc IChannels
    function claim(VoucherClaim[] calldata voucherClaims) external {
        bytes32 separator = domainSeparator();
        uint256 claimedTotal = 0;
        for (uint256 i = 0; i < voucherClaims.length; ++i) {
            claimedTotal += _claimVoucher(voucherClaims[i], separator);
        }
        if (claimedTotal == 0) revert NothingToClaim();
    }

    /// @inheritdoc IChannels
    function claimLanes(Payee calldata payee, LaneClaim[] calldata claims)
        external
        returns (uint128 amount)
    {
        bytes32 separator = domainSeparator();
        Scratch memory scratch;
        scratch.configTypehash = CHANNEL_CONFIG_TYPEHASH;
        scratch.receiver = payee.receiver;
        scratch.receiverAuthorizer = payee.receiverAuthorizer;
        scratch.token = payee.token;
        scratch.withdrawDelay = payee.withdrawDelay;
        scratch.voucherTypehash = LANE_VOUCHER_TYPEHASH;
        uint256 claimedTotal = 0;
        unchecked {
            // SAFETY: every summand is below 2^80 and calldata cannot hold 2^48 of them.
            for (uint256 i = 0; i < claims.length; ++i) {
                claimedTotal += _claimLane(scratch, claims[i], separator);
            }
        }
        if (claimedTotal == 0) revert NothingToClaim();
        amount = uint128(claimedTotal);
        receivers[payee.receiver][payee.token].totalClaimed += amount;
    }

    /// @inheritdoc IChannels
    function settle(address receiver, address token) external {
        Earnings storage earnings = receivers[receiver][token];
        uint128 amount = earnings.totalClaimed - earnings.totalSettled;
        if (amount == 0) revert NothingToSettle(receiver, token);
        earnings.totalSettled += amount;
        emit Settled(receiver, token, msg.sender, amount);
        token.push(receiver, amount);
    }

    // MONEY BACK

    /// @inheritdoc IChannels
    function refund(ChannelConfig calldata config, uint128 amount) external {
        _requireReceiver(config);
        bytes32 channelId = getChannelId(config);
        uint128 refunded = _debit(channelId, amount);
        if (refunded == 0) revert NothingToRefund(channelId);
        emit Refunded(channelId, refunded);
        config.token.push(config.payer, refunded);
    }

    /// @inheritdoc IChannels
    function initiateWithdraw(ChannelConfig calldata config, uint128 amount) external {
        // Not its authorizer: that key is hot, and who stole it could start the clock anew for ever.
        if (msg.sender != config.payer) revert CallerNotPayer(msg.sender);
        bytes32 channelId = getChannelId(config);
        uint40 initiatedAt = uint40(block.timestamp);
        Channel storage channel = _channels[channelId];
        channel.withdrawAmount = amount;
        channel.withdrawInitiatedAt = amount == 0 ? 0 : initiatedAt;
        emit WithdrawInitiated(channelId, amount, initiatedAt + config.withdrawDelay);
    }

    /// @inheritdoc IChannels
    function finalizeWithdraw(ChannelConfig calldata config) external {
        bytes32 channelId = getChannelId(config);
        Channel storage channel = _channels[channelId];
        uint128 amount = channel.withdrawAmount;
        if (amount == 0) revert NothingToWithdraw(channelId);
        uint40 readyAt = channel.withdrawInitiatedAt + config.withdrawDelay;
        if (block.timestamp < readyAt) revert WithdrawNotReady(channelId, readyAt);
        channel.withdrawAmount = 0;
        channel.withdrawInitiatedAt = 0;
        uint128 withdrawn = _debit(channelId, amount);
        if (withdrawn == 0) revert NothingToWithdraw(channelId);
        emit WithdrawFinalized(channelId, withdrawn);
        config.token.push(config.payer, withdrawn);
    }

    /// @inheritdoc IChannels
    function multicall(bytes[] calldata data) external returns (bytes[] memory results) {
        results = new bytes[](data.length);
        for (uint256 i = 0; i < data.length; ++i) {
            // SAFETY: calls only this code, as the same sender; nothing here is payable, so no value counts twice.
            (bool success, bytes memory result) = address(this).delegatecall(data[i]);
            if (!success) {
                assembly ("memory-safe") {
                    revert(add(result, 0x20), mload(result))
                }
            }
            results[i] = result;
        }
    }

    // VIEWS

    /// @inheritdoc IChannels
    function channels(bytes32 channelId)
        external
        view
        returns (uint128 balance, uint128 totalClaimed)
    {
        ChannelState state = _channels[channelId].state;
        return (uint128(state.balance()), uint128(state.totalClaimed()));
    }

    /// @inheritdoc IChannels
    function laneClaimed(bytes32 channelId, uint32 lane) external view returns (uint128) {
        if (lane >= LANES_MAX) revert LaneOutOfRange(lane);
        if (lane == 0) return uint128(_channels[channelId].state.firstLane());
        (uint256 word, uint256 shift) = _lanePlace(lane);
        return uint128((_channels[channelId].lanes[word] >> shift) & AMOUNT_MAX);
    }

    /// @inheritdoc IChannels
    function pendingWithdrawals(bytes32 channelId)
        external
        view
        returns (uint128 amount, uint40 initiatedAt)
    {
        Channel storage channel = _channels[channelId];
        return (channel.withdrawAmount, channel.withdrawInitiatedAt);
    }

    /// @inheritdoc IChannels
    function getChannelId(ChannelConfig calldata config) public view returns (bytes32) {
        return
            Eip712.digest(domainSeparator(), keccak256(abi.encode(CHANNEL_CONFIG_TYPEHASH, config)));
    }

    /// @inheritdoc IChannels
    function getVoucherDigest(bytes32 channelId, uint128 maxClaimableAmount)
        external
        view
        returns (bytes32)
    {
        return Eip712.digest(domainSeparator(), _hashVoucher(channelId, maxClaimableAmount));
    }

    /// @inheritdoc IChannels
    function getLaneVoucherDigest(
        bytes32 channelId,
        uint32 lane,
        uint128 maxClaimableAmount,
        bytes32 receiptRoot
    ) external view returns (bytes32) {
        bytes32 structHash = keccak256(
            abi.encode(LANE_VOUCHER_TYPEHASH, channelId, lane, maxClaimableAmount, receiptRoot)
        );
        return Eip712.digest(domainSeparator(), structHash);
    }

    /// @inheritdoc IChannels
    function domainSeparator() public view returns (bytes32) {
        return Eip712.separator(NAME_HASH, VERSION_HASH);
    }

    /// @inheritdoc IChannels
    function withdrawDelayMin() public view returns (uint40) {
        return LocalChain.isLocal() ? 1 seconds : 15 minutes;
    }

    // INTERNAL: MONEY IN

    /// @dev Credits before the money arrives; {_requireReceived} undoes everything if it does not. A token that calls
    /// back in between cannot use the credit: what it takes out is missing in the comparison of balances.
    function _credit(ChannelConfig calldata config, bytes32 channelId, uint128 amount) private {
        if (amount == 0) revert ZeroAmount();
        Channel storage channel = _channels[channelId];
        uint256 balance = channel.state.balance() + amount;
        if (balance > AMOUNT_MAX) revert AmountTooLarge(balance);
        if (balance == amount) {
            _requireOpenable(config);
            emit ChannelOpened(channelId, config.payer, config.receiver, config);
        }
        channel.state = channel.state.add(amount);
        emit Deposited(channelId, amount, uint128(balance));
    }

    /// @dev SAFETY: checked only when money enters an empty channel, because a channel that fails here never has any.
    function _requireOpenable(ChannelConfig calldata config) private view {
        if (config.payer == address(0) || config.receiver == address(0)) revert ZeroAddress();
        uint40 delay = config.withdrawDelay;
        uint40 delayMin = withdrawDelayMin();
        if (delay < delayMin || delay > WITHDRAW_DELAY_MAX) {
            revert WithdrawDelayOutOfRange(delay, delayMin, WITHDRAW_DELAY_MAX);
        }
    }

    function _held(address token) private view returns (uint256) {
        return IPaymentToken(token).balanceOf(address(this));
    }

    function _requireReceived(address token, uint256 heldBefore, uint256 amount) private view {
        uint256 heldAfter = _held(token);
        if (heldAfter < heldBefore + amount) {
            revert TransferIncomplete(token, heldAfter - heldBefore, amount);
        }
    }

    // INTERNAL: MONEY EARNED

    function _claimVoucher(VoucherClaim calldata voucherClaim, bytes32 separator)
        private
        returns (uint256 amount)
    {
        ChannelConfig calldata config = voucherClaim.voucher.channel;
        _requireReceiver(config);
        bytes32 channelId =
            Eip712.digest(separator, keccak256(abi.encode(CHANNEL_CONFIG_TYPEHASH, config)));
        uint128 max = voucherClaim.voucher.maxClaimableAmount;
        uint128 target = voucherClaim.totalClaimed;
        if (target > max) revert ClaimAboveVoucher(channelId, target, max);
        bytes32 digest = Eip712.digest(separator, _hashVoucher(channelId, max));
        address signer = _voucherSigner(config.payer, config.payerAuthorizer);
        if (!Signatures.isFrom(signer, digest, voucherClaim.signature)) {
            revert VoucherSignatureInvalid(channelId);
        }
        Channel storage channel = _channels[channelId];
        ChannelState state = channel.state;
        if (target <= state.firstLane()) return 0;
        amount = target - state.firstLane();
        if (amount > state.available()) {
            revert ClaimAboveBalance(channelId, uint128(amount), uint128(state.available()));
        }
        channel.state = state.claimed(amount, true);
        receivers[config.receiver][config.token].totalClaimed += uint128(amount);
        emit Claimed(channelId, 0, target, 0);
    }

    function _claimLane(Scratch memory scratch, LaneClaim calldata laneClaim, bytes32 separator)
        private
        returns (uint256 amount)
    {
        (bytes32 channelId, bytes32 digest) = _hashLaneClaim(scratch, laneClaim, separator);
        address signer = _voucherSigner(scratch.payer, scratch.payerAuthorizer);
        if (Signatures.recover(digest, laneClaim.r, laneClaim.vs) != signer || signer == address(0))
        {
            revert VoucherSignatureInvalid(channelId);
        }
        uint256 laneTotal;
        (amount, laneTotal) = _take(channelId, scratch.lane, scratch.maxClaimableAmount);
        if (amount != 0) {
            emit Claimed(channelId, uint32(scratch.lane), uint128(laneTotal), scratch.receiptRoot);
        }
    }

    /// @dev Id of the channel and digest of the voucher. The compiler's own way costs 300 gas more for each claim.
    /// SAFETY: words are hashed as they come, without a check that narrow types have no high bits set. A config with
    /// such bits has an id that no deposit can have; a lane with such bits is out of range; an amount with such bits
    /// was signed by the payer in just that form and is capped by the balance.
    function _hashLaneClaim(Scratch memory scratch, LaneClaim calldata laneClaim, bytes32 separator)
        private
        pure
        returns (bytes32 channelId, bytes32 digest)
    {
        assembly ("memory-safe") {
            // Calldata: 0x00 payer, 0x20 payerAuthorizer, 0x40 salt, 0x60 lane, 0x80 max, 0xa0 receiptRoot.
            calldatacopy(add(scratch, 0x20), laneClaim, 0x40)
            calldatacopy(add(scratch, 0xe0), add(laneClaim, 0x40), 0x20)
            calldatacopy(add(scratch, 0x140), add(laneClaim, 0x60), 0x60)
            // "\x19\x01" ‖ separator ‖ struct hash, twice, beyond the memory in use.
            let typed := mload(0x40)
            mstore(typed, hex"1901")
            mstore(add(typed, 0x02), separator)
            mstore(add(typed, 0x22), keccak256(scratch, 0x100))
            channelId := keccak256(typed, 0x42)
            mstore(add(scratch, 0x120), channelId)
            mstore(add(typed, 0x22), keccak256(add(scratch, 0x100), 0xa0))
            digest := keccak256(typed, 0x42)
        }
    }

    /// @dev Moves min(max - lane, available) of the channel to the lane; zero if the voucher is old.
    function _take(bytes32 channelId, uint256 lane, uint256 max)
        private
        returns (uint256 amount, uint256 laneTotal)
    {
        if (lane >= LANES_MAX) revert LaneOutOfRange(uint32(lane));
        Channel storage channel = _channels[channelId];
        ChannelState state = channel.state;
        if (lane == 0) {
            (amount, laneTotal) = _due(state, state.firstLane(), max);
        } else {
            (uint256 word, uint256 shift) = _lanePlace(lane);
            uint256 packed = channel.lanes[word];
            (amount, laneTotal) = _due(state, (packed >> shift) & AMOUNT_MAX, max);
            if (amount != 0) channel.lanes[word] = packed + (amount << shift);
        }
        if (amount != 0) channel.state = state.claimed(amount, lane == 0);
    }

    /// @dev What a voucher over `max` brings to a lane that stands at `lane`, and where the lane stands then.
    function _due(ChannelState state, uint256 lane, uint256 max)
        private
        pure
        returns (uint256 amount, uint256 laneTotal)
    {
        if (max <= lane) return (0, lane);
        uint256 available = state.available();
        unchecked {
            // SAFETY: max > lane; and lane + amount <= totalClaimed + available = balance < 2^80.
            amount = max - lane;
            if (amount > available) amount = available;
            return (amount, lane + amount);
        }
    }

    /// @dev For lanes 1 to 63.
    function _lanePlace(uint256 lane) private pure returns (uint256 word, uint256 shift) {
        unchecked {
            // SAFETY: the caller has dealt with lane 0.
            return ((lane - 1) / 3, AMOUNT_BITS * ((lane - 1) % 3));
        }
    }

    function _hashVoucher(bytes32 channelId, uint128 max) private pure returns (bytes32) {
        return keccak256(abi.encode(VOUCHER_TYPEHASH, channelId, max));
    }

    function _voucherSigner(address payer, address payerAuthorizer) private pure returns (address) {
        return payerAuthorizer == address(0) ? payer : payerAuthorizer;
    }

    function _requireReceiver(ChannelConfig calldata config) private view {
        // SAFETY: an authorizer of zero admits nobody, since no transaction comes from the zero address.
        if (msg.sender != config.receiver && msg.sender != config.receiverAuthorizer) {
            revert CallerNotReceiver(msg.sender);
        }
    }

    // INTERNAL: MONEY BACK

    /// @dev Takes up to `amount` of what is unclaimed out of the channel.
    function _debit(bytes32 channelId, uint128 amount) private returns (uint128 debited) {
        Channel storage channel = _channels[channelId];
        uint256 available = channel.state.available();
        debited = amount < available ? amount : uint128(available);
        channel.state = channel.state.remove(debited);
    }
}
