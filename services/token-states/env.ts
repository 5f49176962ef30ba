export { stageEnv as tokenStatesEnv } from '../../shared/stage/env.ts'
