/** Reviews that no API server sends, as bodies: for the server in this process and for the operator's pods. */
import { lastApplied } from '../../src/admission/lastApplied.ts'
import { applied, type Loose, oldManifest, review } from './fixtures.ts'

export interface Hostile {
  what: string
  body: string | Buffer
  /** Content type; JSON if it is left out. */
  type?: string
  /** The only right answer, where there is just one: HTTP status, or that of the refusal inside a review. */
  answer?: number
}

const megabyte = 1024 * 1024

/** `unit` again and again, between commas, in brackets, `bytes` long. */
const list = (unit: string, bytes: number) =>
  `[${`${unit},`.repeat(Math.floor(bytes / (unit.length + 1)) - 1)}${unit}]`
const nested = (open: string, inner: string, close: string, depth: number) =>
  `${open.repeat(depth)}${inner}${close.repeat(depth)}`
const keys = (count: number) =>
  `{${Array.from({ length: count }, (_, i) => `"${i.toString(36)}":{}`).join(',')}}`

/** The corpus. `secret` is in every body, and may be in no answer and no log. */
export const hostileReviews = (secret: string): Hostile[] => {
  const object = () => applied(oldManifest({ password: secret }))
  const good = () => review(object())
  const text = (change: (body: Loose) => void) => {
    const body = good()
    change(body)
    return JSON.stringify(body)
  }
  /** The review with a field of the request, or of the object, that is written as `json`, whatever that is. */
  const beside = (json: string) => JSON.stringify(good()).replace('"request":{', `"request":{"x":${json},`)
  const within = (field: string, json: string) =>
    text((body) => {
      body.request.object.spec[field] = '@'
    }).replace('"@"', json)
  const request = (changes: Loose) => text((body) => Object.assign(body.request, changes))
  const metadata = (changes: Loose) => text((body) => Object.assign(body.request.object.metadata, changes))
  const update = (changes: Loose) => ({ operation: 'UPDATE', oldObject: { ...object(), ...changes } })
  const annotated = (copy: string) =>
    metadata({ annotations: { [lastApplied]: copy, [`${lastApplied}2`]: copy } })
  return [
    { what: 'seven megabytes of brackets', body: beside(list('[]', 6.9 * megabyte)), answer: 413 },
    { what: 'seven megabytes of braces', body: beside(list('{}', 6.9 * megabyte)), answer: 413 },
    { what: 'seven megabytes of keys', body: beside(keys(700_000)), answer: 413 },
    { what: 'a million brackets within each other', body: beside(nested('[', '', ']', 1e6)), answer: 413 },
    {
      what: 'a million objects within each other',
      body: beside(nested('{"a":', '1', '}', 1e6)),
      answer: 413,
    },
    { what: 'a spec that is nested', body: within('tolerations', nested('[', '', ']', 1e4)), answer: 413 },
    { what: 'a spec with many items', body: within('tolerations', list('{}', 90_000)), answer: 422 },
    { what: 'brackets that never close', body: `{"a":"${secret}","b":${'['.repeat(1e6)}`, answer: 413 },
    { what: 'brackets in a text', body: beside(`"${'[{'.repeat(3 * megabyte)}"`), answer: 200 },
    { what: 'seven megabytes of text', body: beside(`"${'x'.repeat(6.9 * megabyte)}"`), answer: 200 },
    { what: 'eight megabytes', body: beside(`"${'x'.repeat(8 * megabyte)}"`), answer: 413 },
    {
      what: 'a password of megabytes',
      body: text((b) => {
        b.request.object.spec.password = secret.repeat(1e5)
      }),
      answer: 422,
    },
    {
      what: 'a database of megabytes',
      body: text((b) => {
        b.request.object.spec.database = '-'.repeat(6e6)
      }),
      answer: 422,
    },
    {
      what: 'a name of megabytes',
      body: text((b) => {
        b.request.name = b.request.object.metadata.name = 'x'.repeat(3e6)
      }),
      answer: 422,
    },
    {
      what: 'an annotation of megabytes of brackets',
      body: annotated(`{"kind":"MySQL","spec":${list('[]', 3e6)}}`),
      answer: 422,
    },
    { what: 'an annotation that is nested', body: annotated(nested('{"a":', '1', '}', 2e4)), answer: 200 },
    { what: 'the prototype as a key', body: beside('{"__proto__":{"admin":true}}'), answer: 400 },
    {
      what: 'the prototype as an escaped key',
      body: beside('{"\\u005f_proto__":{"admin":true}}'),
      answer: 400,
    },
    {
      what: 'the constructor as a key',
      body: beside('{"constructor":{"prototype":{"admin":true}}}'),
      answer: 400,
    },
    {
      what: 'the prototype in an annotation',
      body: annotated('{"__proto__":{"kind":"MySQL"},"constructor":1}'),
      answer: 200,
    },
    { what: 'a text/plain', body: text(() => {}), type: 'text/plain', answer: 415 },
    { what: 'YAML', body: text(() => {}), type: 'application/yaml', answer: 415 },
    {
      what: 'protobuf',
      body: Buffer.from(`k8s\0${secret}`),
      type: 'application/vnd.kubernetes.protobuf',
      answer: 415,
    },
    { what: 'a form', body: `a=${secret}`, type: 'application/x-www-form-urlencoded', answer: 415 },
    { what: 'nothing', body: '', answer: 400 },
    { what: 'a body that is cut off', body: text(() => {}).slice(0, -9), answer: 400 },
    { what: 'two bodies', body: `${text(() => {})}${text(() => {})}`, answer: 400 },
    { what: 'no JSON', body: `{"request":{"uid":${secret}}}`, answer: 400 },
    {
      what: 'invalid UTF-8',
      body: Buffer.concat([
        Buffer.from(`{"a":"${secret}`),
        Buffer.from([0xff, 0xc3, 0x28]),
        Buffer.from('"}'),
      ]),
      answer: 400,
    },
    { what: 'half a surrogate', body: within('database', '"\\ud800"'), answer: 422 },
    { what: 'numbers beyond all bounds', body: within('storage_size', '1e999'), answer: 422 },
    {
      what: 'numbers that lose digits',
      body: within('tolerations', '[{"tolerationSeconds":123456789012345678901234567890.5}]'),
    },
    {
      what: 'another envelope',
      body: text((b) => {
        b.kind = 'ConversionReview'
      }),
      answer: 400,
    },
    {
      what: 'an older envelope',
      body: text((b) => {
        b.apiVersion = 'admission.k8s.io/v1beta1'
      }),
      answer: 400,
    },
    { what: 'a list', body: JSON.stringify([good()]), answer: 400 },
    { what: 'no uid', body: request({ uid: undefined }), answer: 400 },
    { what: 'a uid that is an object', body: request({ uid: { a: secret } }), answer: 400 },
    { what: 'no operation', body: request({ operation: undefined }), answer: 400 },
    { what: 'another operation', body: request({ operation: secret }), answer: 200 },
    { what: 'a subresource that is a number', body: request({ subResource: 5 }), answer: 200 },
    { what: 'no object', body: request({ object: null }), answer: 400 },
    { what: 'an object that is a list', body: request({ object: [object()] }), answer: 400 },
    {
      what: 'metadata that is a list',
      body: request({ object: { ...object(), metadata: [secret] } }),
      answer: 400,
    },
    { what: 'an update without what was stored', body: request({ operation: 'UPDATE' }), answer: 400 },
    {
      what: 'an object of another kind',
      body: request({ object: { ...object(), kind: secret } }),
      answer: 200,
    },
    {
      what: 'an object of another version',
      body: request({ object: { ...object(), apiVersion: 'otus.homework/v2' } }),
      answer: 422,
    },
    {
      what: 'a stored object of another version',
      body: request(update({ apiVersion: 'otus.homework/v2' })),
      answer: 422,
    },
    { what: 'a stored object of another kind', body: request(update({ kind: 'Secret' })), answer: 422 },
    { what: 'a stored object without a spec', body: request(update({ spec: undefined })) },
    { what: 'a stored object with a spec that is a list', body: request(update({ spec: [secret] })) },
    { what: 'a spec that is null', body: request({ object: { ...object(), spec: null } }), answer: 422 },
    {
      what: 'a spec that is a list',
      body: request({ object: { ...object(), spec: [secret] } }),
      answer: 422,
    },
    { what: 'another name', body: request({ name: 'other' }), answer: 422 },
    { what: 'another namespace', body: request({ namespace: 'kube-system' }), answer: 422 },
    { what: 'a name that is an object', body: metadata({ name: { a: secret } }), answer: 422 },
    { what: 'annotations that are a list', body: metadata({ annotations: [secret] }) },
    {
      what: 'annotations that are no texts',
      body: metadata({ annotations: { a: { b: secret }, [lastApplied]: 5 } }),
    },
    { what: 'finalizers that are a text', body: metadata({ finalizers: secret }) },
    { what: 'managed fields that are a text', body: metadata({ managedFields: secret }) },
    {
      what: 'managed fields with odd entries',
      body: metadata({ managedFields: [null, 5, { fieldsV1: [] }, { fieldsV1: { 'f:spec': secret } }] }),
    },
    { what: 'a deletion in what is created', body: metadata({ deletionTimestamp: '2026-01-01T00:00:00Z' }) },
    { what: 'nobody who asks', body: request({ userInfo: undefined }) },
    {
      what: 'somebody odd who asks',
      body: request({ userInfo: { username: { a: 1 }, groups: 'x', extra: [] } }),
    },
  ]
}

/** What is wrong with the answer to a hostile review; undefined if it is well-formed and says nothing that it may not. */
export const flaw = (
  { body, answer }: Hostile,
  code: number,
  text: string,
  secret: string,
): string | undefined => {
  if (text.includes(secret)) return 'the answer repeats what is secret'
  if (code !== 200)
    return code >= 400 && code < 500 && (answer ?? code) === code ? undefined : `answered ${code}`
  const { response } = JSON.parse(text) as Loose
  if (response.uid !== JSON.parse(String(body)).request.uid) return 'the answer has another uid'
  const said = response.allowed ? 200 : response.status?.code
  return said < 500 && (answer ?? said) === said ? undefined : `answered ${said} ${response.status?.message}`
}
