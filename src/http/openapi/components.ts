import { changeRequest, ways } from '../change-request.ts'
import { ChangeResult, Config, History, HistoryEntry, Progress, Setting } from './config.ts'
import { Action, Change, ErrorBody, Problem, Time, Version } from './shared.ts'
import {
  Boot,
  ConsoleState,
  Health,
  MathesarHealth,
  ServiceState,
  SetupState,
  Status,
  Unit,
  UnitState,
} from './status.ts'

/** Every schema that has a name of its own in the OpenAPI document. */
export const components = {
  Status,
  Boot,
  Health,
  MathesarHealth,
  SetupState,
  ConsoleState,
  Unit,
  UnitState,
  Problem,
  ServiceState,
  Config,
  Setting,
  Action,
  Version,
  Time,
  History,
  HistoryEntry,
  Change,
  ChangeRequest: changeRequest,
  SetRequest: ways.set,
  FileRequest: ways.file,
  RollbackRequest: ways.rollback,
  ReloadRequest: ways.reload,
  ChangeResult,
  Progress,
  Error: ErrorBody,
} as const
