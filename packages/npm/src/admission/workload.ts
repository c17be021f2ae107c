/**
 * Which images an object of Kubernetes brings in: containers of all kinds and image volumes, of pods and of what makes pods. `review.ts` calls it. What
 * it does not know it refuses, a list of containers of a later version among it.
 */
import { InTotoError, type JsonObject, type JsonValue } from 'intoto'
import { printable } from 'intoto/node'
import { shorten } from './answer.ts'

/** An API group, version and kind, as a review names them. */
export interface Kind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

const template = ['spec', 'template', 'spec']

/** Where the pod's specification lies in each kind. */
const specifications: ReadonlyMap<string, readonly string[]> = new Map([
  ['v1 Pod', ['spec']],
  ['v1 PodTemplate', ['template', 'spec']],
  ['v1 ReplicationController', template],
  ['apps/v1 Deployment', template],
  ['apps/v1 ReplicaSet', template],
  ['apps/v1 StatefulSet', template],
  ['apps/v1 DaemonSet', template],
  ['batch/v1 Job', template],
  ['batch/v1 CronJob', ['spec', 'jobTemplate', ...template]],
])

const lists = ['containers', 'initContainers', 'ephemeralContainers'] as const

/** `apps/v1 Deployment` */
export function kindName({ group, version, kind }: Kind): string {
  return `${group === '' ? '' : `${group}/`}${version} ${kind}`
}

/**
 * Images of an object, by place: `containers "web"`.
 * @throws InTotoError E_UNSUPPORTED: a kind or a list that is not known; E_FORMAT: no such object, or more than `most` places
 */
export function imagesOf(object: JsonValue | undefined, kind: Kind, most: number): Map<string, string> {
  const name = kindName(kind)
  const path = specifications.get(name)
  if (path === undefined) {
    const message = `${shorten(printable(name), 200)} is no kind whose images are known here`
    const known = [...specifications.keys()].map((each) => each.split(' ')[1]).join(', ')
    throw new InTotoError({ code: 'E_UNSUPPORTED', message, fix: `let the webhook's rules name ${known} alone` })
  }
  const whole = record(object, 'object')
  const { apiVersion } = whole
  if (whole['kind'] !== kind.kind || apiVersion !== name.slice(0, name.indexOf(' ')))
    throw malformed(`the object is of another kind than the review says (${name})`)
  let [spec, place] = [whole, 'object']
  for (const member of path) {
    place += `.${member}`
    spec = record(spec[member], place)
  }
  return imagesIn(spec, place, most)
}

function imagesIn(spec: JsonObject, place: string, most: number): Map<string, string> {
  const stranger = Object.keys(spec).find((name) => /containers$/i.test(name) && !(lists as readonly string[]).includes(name))
  if (stranger !== undefined) {
    const message = `${place}.${shorten(printable(stranger), 80)} is a list of containers that is not known here`
    throw new InTotoError({ code: 'E_UNSUPPORTED', message, fix: 'use a version of this project that knows it' })
  }
  const images = new Map<string, string>()
  const add = (list: string, entry: JsonObject, image: JsonValue | undefined): void => {
    const name = entry['name']
    const where = `${place}.${list}`
    if (typeof name !== 'string') throw malformed(`${where}: one has no name`)
    const key = `${list} ${JSON.stringify(shorten(printable(name), 80))}`
    if (typeof image !== 'string') throw malformed(`${where}: ${key} names no image`)
    if (images.has(key)) throw malformed(`${where}: ${key} stands twice`)
    if (images.size >= most)
      throw malformed(
        `more than the limit of ${most} containers and image volumes (containers)`,
        'if this is meant, raise the limit "containers"',
      )
    images.set(key, image)
  }
  for (const list of lists) for (const entry of records(spec[list], `${place}.${list}`)) add(list, entry, entry['image'])
  if (images.size === 0) throw malformed(`${place} has no containers`)
  for (const entry of records(spec['volumes'], `${place}.volumes`)) {
    if (entry['image'] === undefined || entry['image'] === null) continue
    add('volumes', entry, record(entry['image'], `${place}.volumes: image`)['reference'])
  }
  return images
}

/** A list of objects; absent and `null` are an empty one, as in Kubernetes. */
function records(value: JsonValue | undefined, place: string): JsonObject[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw malformed(`${place} is no list`)
  return value.map((entry) => record(entry, `${place}: an entry`))
}

/** An object, by its place in the review. @throws InTotoError E_FORMAT */
export function record(value: JsonValue | undefined, place: string): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw malformed(`${place} is no object`)
}

function malformed(message: string, fix = 'send the object as Kubernetes does'): InTotoError {
  return new InTotoError({ code: 'E_FORMAT', message, fix })
}
