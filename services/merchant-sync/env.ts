export { stageEnv as merchantSyncEnv } from '../../shared/stage/env.ts'
