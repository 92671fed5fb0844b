// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title Payment channels with lanes
/// @notice A payer locks money for one receiver and then pays with signed vouchers that need no transaction. A voucher
/// is cumulative: it states everything paid so far, so the last one is the only one that counts, and no nonce exists.
///
/// The messages are those of x402 `batch-settlement` on EVM (their npm package for EVM, 2.27.0): domain "x402 Batch
/// Settlement" version "1", `ChannelConfig`, `Voucher`. One thing is added, `LaneVoucher`: up to 64 cumulative
/// amounts over one deposit, so that jobs run in parallel, each with the root of the receipts that the payment
/// acknowledges.
///
///     deposit ──► balance ──claim──► receiver's earnings ──settle──► receiver
///                    │
///                    ├──refund (receiver agrees)─────────────────► payer
///                    └──initiateWithdraw, withdrawDelay, finalizeWithdraw──► payer
///
/// Nobody owns this contract, nothing in it can be changed, and all money leaves to the payer or the receiver of the
/// channel that it came in by.
/// @dev Tokens that take a fee on transfer are refused at deposit. Tokens whose balances change by themselves must not
/// be used.
interface IChannels {
    /// @notice The terms of a channel; its EIP-712 hash is the channel id, so nothing of it is stored.
    struct ChannelConfig {
        address payer;
        /// Key that signs vouchers; zero means the payer itself.
        address payerAuthorizer;
        address receiver;
        /// May claim and refund like the receiver; zero means nobody else.
        address receiverAuthorizer;
        address token;
        /// Seconds between the payer's request to withdraw and the withdrawal: the time that a receiver has to claim.
        uint40 withdrawDelay;
        /// Tells apart channels that are otherwise equal.
        bytes32 salt;
    }

    /// @notice x402 voucher: pays lane 0 up to a cumulative amount.
    struct Voucher {
        ChannelConfig channel;
        uint128 maxClaimableAmount;
    }

    /// @notice x402 claim: the receiver decides how much of the voucher it takes.
    struct VoucherClaim {
        Voucher voucher;
        /// 65 bytes r ‖ s ‖ v; or anything that a payer who is a contract accepts (ERC-1271).
        bytes signature;
        /// Cumulative amount of lane 0 after the claim.
        uint128 totalClaimed;
    }

    /// @notice What all channels of one batch have in common.
    struct Payee {
        address receiver;
        address receiverAuthorizer;
        address token;
        uint40 withdrawDelay;
    }

    /// @notice A signed `LaneVoucher` and the rest of the config of its channel.
    struct LaneClaim {
        address payer;
        address payerAuthorizer;
        bytes32 salt;
        uint32 lane;
        /// Cumulative amount of the lane.
        uint128 maxClaimableAmount;
        /// Merkle root over the digests of all receipts of the lane.
        bytes32 receiptRoot;
        /// Signature in two words (ERC-2098). A contract that pays names a key as its `payerAuthorizer`.
        bytes32 r;
        bytes32 vs;
    }

    /// @notice First money in an empty channel; the only time the config is shown.
    event ChannelOpened(
        bytes32 indexed channelId,
        address indexed payer,
        address indexed receiver,
        ChannelConfig config
    );
    /// @param balance Balance of the channel after the deposit.
    event Deposited(bytes32 indexed channelId, uint128 amount, uint128 balance);
    /// @param laneClaimed Cumulative amount of the lane after the claim.
    /// @param receiptRoot Root of the receipts that the payer acknowledged; zero for an x402 voucher.
    event Claimed(bytes32 indexed channelId, uint32 lane, uint128 laneClaimed, bytes32 receiptRoot);
    event Settled(
        address indexed receiver, address indexed token, address indexed sender, uint128 amount
    );
    event Refunded(bytes32 indexed channelId, uint128 amount);
    /// @param amount Zero means that the request was taken back.
    /// @param readyAt Unix seconds from which {finalizeWithdraw} works.
    event WithdrawInitiated(bytes32 indexed channelId, uint128 amount, uint40 readyAt);
    event WithdrawFinalized(bytes32 indexed channelId, uint128 amount);

    error ZeroAddress();
    error ZeroAmount();
    /// @notice A channel holds at most 2^80 - 1 atomic units over its life (10^18 dollars at 6 decimals).
    error AmountTooLarge(uint256 amount);
    error WithdrawDelayOutOfRange(uint40 withdrawDelay, uint40 delayMin, uint40 delayMax);
    /// @notice The token delivered less than it said.
    error TransferIncomplete(address token, uint256 received, uint256 amount);
    error LaneOutOfRange(uint32 lane);
    /// @notice The signature is malformed or not of the channel's payer (or payerAuthorizer).
    error VoucherSignatureInvalid(bytes32 channelId);
    error ClaimAboveVoucher(bytes32 channelId, uint128 totalClaimed, uint128 maxClaimableAmount);
    error ClaimAboveBalance(bytes32 channelId, uint128 needed, uint128 available);
    error CallerNotPayer(address caller);
    error CallerNotReceiver(address caller);
    error WithdrawNotReady(bytes32 channelId, uint40 readyAt);
    error NothingToClaim();
    error NothingToSettle(address receiver, address token);
    error NothingToRefund(bytes32 channelId);
    error NothingToWithdraw(bytes32 channelId);

    // MONEY IN

    /// @notice Adds `amount` from the caller's allowance. Anyone may fund a channel; only its payer gets money back.
    function deposit(ChannelConfig calldata config, uint128 amount) external;

    /// @notice Adds `amount` by an EIP-3009 `ReceiveWithAuthorization` of the payer to this contract. Anyone may submit
    /// it, so the payer needs no coin for gas. Its nonce must be keccak256(abi.encode(channelId, salt)), as in x402:
    /// so the money can reach no other channel.
    function depositWithAuthorization(
        ChannelConfig calldata config,
        uint128 amount,
        uint256 validAfter,
        uint256 validBefore,
        uint256 salt,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    /// @notice Adds `amount` of the caller by its ERC-2612 permit for exactly `amount`.
    function depositWithPermit(
        ChannelConfig calldata config,
        uint128 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    // MONEY EARNED

    /// @notice Takes x402 vouchers. Only the receiver or its authorizer, because the amount is theirs to choose.
    /// Vouchers that are already claimed are passed over.
    function claim(VoucherClaim[] calldata voucherClaims) external;

    /// @notice Takes lane vouchers to the full amount, or as far as the balance reaches. Anyone may submit them: the
    /// money can only go to the receiver. Vouchers that bring nothing new are passed over, so that nobody can stop a
    /// batch by claiming a part of it first.
    /// @return amount Newly earned by the receiver.
    function claimLanes(Payee calldata payee, LaneClaim[] calldata claims)
        external
        returns (uint128 amount);

    /// @notice Pays everything that `receiver` has claimed and not yet got. Anyone may call.
    function settle(address receiver, address token) external;

    // MONEY BACK

    /// @notice The receiver (or its authorizer) gives back up to `amount` of what is unclaimed, at once.
    function refund(ChannelConfig calldata config, uint128 amount) external;

    /// @notice The payer asks for `amount` back. A new request replaces the old one and starts the clock anew; zero
    /// takes the request back. Claims go on until the withdrawal.
    function initiateWithdraw(ChannelConfig calldata config, uint128 amount) external;

    /// @notice Pays the payer what it asked for, as far as it is still unclaimed. Anyone may call after the delay.
    function finalizeWithdraw(ChannelConfig calldata config) external;

    /// @notice Several calls in one transaction, e.g. claim and settle. One failure undoes all.
    function multicall(bytes[] calldata data) external returns (bytes[] memory results);

    // VIEWS

    /// @notice `balance` is everything deposited and not given back, claimed money included.
    function channels(bytes32 channelId)
        external
        view
        returns (uint128 balance, uint128 totalClaimed);

    /// @notice Cumulative amount claimed on a lane. The lanes of a channel sum up to its `totalClaimed`.
    function laneClaimed(bytes32 channelId, uint32 lane) external view returns (uint128);

    function receivers(address receiver, address token)
        external
        view
        returns (uint128 totalClaimed, uint128 totalSettled);

    /// @notice `initiatedAt` is 0 when nothing is pending.
    function pendingWithdrawals(bytes32 channelId)
        external
        view
        returns (uint128 amount, uint40 initiatedAt);

    function getChannelId(ChannelConfig calldata config) external view returns (bytes32);

    function getVoucherDigest(bytes32 channelId, uint128 maxClaimableAmount)
        external
        view
        returns (bytes32);

    function getLaneVoucherDigest(
        bytes32 channelId,
        uint32 lane,
        uint128 maxClaimableAmount,
        bytes32 receiptRoot
    ) external view returns (bytes32);

    function domainSeparator() external view returns (bytes32);

    /// @notice Shortest allowed delay: 15 minutes; 1 second on the local chains 31337 and 1337, so tests need no
    /// patience.
    function withdrawDelayMin() external view returns (uint40);

    function CHANNEL_CONFIG_TYPEHASH() external view returns (bytes32);
    function VOUCHER_TYPEHASH() external view returns (bytes32);
    function LANE_VOUCHER_TYPEHASH() external view returns (bytes32);
    function WITHDRAW_DELAY_MAX() external view returns (uint40);
    function LANES_MAX() external view returns (uint32);
}
