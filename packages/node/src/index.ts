/** The roles as functions, for programs that run them without the command line. */
export * from './chain/index.js';
export {
  type ChainAccess,
  connectRole,
  type Deployment,
  ensureDeployment,
  openChain,
} from './chain-access.js';
export { DEMO_FAULTS, type DemoFault } from './demo/fault-kinds.js';
export { type Disguised, disguiseAs } from './demo/faults.js';
export { type EngineHost, type EngineJob, startEngine } from './engine/engine-host.js';
export { loadKey, openHome } from './home.js';
export * from './index-store/index.js';
export { createLog, type Logger } from './log.js';
export { SHIPPED_MODEL_PATH } from './model-store.js';
export { type GatewayRoleOptions, startGateway } from './roles/gateway.js';
export { type Disguise, type ProviderRoleOptions, startProvider } from './roles/provider.js';
export { keepRole, type RunningRole } from './roles/role-process.js';
export { startVerifier, type VerifierRoleOptions } from './roles/verifier.js';
